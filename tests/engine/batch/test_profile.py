# SPDX-License-Identifier: Apache-2.0
"""What is timed apart is what is served: parts make what the programs make, and memory is what the arrays hold."""

from __future__ import annotations

import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "laws"))

from law_models import LAW_MODELS, build, style
from tiny_model import LEVELS, WINDOW, PlainMastering

from segue_engine.assemble_profile import _step_parts, examine, resized
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.frame import Frame, unpack
from segue_engine.batch.memory import measure_memory
from segue_engine.batch.profile import FEWEST_RUNS, Profile, _parts
from segue_engine.batch.rows import FRAME, HostRows
from segue_engine.frame_model import StepRows
from segue_engine.models.magenta_rt_2 import MagentaRT2
from segue_engine.models.magenta_rt_2.config import BASE, SMALL

HASTY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
APART = ("magenta_rt_2", "starter")


@cache
def model_of(name: str) -> Any:
    return LAW_MODELS[name]().model


def inputs(model: Any, count: int) -> np.ndarray:
    """Packed inputs of due rows, each under a conditioning of its own."""
    rows = HostRows(count, model.default_sampling)
    for row in range(count):
        rows.start(row, 7 + row, style(row))
    rows.due[:] = 1
    return rows.packed


@pytest.mark.parametrize("name", APART)
def test_begin_and_finish_make_what_a_step_makes(name: str) -> None:
    model = model_of(name)
    parts = _step_parts(model)
    assert parts is not None

    def both(params: Any, rings: Any, packed: Any) -> Any:
        rows = unpack(packed)[0]
        whole, codes = model.step(params, rings, rows, guided=False)
        begun, handed = parts.begin(params, rings, rows)
        return whole, codes, begun, parts.finish(params, rows, handed)

    packed, rings = inputs(model, 2), model.init_rings(2, 3)
    # compiled in a hurry: it is equality that counts
    program = jax.jit(both).lower(model.params, rings, packed).compile(HASTY)
    for frame in range(20):
        packed[:, FRAME] = frame
        rings, codes, begun, drawn = program(model.params, rings, packed.copy())
        np.testing.assert_array_equal(drawn, codes)
        # all but the ring of codes, which are made only afterwards
        same = jax.tree.map(np.array_equal, begun._replace(codes=()), rings._replace(codes=()))
        assert all(jax.tree.leaves(same))


@pytest.mark.parametrize("name", APART)
@pytest.mark.parametrize("rewind", [0, 13])
def test_ring_formula(name: str, rewind: int) -> None:
    model = model_of(name)
    parts = _step_parts(model)
    assert parts is not None
    assert sum(parts.ring_bytes(rewind).values()) == nbytes(partial(model.init_rings, 1, rewind))


@pytest.mark.parametrize("config", [SMALL, BASE])
def test_ring_formula_at_published_sizes(config: Any) -> None:
    codec = model_of("magenta_rt_2")._codec
    model = MagentaRT2(config, None, codec, "none")
    parts = _step_parts(model)
    assert parts is not None
    assert sum(parts.ring_bytes(250).values()) == nbytes(partial(model.init_rings, 1, 250))
    assert parts.settings() == {"dtype": "float32", "codec": "float32"}


