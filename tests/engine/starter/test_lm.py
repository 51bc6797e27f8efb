# SPDX-License-Identifier: Apache-2.0
"""The language model: a stream computes what training computes, and keeps the laws of the engine."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from segue_engine.frame_model import StepRows
from segue_engine.models.starter import tokens
from segue_engine.models.starter.clock import StarterClock
from segue_engine.models.starter.composer import Composer, lead_line, piano_roll
from segue_engine.models.starter.lm import streaming
from segue_engine.models.starter.lm.config import STYLE_WIDTH, LMConfig
from segue_engine.models.starter.lm.embeddings import look_up
from segue_engine.models.starter.lm.heads import continuation, read_roll
from segue_engine.models.starter.lm.history import delta_of, previous_of, taps_of
from segue_engine.models.starter.lm.inputs import FrameInputs
from segue_engine.models.starter.lm.params import init_params
from segue_engine.models.starter.training.loss import sequence_logits
from segue_engine.styles.tags import tag_vector

TINY = LMConfig(
    width=24, layers=2, heads=2, hidden=32, window=16, depth_width=16, depth_layers=1, depth_heads=2, depth_hidden=24,
    style_hidden=16, delta_hidden=8, gate_offset=0.0, grammar=False,
)  # fmt: skip
FRAMES = 150
REWIND = 12  # one shape everywhere: compiling is what takes time here


@pytest.fixture(scope="module")
def params() -> Any:
    """Random parameters, gates and all, so that every path matters."""
    rng = np.random.default_rng(4)
    return jax.tree.map(lambda x: x + 0.1 * rng.standard_normal(x.shape).astype(np.float32), init_params(TINY, 3))


@pytest.fixture(scope="module")
def books() -> np.ndarray:
    return np.random.default_rng(5).normal(0, 0.1, (12, 1024, STYLE_WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def serving(params: Any, books: np.ndarray) -> streaming.Serving:
    return streaming.serving_params(params, books)


def rows_at(frame: int, count: int, rng_seed: int = 0, **changes: Any) -> StepRows:
    rng = np.random.default_rng([rng_seed, 9])
    rows = StepRows(
        due=np.ones(count), frame=np.full(count, frame), seed=rng.integers(0, 1 << 32, (count, 2)),
        style_codes=rng.integers(0, 1024, (count, 12)), notes=np.full((count, 128), -1), drums=np.full(count, -1),
        guidance=np.ones((count, 3)), temperature=np.full(count, 0.95), top_k=np.zeros(count),
        min_p=np.full(count, 0.04),
    )  # type: ignore[arg-type]  # fmt: skip
    rows = rows._replace(**changes)
    kinds = (bool, np.int32, np.uint32, np.int32, np.int8, np.int32, *(np.float32,) * 2, np.int32, np.float32)
    return StepRows(*(np.asarray(leaf, kind) for leaf, kind in zip(rows[:-1], kinds, strict=True)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def piece() -> dict[str, np.ndarray]:
    """Two pieces at the fastest tempo, so that taps of four bars occur, with styles that move and a masked span."""
    fast = np.tile(tag_vector({"chiptune": 1.0, "fast": 0.8}), (FRAMES, 1))
    made = [Composer(seed).run(fast) for seed in range(2)]
    assert all((tokens.CLOCK_FRAMES[m[:, 0]] == 2).all() for m in made)
    rng = np.random.default_rng(1)
    style = np.repeat(rng.integers(0, 1024, (2, 5, 12)), FRAMES // 5, axis=1)
    style[0, 60:66] = -1
    notes = np.stack([piano_roll(lead_line(m)) for m in made])
    notes[1, 40:] = -1
    drums = rng.integers(-1, 2, (2, FRAMES))
    return {"codes": np.stack(made).astype(np.int32), "style": style,
            "notes": notes.astype(np.int8), "drums": drums.astype(np.int32)}  # fmt: skip


def whole_inputs(piece: dict[str, np.ndarray], books: np.ndarray) -> FrameInputs:
    out = []
    for codes, style, notes, drums in zip(*(piece[k] for k in ("codes", "style", "notes", "drums")), strict=True):
        vector = np.where(style[..., None] >= 0, books[np.arange(12), np.maximum(style, 0)], 0).sum(1)
        known = style[:, 0] >= 0
        delta = delta_of(vector.astype(np.float32), 0, FRAMES)
        past = np.concatenate([np.zeros(24, bool), known[:-24]])
        delta[~(known & past)] = 0
        taps, tapped = taps_of(codes, 0, FRAMES)
        start = np.arange(FRAMES) == 0
        out.append((previous_of(codes, 0, FRAMES), start, taps, tapped, vector, known, delta, drums, notes))
    return FrameInputs(*(jnp.asarray(np.stack(leaves)) for leaves in zip(*out, strict=True)))


@partial(jax.jit, static_argnames="guided")
def forced_step(
    serving: streaming.Serving, rings: streaming.Rings, rows: StepRows, codes: jax.Array, guided: bool = False
) -> tuple[streaming.Rings, list[jax.Array]]:
    seen: list[jax.Array] = []

    def draw(level: int, logits: jax.Array) -> jax.Array:
        seen.append(logits)
        return codes[:, level]

    rings, _ = streaming.step_with(TINY, serving, rings, rows, draw, guided=guided)
    return rings, seen


def piece_rows(piece: dict[str, np.ndarray], frame: int) -> StepRows:
    return rows_at(
        frame, 2, style_codes=jnp.asarray(piece["style"][:, frame]), notes=jnp.asarray(piece["notes"][:, frame]),
        drums=jnp.asarray(piece["drums"][:, frame]),
    )  # fmt: skip


@pytest.mark.parametrize("guided", [False, True])
def test_stream_equals_whole_sequence(
    params: Any, serving: streaming.Serving, books: np.ndarray, piece: dict[str, np.ndarray], guided: bool
) -> None:
    inputs = whole_inputs(piece, books)
    assert np.asarray(inputs.tapped).any(axis=(0, 1)).all()  # the piece exercises every lag
    selected = jnp.tile(jnp.arange(FRAMES), (2, 1))
    codes = jnp.asarray(piece["codes"])
    whole = jax.jit(lambda p: sequence_logits(p, TINY, inputs, codes, selected))(params)
    rings = streaming.init_rings(TINY, 2, rewind=REWIND)
    for frame in range(FRAMES):
        rings, logits = forced_step(serving, rings, piece_rows(piece, frame), codes[:, frame], guided)
        for level in range(tokens.LEVELS):
            wanted = whole[level].reshape(2, FRAMES, -1)[:, frame]
            np.testing.assert_allclose(logits[level], wanted, atol=2e-4, rtol=1e-4, err_msg=f"{frame} {level}")


def test_forcing_leaves_the_same_rings(serving: streaming.Serving, piece: dict[str, np.ndarray]) -> None:
    force = jax.jit(partial(streaming.force, TINY))
    stepped = forced = streaming.init_rings(TINY, 2, rewind=REWIND)
    for frame in range(40):
        rows, codes = piece_rows(piece, frame), jnp.asarray(piece["codes"][:, frame])
        stepped, _ = forced_step(serving, stepped, rows, codes)
        forced = force(serving, forced, rows, codes)
    for a, b in zip(jax.tree.leaves(stepped), jax.tree.leaves(forced), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def run(
    serving: streaming.Serving, rings: streaming.Rings, frames: range, count: int, **changes: Any
) -> tuple[Any, Any]:
    codes = []
    for frame in frames:
        rings, made = _step(serving, rings, rows_at(frame, count, **changes))
        codes.append(np.asarray(made))
    return rings, np.stack(codes)


_step = jax.jit(partial(streaming.step, TINY, guided=False))


def test_rewinding_generates_the_same_again(serving: streaming.Serving) -> None:
    rings, first = run(serving, streaming.init_rings(TINY, 2, rewind=REWIND), range(60), 2)
    astray, _ = run(serving, rings, range(60, 62), 2, drums=jnp.array([0, 1]))
    _, again = run(serving, astray, range(50, 62), 2)
    _, rest = run(serving, rings, range(60, 62), 2)
    np.testing.assert_array_equal(again, np.concatenate([first[50:], rest]))


def test_rows_not_due_are_untouched_and_rows_are_independent(serving: streaming.Serving) -> None:
    rings, _ = run(serving, streaming.init_rings(TINY, 2, rewind=REWIND), range(30), 2)
    due = jnp.array([True, False])
    after, codes = _step(serving, rings, rows_at(30, 2, due=due))
    for old, new in zip(jax.tree.leaves(rings), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(old[1], new[1])
        assert not np.array_equal(old[0], new[0])
    noisy = jax.tree.map(lambda x: x.at[1].set(x[0] + 1), rings)
    _, among_noise = _step(serving, noisy, rows_at(30, 2, due=due))
    np.testing.assert_array_equal(codes[0], among_noise[0])


def test_reused_row_remembers_nothing(serving: streaming.Serving) -> None:
    fresh = streaming.init_rings(TINY, 2, rewind=REWIND)
    used, _ = run(serving, fresh, range(25), 2, rng_seed=7)
    np.testing.assert_array_equal(run(serving, fresh, range(20), 2)[1], run(serving, used, range(20), 2)[1])


def test_guidance_of_one_is_plain_and_more_changes_logits(
    serving: streaming.Serving, piece: dict[str, np.ndarray]
) -> None:
    rings = streaming.init_rings(TINY, 2, rewind=REWIND)
    rows, codes = piece_rows(piece, 0), jnp.asarray(piece["codes"][:, 0])
    _, plain = forced_step(serving, rings, rows, codes)
    _, guided = forced_step(serving, rings, rows._replace(guidance=jnp.array([[1.0, 1, 1], [3.0, 1, 1]])), codes, True)
    for a, b in zip(plain, guided, strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=1e-4)
        assert np.abs(np.asarray(a[1] - b[1])).max() > 1e-3


def test_greedy_row_takes_the_best_code(serving: streaming.Serving) -> None:
    rings = streaming.init_rings(TINY, 2, rewind=REWIND)
    rows = rows_at(0, 2, temperature=jnp.zeros(2))
    _, codes = _step(serving, rings, rows)
    _, logits = forced_step(serving, rings, rows, codes)
    np.testing.assert_array_equal(codes, np.stack([np.argmax(x, -1) for x in logits], -1))


@partial(jax.jit, static_argnums=0)
def clock_step(config: LMConfig, serving: Any, rings: Any, rows: StepRows, clock: jax.Array) -> tuple[Any, jax.Array]:
    """A step whose codes are `clock` and zeros, and the clock's logits."""
    logits: list[jax.Array] = []

    def draw(level: int, values: jax.Array) -> jax.Array:
        logits.append(values)
        return clock if level == 0 else jnp.zeros(1, jnp.int32)

    return streaming.step_with(config, serving, rings, rows, draw, guided=False)[0], logits[0]


