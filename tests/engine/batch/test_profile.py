# SPDX-License-Identifier: Apache-2.0
"""What is timed apart is what is served: parts make what the programs make, and memory is what the arrays hold."""

from __future__ import annotations

import sys
from dataclasses import replace
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
from segue_engine.batch.profile import FEWEST_RUNS, Profile, _at_frame, _parts
from segue_engine.batch.profile_passes import FEWEST_CHUNKS, PassProfile
from segue_engine.batch.programs import Programs
from segue_engine.batch.rows import HostRows
from segue_engine.frame_model import StepRows
from segue_engine.models import magenta_rt_1
from segue_engine.models.magenta_rt_2 import MagentaRT2
from segue_engine.models.magenta_rt_2.config import BASE, SMALL

HASTY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
APART = ("magenta_rt_1", "magenta_rt_2", "starter")

CHUNK = 5  # frames of the tiny Magenta RT 1's


@cache
def model_of(name: str) -> Any:
    return LAW_MODELS[name]().model


def inputs(model: Any, count: int) -> HostRows:
    """Due rows, each under a conditioning of its own."""
    rows = HostRows(count, model.default_sampling)
    for row in range(count):
        rows.start(row, 7 + row, style(row))
    rows.due[:] = 1
    return rows


def led(model: Any, rings: Any) -> Any:
    """The rings, where the model has an encoder as if its passes had come to something, other for each branch."""
    if model.encoder is None:
        return rings
    random = np.random.default_rng(3)
    source = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape, leaf.dtype), rings.chunk.source)
    return rings._replace(chunk=rings.chunk._replace(source=source))


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

    given, rings = inputs(model, 2), led(model, model.init_rings(2, 3))
    if not model.two_pass_guidance:
        given.guidance[:, 0] = (4.0, 0.5)
    # compiled in a hurry: it is equality that counts
    program = jax.jit(both).lower(model.params, rings, given.packed).compile(HASTY)
    for frame in range(20):
        rings, codes, begun, drawn = program(model.params, rings, _at_frame(given, frame, CHUNK))
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


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        *((MagentaRT2, config) for config in (SMALL, BASE)),
        *((magenta_rt_1.MagentaRT1, config) for config in (magenta_rt_1.BASE, magenta_rt_1.LARGE)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_ring_formula_at_published_sizes(kind: Any, config: Any) -> None:
    codec = model_of("magenta_rt_2")._codec
    model = kind(config, None, codec, "none")
    parts = _step_parts(model)
    assert parts is not None
    assert sum(parts.ring_bytes(250).values()) == nbytes(partial(model.init_rings, 1, 250))
    assert parts.settings() == {"dtype": "float32", "codec": "float32"}


@pytest.mark.parametrize(
    ("config", "megabytes"), [(magenta_rt_1.BASE, (123.6, 6.1)), (magenta_rt_1.LARGE, (164.8, 8.2))]
)
def test_what_a_chunk_takes(config: Any, megabytes: tuple[float, float]) -> None:
    """The specification's own count, in bfloat16: keys and values of the source, and of the chunk's frames."""
    model = magenta_rt_1.MagentaRT1(replace(config, compute_dtype="bfloat16"), None, model_of("tiny"), "none")  # type: ignore[arg-type]
    parts = _step_parts(model)
    assert parts is not None
    source, own, _ = parts.ring_bytes(0).values()
    assert (round(source / 1e6, 1), round(own / 1e6, 1)) == megabytes


def test_codec_then_mastering_is_sound() -> None:
    model = model_of("tiny")
    frame = Frame(model, PlainMastering(), 0)
    _, _, codec, master = _parts(frame, None)
    packed, codes = inputs(model, 2).packed, np.arange(8, dtype=np.int32).reshape(2, 4) * 100
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
        run = bank.run

        def spy(start: int, size: int, *rest: Any) -> Any:
            ran.append((index, size))
            return run(start, size, *rest)

        return spy

    for index, bank in enumerate(spread._banks):
        monkeypatch.setattr(bank, "run", spied(bank, index))
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


@pytest.mark.parametrize("spread", [False, True])
def test_banks_are_occupied_as_they_are_told(spread: bool) -> None:
    config = SlotEngineConfig(slots=7, bank_rows=4, spread=spread)
    assert config.occupied(5) == ([3, 2] if spread else [4, 1])
    for slots in range(8):
        held = config.occupied(slots)
        assert sum(held) == slots
        assert max(held) <= config.rows


@pytest.fixture(scope="module")
def chunked() -> SlotEngine:
    """Magenta RT 1 in two banks of two rows, all on one device."""
    return build(LAW_MODELS["magenta_rt_1"](), slots=3, bank_rows=2, sizes=(2,))


def test_passes_are_the_engines(chunked: SlotEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = chunked._model.encoder
    assert encoder is not None
    passes, ran = PassProfile(chunked, encoder), []
    asked = Programs.__getitem__

    def spy(programs: Programs, name: str) -> Any:
        ran.append(name)
        return asked(programs, name)

    monkeypatch.setattr(Programs, "__getitem__", spy)
    times = passes.measure((1, 3), seconds=0.0)
    one = ["pass begin 2", *["pass go on"] * encoder.pieces, "pass finish", "pass land 2"]
    # once to warm up, then all chunks as a whole and all in pieces
    assert ran == ["fresh"] + one * len(encoder.passes) * (1 + 2 * FEWEST_CHUNKS)
    assert (times.frames, times.passes, times.pieces) == (CHUNK, 2, encoder.pieces)
    assert times.chunk.runs == FEWEST_CHUNKS
    assert times.finish.runs == 2 * FEWEST_CHUNKS
    assert times.piece.runs == 2 * FEWEST_CHUNKS * encoder.pieces
    for share in times.shares:
        assert share.ms == pytest.approx(share.slots * times.chunk.p50_ms / CHUNK, abs=1e-3)


def test_passes_of_banks_on_other_devices_run_beside(chunked: SlotEngine) -> None:
    assert chunked._model.encoder is not None
    passes = PassProfile(chunked, chunked._model.encoder)
    assert [passes.busiest(slots) for slots in (1, 2, 3)] == [1, 2, 3]
    passes._devices = ["first", "second"]
    assert [passes.busiest(slots) for slots in (1, 2, 3, 4)] == [1, 2, 2, 2]


def test_an_encoder_in_chunks(chunked: SlotEngine) -> None:
    found = examine(chunked)
    assert found is not None
    assert found.passes is not None
    assert [name for name, within in found.profile.names if within == "codes"] == ["temporal", "depth"]
    assert [part.rows for part in found.profile.measure(3, seconds=0.0)] == [(2, 2)] * 6
    rings = found.memory.groups[0]
    assert rings.measured == rings.expected


def test_rows_are_at_places_of_their_own() -> None:
    rows = inputs(model_of("tiny"), 3)
    for frame in (3, 10_000):
        at = _at_frame(rows, frame, CHUNK)
        rows.packed[:] = at
        places = (rows.frame - rows.begun).tolist()
        assert sorted(set(places)) == sorted(places)
        assert set(places) <= set(range(CHUNK))


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
    assert found.passes is None
    assert found.memory.weights == 4
    assert (found.device["platform"], found.device["count"], found.settings) == ("cpu", 1, {})
    assert found.profile.names == Profile(spread, None).names


def test_an_engine_is_warmed_up_first() -> None:
    engine = SlotEngine(model_of("tiny"), PlainMastering(), SlotEngineConfig(slots=1))
    with pytest.raises(ValueError, match="warmed up"):
        Profile(engine, None)
    with pytest.raises(ValueError, match="warmed up"):
        measure_memory(engine, None)
    chunks = model_of("magenta_rt_1")
    engine = SlotEngine(chunks, PlainMastering(), SlotEngineConfig(slots=1))
    with pytest.raises(ValueError, match="warmed up"):
        PassProfile(engine, chunks.encoder)


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
