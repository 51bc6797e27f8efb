# SPDX-License-Identifier: Apache-2.0
"""The chain's contract: delay, masking, independent rows, faults, gain without clicks, targets over a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from segue_engine.contract import FRAME_SAMPLES
from segue_engine.mastering import METRICS, Mastering, MasteringState
from segue_engine.mastering.measure import find_clicks, integrated_lufs, true_peak_dbtp

ROWS = 4
RATE = 48_000
Audio = NDArray[np.float32]
ALL = np.ones(ROWS, np.bool_)
FLAT = np.tile(np.float32([0, -1]), (ROWS, 1))


@cache
def mastering() -> Mastering:
    return Mastering(loudness_lufs=-18.0)


@cache
def apply() -> Callable[..., tuple[MasteringState, jax.Array]]:
    return jax.jit(mastering().apply)


def noise(frames: int, seed: int = 0, level: float = 0.1) -> Audio:
    """[frames, ROWS, 1920, 2]"""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(frames, ROWS, FRAME_SAMPLES, 2)) * level).astype(np.float32)


def run(blocks: Audio, gains: NDArray[np.floating] | None = None) -> tuple[MasteringState, Audio]:
    """blocks[frames, ROWS, 1920, 2], gains[frames] → state, audio[ROWS, frames · 1920, 2]."""
    state = mastering().init(ROWS)
    out = []
    for index, block in enumerate(blocks):
        gain = FLAT if gains is None else np.tile(np.float32([gains[index], -1]), (ROWS, 1))
        state, made = apply()(state, block, gain, ALL)
        out.append(np.asarray(made))
    return state, np.concatenate(out, axis=1)


def leaves(state: MasteringState) -> list[NDArray[np.generic]]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def test_every_leaf_has_the_row_axis_first_and_fresh_rows_are_alike() -> None:
    for leaf in leaves(mastering().init(ROWS)):
        assert leaf.shape[0] == ROWS
        assert all(np.array_equal(leaf[0], row) for row in leaf)
    assert mastering().bytes_per_row == sum(leaf.nbytes for leaf in leaves(mastering().init(1)))


def test_output_is_the_input_that_many_samples_later() -> None:
    blocks = np.zeros((3, ROWS, FRAME_SAMPLES, 2), np.float32)
    blocks[1, :, 1900] = 0.25
    _, out = run(blocks)
    assert set(np.argmax(np.abs(out), axis=1).ravel().tolist()) == {FRAME_SAMPLES + 1900 + mastering().delay_samples}


def test_rows_not_due_stay_bit_identical_and_silent() -> None:
    state, _ = run(noise(3))
    before = leaves(state)
    due = np.array([True, False, True, False])
    garbage = noise(1, seed=9, level=5.0)[0]
    garbage[3] = np.nan
    state, out = apply()(state, garbage, np.full((ROWS, 2), np.nan, np.float32), due)
    for old, new in zip(before, leaves(state), strict=True):
        assert np.array_equal(old[~due], new[~due])
    assert any(not np.array_equal(old[due], new[due]) for old, new in zip(before, leaves(state), strict=True))
    assert not np.asarray(out)[~due].any()
    assert np.all(np.isfinite(np.asarray(out)))


def test_a_row_never_hears_its_neighbours() -> None:
    mine = noise(6, seed=1)
    strangers = noise(6, seed=2, level=3.0)
    strangers[2, 1] = np.inf
    strangers[:, 2] = mine[:, 2]
    _, alone = run(mine)
    _, among = run(strangers)
    np.testing.assert_array_equal(alone[2], among[2])


def test_same_input_same_bytes() -> None:
    _, first = run(noise(4, seed=3, level=1.0))
    _, second = run(noise(4, seed=3, level=1.0))
    assert first.tobytes() == second.tobytes()


def test_fault_is_silence_and_is_over_when_it_is_over() -> None:
    blocks = noise(12, seed=4)
    blocks[5, 0, 7, 1] = np.nan
    state, out = run(blocks)
    _, clean = run(noise(12, seed=4))
    delay = mastering().delay_samples
    assert not out[0, 5 * FRAME_SAMPLES + delay : 6 * FRAME_SAMPLES + delay].any()
    np.testing.assert_array_equal(out[1:], clean[1:])
    np.testing.assert_allclose(out[0, 7 * FRAME_SAMPLES :], clean[0, 7 * FRAME_SAMPLES :], rtol=0.05, atol=5e-3)
    faults = np.asarray(mastering().metrics(state))[:, METRICS.index("fault_frames")]
    assert faults.tolist() == [1, 0, 0, 0]


def test_state_stays_finite_under_abuse() -> None:
    rng = np.random.default_rng(6)
    state = mastering().init(ROWS)
    for index in range(200):
        block = noise(1, seed=index, level=float(10.0 ** rng.uniform(-12, 12)))[0]
        if index % 7 == 0:
            block[index % ROWS, :: 1 + index] = rng.choice([np.nan, np.inf, -np.inf, 3e38])
        levels = rng.choice([np.nan, np.inf, -1e9, 12.0, 0.0], (ROWS, 2)).astype(np.float32)
        state, out = apply()(state, block, levels, rng.random(ROWS) < 0.8)
        assert np.all(np.abs(np.asarray(out)) <= 1.0), "no ceiling is above full scale"
    assert all(np.all(np.isfinite(leaf)) for leaf in leaves(state))
    assert np.all(np.isfinite(np.asarray(mastering().metrics(state))))


def test_gain_of_a_style_is_applied_without_a_click() -> None:
    time = np.arange(100 * FRAME_SAMPLES) / RATE
    tone = np.repeat((0.15 * np.sin(2 * np.pi * 330 * time))[:, None], 2, axis=1).reshape(100, 1, FRAME_SAMPLES, 2)
    blocks = np.repeat(tone, ROWS, axis=1).astype(np.float32)
    steps = np.where(np.arange(100) // 10 % 2 == 0, 0.0, -24.0)
    _, plain = run(blocks)
    _, out = run(blocks, steps)
    # Its own start out of silence is a kink.
    assert len(find_clicks(out[0, FRAME_SAMPLES:])) == 0
    body = slice(15 * FRAME_SAMPLES, 19 * FRAME_SAMPLES)
    drop = 20 * np.log10(np.std(out[0, body]) / np.std(plain[0, body]))
    assert drop == pytest.approx(-24.0, abs=0.1), "the rider does not undo what a style intends"


def test_a_fresh_row_begins_with_its_gain() -> None:
    blocks = np.full((1, ROWS, FRAME_SAMPLES, 2), 0.1, np.float32)
    _, out = run(blocks, np.array([-6.0]))
    first = out[0, mastering().delay_samples, 0]
    assert first == pytest.approx(0.1 * 10 ** (-6 / 20), rel=0.02)


def test_a_session_meets_loudness_and_peak_targets() -> None:
    rng = np.random.default_rng(8)
    frames = 25 * 60
    time = np.arange(frames * FRAME_SAMPLES) / RATE
    beat = np.exp(-8 * (time % 0.5)) * np.sin(2 * np.pi * 60 * time)
    pad = lfilter([0.02], [1, -0.98], rng.normal(size=time.size))
    raw = (beat + 4 * pad)[:, None] * np.array([1.0, 0.8])
    raw /= np.sqrt(np.mean(raw**2))
    levels = np.array([0.01, 0.05, 0.2, 0.5])
    blocks = (raw.reshape(frames, 1, FRAME_SAMPLES, 2) * levels[:, None, None]).astype(np.float32)
    state, out = run(blocks)
    metrics = np.asarray(mastering().metrics(state))
    for row in range(ROWS):
        wanted = -18.0 - metrics[row, METRICS.index("integrated_lufs")]
        if abs(wanted) < 12.0:
            assert integrated_lufs(out[row, 10 * RATE :]) == pytest.approx(-18.0, abs=1.0), row
        assert true_peak_dbtp(out[row]) <= -1.0
        assert len(find_clicks(out[row])) == 0
    assert metrics[:, METRICS.index("rider_db")].tolist() == sorted(metrics[:, METRICS.index("rider_db")], reverse=True)


def test_metrics_are_as_documented() -> None:
    blocks = noise(30, seed=2)
    blocks[:, 1] = 0.0
    blocks[:, 2] *= 100
    blocks[:, 3] += 0.3
    state, _ = run(blocks)
    metrics = np.asarray(mastering().metrics(state))
    assert metrics.shape == (ROWS, len(METRICS))
    assert metrics.dtype == np.float32
    reading = {name: metrics[:, index] for index, name in enumerate(METRICS)}
    assert reading["silent_s"] == pytest.approx([0, 1.2, 0, 0])
    assert reading["over_range_frames"].tolist() == [0, 0, 30, 0]
    assert reading["offset"][3] > 0.15
    assert reading["reduction_db"][2] > 6 > reading["reduction_db"][0]
    assert reading["momentary_lufs"][0] == pytest.approx(reading["integrated_lufs"][0], abs=0.5)
    assert not reading["fault"].any()


def test_wrong_shapes_and_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="audio"):
        mastering().apply(mastering().init(1), jnp.zeros((1, 960, 2)), jnp.zeros((1, 2)), jnp.ones(1, bool))
    with pytest.raises(ValueError, match="loudness_lufs"):
        Mastering(loudness_lufs=3.0)
    with pytest.raises(ValueError, match="loudness_lufs"):
        Mastering(loudness_lufs=float("nan"))
    with pytest.raises(TypeError):
        Mastering(loudnes=-18.0)