def test_codec_then_mastering_is_sound() -> None:
    model = model_of("tiny")
    frame = Frame(model, PlainMastering(), 0)
    _, _, codec, master = _parts(frame, None)
    packed, codes = inputs(model, 2), np.arange(8, dtype=np.int32).reshape(2, 4) * 100
    carried, out = jax.jit(frame.sound)(frame.fresh_carried(2), model.params, codes, packed)

    @jax.jit
    def apart(codec_state: Any, mastering_state: Any) -> Any:
        codec_state, audio = codec.function(codec_state, model.params, codes, packed)
        mastering_state, audio = master.function(mastering_state, model.params, audio, packed)
        return codec_state, mastering_state, audio

    *state, audio = apart(codec.fresh(2), master.fresh(2))
    np.testing.assert_allclose(out[:, :3840] / 32767.0, audio.reshape(2, -1), atol=1e-4)
    for one, other in zip(jax.tree.leaves(state), jax.tree.leaves(tuple(carried)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def spread() -> SlotEngine:
    """Two banks of four rows."""
    return build(LAW_MODELS["tiny"](), slots=7, bank_rows=4, sizes=(2, 4), side_cost=2)


def test_dispatches_are_those_of_a_step(spread: SlotEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile(spread, None)
    with pytest.raises(ValueError, match=r"slots: expected 1\.\.8"):
        profile.dispatches(9)
    ran: list[tuple[int, int]] = []

    def spied(bank: Any, index: int) -> Any:
        run = bank._run

        def spy(start: int, size: int, *rest: Any) -> Any:
            ran.append((index, size))
            return run(start, size, *rest)

        return spy

    for index, bank in enumerate(spread._banks):
        monkeypatch.setattr(bank, "_run", spied(bank, index))
    for slots in range(1, 8):
        spread.insert(slots, style(slots))
        ran.clear()
        spread.step()
        assert ran == profile.dispatches(slots)
    spread.flush()
    for handle in spread.handles():
        spread.release(handle)


def test_every_part_is_timed(spread: SlotEngine) -> None:
    profile = Profile(spread, None)
    assert profile.names == [("codes", ""), ("sound", ""), ("codec", "sound"), ("mastering", "sound")]
    times = list(profile.measure(6, seconds=0.0))
    assert [(part.name, part.within) for part in times] == profile.names
    for part in times:
        assert (part.slots, part.rows, part.runs) == (6, (4, 2), FEWEST_RUNS)
        assert 0 < part.p50_ms <= part.p95_ms


class TinyParts:
    """TinyModel taken apart, roughly, and its rings by formula."""

    names = ("begin", "finish")

    def begin(self, params: Any, rings: Any, rows: StepRows) -> tuple[Any, Any]:
        return rings, {"frame": rows.frame + 1}

    def finish(self, params: Any, rows: StepRows, handed: Any) -> jax.Array:
        return jnp.tile(handed["frame"][:, None], (1, LEVELS))

    def ring_bytes(self, rewind: int) -> dict[str, int]:
        return {"codes": (WINDOW + rewind) * LEVELS * 4, "first code": (WINDOW + rewind) * 4}

    def settings(self) -> dict[str, str]:
        return {}


def test_a_step_taken_apart(spread: SlotEngine) -> None:
    profile = Profile(spread, TinyParts())
    assert profile.names[:3] == [("codes", ""), ("begin", "codes"), ("finish", "codes")]
    profile.compile([1, 5])
    assert [part.name for part in profile.measure(5, seconds=0.0)] == [name for name, _ in profile.names]


def test_memory_by_formula(spread: SlotEngine) -> None:
    memory = measure_memory(spread, TinyParts())
    rings, codec, mastering, kept = memory.groups
    assert rings.measured == rings.expected == (WINDOW + 12) * (LEVELS + 1) * 4
    assert (codec.expected, mastering.expected) == (None, None)
    assert kept.measured == kept.expected == spread.config.kept * (codec.measured + mastering.measured)
    assert memory.session == spread.info.bytes_per_slot


def test_a_model_that_is_not_known(spread: SlotEngine) -> None:
    found = examine(spread)
    assert found is not None
    assert found.memory.session == spread.info.bytes_per_slot
    assert found.memory.groups[0].expected is None
    assert found.memory.weights == 4
    assert (found.device["platform"], found.device["count"], found.settings) == ("cpu", 1, {})
    assert found.profile.names == Profile(spread, None).names


def test_an_engine_is_warmed_up_first() -> None:
    engine = SlotEngine(model_of("tiny"), PlainMastering(), SlotEngineConfig(slots=1))
    with pytest.raises(ValueError, match="warmed up"):
        Profile(engine, None)
    with pytest.raises(ValueError, match="warmed up"):
        measure_memory(engine, None)


def test_resized() -> None:
    model = model_of("tiny")
    one_bank = SlotEngine(model, PlainMastering(), SlotEngineConfig(slots=512, bank_rows=512, sizes=(8, 32)))
    engine = resized(one_bank, (1, 16, 64), 5)
    assert isinstance(engine, SlotEngine)
    assert (engine.info.slots, engine.info.rewind_frames, engine.config.banks) == (64, 5, 1)
    assert engine.config.step_sizes == (1, 16, 64)
    banks = SlotEngine(model, PlainMastering(), SlotEngineConfig(slots=8, bank_rows=4, sizes=(2, 4)))
    engine = resized(banks, (1, 8), 0)
    assert isinstance(engine, SlotEngine)
    assert (engine.config.banks, engine.config.step_sizes) == (2, (1, 2, 4))
    fake = FakeEngine()
    assert resized(fake, (1,), 0) is fake
    assert examine(fake) is None
    with pytest.raises(TypeError, match="engine"):
        resized(object(), (1,), 0)  # type: ignore[arg-type]


def nbytes(fresh: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(jax.eval_shape(fresh)))