def test_gate_offset_acts_only_on_beats_while_the_style_moves(serving: streaming.Serving) -> None:
    codes = jnp.asarray(tokens.clock_code(1, np.arange(80) % 48))

    def clock_logits(config: LMConfig, jump_at: int) -> np.ndarray:
        rings, kept = streaming.init_rings(config, 1, rewind=REWIND), []
        for t in range(50):
            style = jnp.full((1, 12), 5 if t < jump_at else 900)
            rings, logits = clock_step(config, serving, rings, rows_at(t, 1, style_codes=style), codes[t : t + 1])
            kept.append(logits[0])
        return np.stack(kept)

    beat = 48  # three frames a step, twelve a beat
    armed = replace(TINY, gate_offset=2.0)
    change = clock_logits(TINY, 40) - clock_logits(armed, 40)
    successor = tokens.CLOCK_SUCCESSOR[int(codes[beat - 1])]
    assert change[beat, successor] == pytest.approx(2.0, abs=1e-4)
    change[beat, successor] = 0
    assert np.abs(change).max() < 1e-5
    assert np.abs(clock_logits(TINY, 99) - clock_logits(armed, 99)).max() < 1e-5


def test_look_up_gradient_is_that_of_a_gather() -> None:
    rng = np.random.default_rng(0)
    offsets, codes = (0, 5, 9), jnp.asarray(rng.integers(-1, 4, (6, 2)))
    table, by = jnp.asarray(rng.normal(size=(9, 3))), jnp.asarray(rng.normal(size=(6, 3)))

    def plain(t: jax.Array) -> jax.Array:
        parts = [jnp.where(codes[:, q, None] >= 0, t[codes[:, q] + offsets[q]], 0.0) for q in range(2)]
        return jnp.sum(by * sum(parts))

    def ours(t: jax.Array) -> jax.Array:
        return jnp.sum(by * look_up(t, codes, offsets))

    np.testing.assert_allclose(ours(table), plain(table), rtol=1e-5)
    np.testing.assert_allclose(jax.grad(ours)(table), jax.grad(plain)(table), atol=1e-6)


