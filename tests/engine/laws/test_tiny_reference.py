# SPDX-License-Identifier: Apache-2.0
"""The slot engine over a model that can be computed by hand gives what the hand computes."""

from __future__ import annotations

import numpy as np
import pytest
from law_models import LAW_MODELS, pick, run, style
from tiny_model import reference

from segue_engine.contract import ConditioningError, Past


@pytest.mark.parametrize("sizes", [(6,), (1, 2, 6)])
@pytest.mark.parametrize("history", [0, 3, 21])
def test_codes_and_sound(engine_of, sizes: tuple[int, ...], history: int) -> None:
    engine = engine_of(LAW_MODELS["tiny"](), sizes=sizes)
    past = np.random.default_rng(1).integers(0, 1024, (history, 4))
    seed = 0x1234_5678_9ABC_DEF0
    engine.insert(7, style(7))
    slot = engine.insert(seed, style(1), prefill=past)
    engine.steer(slot, [(4, style(2)), (9, style(3))])
    heard = pick(run(engine, 12 + history // 8), slot)[:12]
    held = [style(1)] * 4 + [style(2)] * 5 + [style(3)] * 3
    expected = reference(seed, held, past)
    assert heard.first == 0
    np.testing.assert_array_equal(heard.codes, expected.codes)
    np.testing.assert_allclose(heard.pcm.reshape(-1, 2), expected.pcm * 32767, atol=2)


def test_negative_and_large_seeds_are_64_bit(engine_of) -> None:
    engine = engine_of(LAW_MODELS["tiny"]())
    a, b, c = (engine.insert(seed, style(2)) for seed in (-1, 2**64 - 1, 2**32 - 1))
    blocks = run(engine, 2)
    assert pick(blocks, a).same(pick(blocks, b))
    assert (pick(blocks, a).codes != pick(blocks, c).codes).any()


def test_a_known_loudness_is_gone_on_from(engine_of) -> None:
    """Without it a slot learns its loudness afresh; a rewind to its beginning keeps it."""
    engine = engine_of(LAW_MODELS["tiny"]())
    slots = [engine.insert(5, style(1), past=Past(loudness=(gain, -20.0, 60.0))) for gain in (-6.0, -12.0)]
    loud, quiet = (pick(blocks, slot) for blocks in [run(engine, 4)] for slot in slots)
    assert np.array_equal(loud.codes, quiet.codes)
    assert np.abs(quiet.pcm[0].astype(int)).max() < 0.8 * np.abs(loud.pcm[0].astype(int)).max()
    engine.rewind(slots[1], 0)
    assert quiet.same(pick(run(engine, 4), slots[1]))
    with pytest.raises(ConditioningError, match=r"past\.loudness"):
        engine.insert(5, style(1), past=Past(loudness=(0.0, float("nan"), 0.0)))
    with pytest.raises(ConditioningError, match=r"past\.conditionings"):
        engine.insert(5, style(1), past=Past(conditionings=((0, style(1)),)))
