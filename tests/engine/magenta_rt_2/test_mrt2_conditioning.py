# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from mrt2_reference import whole_sequence
from mrt2_tiny import TINY, draw_weights

from segue_engine.models.magenta_rt_2 import MagentaRT2Config, load_params
from segue_engine.models.magenta_rt_2.conditioning import (
    CHANNELS,
    REGULAR_CHANNELS,
    REGULAR_ROWS,
    conditioning_ids,
    regular_offsets,
    scale_to_bin,
)
from segue_engine.models.magenta_rt_2.encoder import encode

MASK_ID = 6


def ids_of(style=(), notes=None, drums=-1, guidance=(1.0, 1.0, 1.0), config: MagentaRT2Config = TINY):
    codes = np.full((1, 12), -1, np.int32)
    codes[0, : len(style)] = style
    played = np.full((1, 128), -1, np.int8) if notes is None else np.asarray(notes, np.int8)[None]
    return np.asarray(
        conditioning_ids(
            config,
            jnp.asarray(codes),
            jnp.asarray(played),
            jnp.asarray([drums], jnp.int32),
            jnp.asarray([guidance], jnp.float32),
        )
    )[0]


def test_channels_are_in_the_published_order():
    notes = np.full(128, -1)
    notes[60], notes[127] = 2, 0
    ids = ids_of(style=(5, 1023), notes=notes, drums=1, guidance=(3.0, 1.0, 2.0))
    assert ids.shape == (CHANNELS,) == (144,)
    assert ids[:3].tolist() == [12, 1030, MASK_ID]
    assert (ids[12 + 60], ids[12 + 127], ids[12 + 61]) == (9, 7, MASK_ID)
    assert ids[140] == 8
    assert ids[141:].tolist() == [20 + 7, 10 + 7, 3 + 7]


def test_everything_masked_is_id_6():
    assert set(ids_of()[:141].tolist()) == {MASK_ID}


@pytest.mark.parametrize(("channel", "step"), [(0, 0.2), (1, 0.2), (2, 1.0)])
def test_guidance_bins_round_as_python_does_for_every_decimal_scale(channel, step):
    scales = [round(-1 + 0.01 * i, 2) for i in range(801)]
    guidance = np.ones((len(scales), 3), np.float32)
    guidance[:, channel] = scales
    rows = len(scales)
    ids = conditioning_ids(
        TINY, jnp.full((rows, 12), -1), jnp.full((rows, 128), -1, jnp.int8), jnp.full(rows, -1), jnp.asarray(guidance)
    )
    got = (np.asarray(ids)[:, 141 + channel] - 7).tolist()
    assert got == [scale_to_bin(scale, step) for scale in scales]
    assert got[0] == 0
    assert got[-1] == round(8 / step)


def test_halfway_scales_go_to_the_even_bin_or_where_float64_puts_them():
    assert [scale_to_bin(s, 0.2) for s in (-0.9, -0.7, 0.1, 0.3, 0.5)] == [0, 2, 6, 6, 8]
    assert [scale_to_bin(s, 1.0) for s in (-0.5, 0.5, 1.5)] == [0, 2, 2]


def test_top_bins_read_the_first_row_of_the_next_block():
    offsets = regular_offsets()
    assert len(offsets) == REGULAR_CHANNELS == 132
    assert offsets[-4:].tolist() == [1408, 1417, 1464, 1511]
    rows = ids_of(guidance=(7.0, 7.0, 7.0))[12:] + offsets
    assert rows[-3] == offsets[-2]
    assert rows[-2] == offsets[-1]
    assert rows[-1] == 1526 < REGULAR_ROWS


def test_the_number_of_style_levels_heard_is_a_setting():
    ids = ids_of(style=range(12), config=dataclasses.replace(TINY, style_levels_used=6))
    assert ids[:12].tolist() == [7, 8, 9, 10, 11, 12] + [MASK_ID] * 6


def test_nothing_out_of_range_reaches_a_table():
    low = ids_of(style=[-9] * 12, notes=[-100] * 128, drums=-7, guidance=(-50.0, float("-inf"), float("nan")))
    high = ids_of(style=[99_999] * 12, notes=[100] * 128, drums=9, guidance=(50.0, float("inf"), 50.0))
    assert low.tolist() == [MASK_ID] * 141 + [7, 7, 7]
    assert high.tolist() == [1030] * 12 + [10] * 128 + [8, 47, 47, 15]
    params = load_params(TINY, draw_weights(TINY, 0))
    assert bool(jnp.all(jnp.isfinite(encode(TINY, params.encoder, jnp.asarray([low, high])))))


def test_a_smaller_style_codebook_clamps_codes_to_its_own_range():
    small = dataclasses.replace(TINY, style_codebook=16)
    assert ids_of(style=[1023], config=small)[0] == 15 + 7


def test_encoder_follows_the_plain_computation():
    flat = draw_weights(TINY, 3)
    rng = np.random.default_rng(0)
    ids = np.stack(
        [
            ids_of(),
            ids_of(guidance=(7.0, 7.0, 7.0)),
            ids_of(rng.integers(0, 1024, 12), rng.integers(-1, 4, 128), 0, (-1.0, 0.1, 6.9)),
        ]
    )
    wanted, _, _ = whole_sequence(TINY, flat, ids, np.zeros((3, TINY.levels), int))
    got = encode(TINY, load_params(TINY, flat).encoder, jnp.asarray(ids))
    np.testing.assert_allclose(got, wanted, atol=2e-6)