def test_dense_tables_sum_private_and_factor_vectors(params: Any, serving: streaming.Serving) -> None:
    table, factors = serving.tables, tokens.build_factors()
    part = params["tables"]["depth"]
    for code in (0, 319, 320, 1500, len(factors.columns) - 1):
        columns = factors.columns[code]
        wanted = part["private"][code] + part["factors"][columns[columns >= 0]].sum(0)
        np.testing.assert_allclose(table.depth[code], wanted, atol=1e-5)


def test_continuation_counts_bars_and_clock() -> None:
    last = tokens.clock_code(2, 63)
    assert int(continuation(tokens.CLOCK, jnp.int32(last), None)) == tokens.clock_code(2, 0)
    key = tokens.CODEBOOKS[tokens.KEY]
    before = jnp.int32(key.encode(tonic=3, mode=2, bar=7))
    assert int(continuation(tokens.KEY, before, jnp.int32(tokens.clock_code(1, 0)))) == key.encode(
        tonic=3, mode=2, bar=0
    )
    assert int(continuation(tokens.KEY, before, jnp.int32(tokens.clock_code(1, 1)))) == int(before)
    assert int(continuation(tokens.MIX, jnp.int32(9), None)) == 9


def test_roll_becomes_lead_pitches() -> None:
    key = jnp.int32(tokens.CODEBOOKS[tokens.KEY].encode(tonic=9, mode=0, bar=0))
    chord = jnp.int32(tokens.CODEBOOKS[tokens.CHORD].encode(root=7, quality=0, motif=0))
    notes = np.zeros(128, np.int8)
    notes[tokens.voice_midi(tokens.LEAD, 20, 9, 7)] = 2
    notes[tokens.voice_midi(tokens.LEAD, 31, 9, 7)] = 1
    notes[tokens.voice_midi(tokens.LEAD, 0, 9, 7)] = 3
    roll = read_roll(jnp.asarray(notes), key, chord)
    assert np.flatnonzero(roll.onset).tolist() == [0, 20]
    assert np.flatnonzero(roll.held).tolist() == [0, 31]
    assert bool(roll.present)
    assert not bool(read_roll(jnp.full(128, -1, jnp.int8), key, chord).present)


def test_clock_reads_beats_bars_and_tempo() -> None:
    codes = np.zeros((3, tokens.LEVELS), np.int16)
    codes[:, tokens.CLOCK] = tokens.clock_code(1, [0, 13, 47])
    codes[:, tokens.KEY] = tokens.CODEBOOKS[tokens.KEY].encode(tonic=1, mode=1, bar=[5, 5, 5])
    read = StarterClock().read(codes)
    assert read.on_bar.tolist() == [True, False, False]
    assert read.on_beat.tolist() == [True, False, False]
    assert read.beat.tolist() == [0, 1, 3]
    assert read.bar.tolist() == [5, 5, 5]
    assert read.bpm.tolist() == [125.0] * 3
    assert read.frames_to_beat.tolist() == [0, 11, 1]
    assert read.frames_to_bar.tolist() == [0, 35, 1]
    with pytest.raises(ValueError, match=r"clock codes in 0\.\.319"):
        StarterClock().read(np.full((1, tokens.LEVELS), 400))
