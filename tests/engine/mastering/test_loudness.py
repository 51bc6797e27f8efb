# SPDX-License-Identifier: Apache-2.0
"""The measure agrees with pyloudnorm; the rider arrives, rests, and never hurries."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter, sosfilt

from segue_engine.mastering.config import MasteringConfig
from segue_engine.mastering.kweighting import SOS, KWeighting
from segue_engine.mastering.loudness import Loudness, LoudnessState

RATE = 48_000
FRAME = 1920
CONFIG = MasteringConfig()


@cache
def loudness() -> Loudness:
    return Loudness(CONFIG)


@cache
def hear() -> Callable[[LoudnessState, jax.Array], LoudnessState]:
    return jax.jit(loudness().apply)


def ride(audio: NDArray[np.floating]) -> tuple[LoudnessState, NDArray[np.float64]]:
    """audio[rows, 2, n] → state at the end, rider's gain after each frame [frames, rows]."""
    state = loudness().init(audio.shape[0])
    gains = []
    for start in range(0, audio.shape[2] - FRAME + 1, FRAME):
        state = hear()(state, jnp.asarray(audio[:, :, start : start + FRAME], jnp.float32))
        gains.append(np.asarray(state.gain_db, np.float64))
    return state, np.array(gains)


def seconds(length: float) -> NDArray[np.float64]:
    return np.arange(int(length * 25) * FRAME) / RATE


def music(length: float, seed: int) -> NDArray[np.float64]:
    """Something like music: chords with decays, bass, noise hits, a quiet half and a rest."""
    rng = np.random.default_rng(seed)
    time = seconds(length)
    beat = time % 0.5
    bass = np.sin(2 * np.pi * 55 * time) * np.exp(-3 * beat) * 0.4
    chord = sum(np.sin(2 * np.pi * f * time + rng.uniform(0, 6)) for f in (220, 277.2, 329.6, 1318.5)) * 0.08
    hits = lfilter([1, -0.9], [1], rng.normal(size=time.size)) * np.exp(-40 * ((time + 0.25) % 0.5)) * 0.5
    level = np.where(time < length / 2, 1.0, 0.2) * (time % 4 < 3.4)
    left = (bass + chord + hits) * level
    right = (bass + np.roll(chord, 240) - 0.5 * hits) * level
    return np.stack([left, right])


def signals() -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(5)
    time = seconds(10)
    noise = rng.normal(size=(2, time.size)) * 0.1
    pink = np.stack([lfilter([0.05, -0.095, 0.05], [1, -2.49, 2.02, -0.52], row) for row in noise])
    return {
        "white noise": noise,
        "pink noise": pink,
        "bass 45 Hz": np.stack([0.5 * np.sin(2 * np.pi * 45 * time)] * 2),
        "tone 997 Hz, left only": np.stack([0.1 * np.sin(2 * np.pi * 997 * time), 0 * time]),
        "tone 7 kHz": np.stack([0.02 * np.sin(2 * np.pi * 7000 * time)] * 2),
        "tone with an offset": np.stack([0.3 + 0.1 * np.sin(2 * np.pi * 300 * time)] * 2),
        "music": music(10, 1),
        "music, then nothing": music(10, 2) * (time < 5),
        "faint": noise * 0.005,
    }


def test_k_filter_is_exact_across_frames() -> None:
    rng = np.random.default_rng(0)
    audio = rng.normal(size=(3, 2, FRAME * 4)) * 0.2 + 0.1
    expected = np.mean(sosfilt(SOS, audio, axis=-1).reshape(3, 2, 4, FRAME) ** 2, axis=-1)
    weighting = KWeighting(FRAME)
    memory = weighting.init(3)
    for frame in range(4):
        chunk = jnp.asarray(audio[:, :, frame * FRAME : (frame + 1) * FRAME], jnp.float32)
        memory, power = weighting.mean_square(memory, chunk)
        np.testing.assert_allclose(power, expected[:, :, frame], rtol=1e-4)


@pytest.mark.parametrize("samples", [0, 100, -48])
def test_k_filter_wants_whole_chunks(samples: int) -> None:
    with pytest.raises(ValueError, match="samples"):
        KWeighting(samples)


def test_integrated_loudness_agrees_with_pyloudnorm() -> None:
    cases = signals()
    state, _ = ride(np.stack(list(cases.values())))
    measured = np.asarray(loudness().read(state).integrated)
    meter = pyloudnorm.Meter(RATE)
    for (name, audio), ours in zip(cases.items(), measured, strict=True):
        assert ours == pytest.approx(meter.integrated_loudness(audio.T), abs=0.3), name


def test_silence_is_at_the_gate() -> None:
    state, gains = ride(np.zeros((1, 2, FRAME * 50)))
    reading = loudness().read(state)
    assert float(reading.integrated[0]) == -70.0
    assert float(reading.momentary[0]) < -90.0
    assert not gains.any(), "no music, no move"


def test_rider_brings_any_level_to_the_target() -> None:
    levels = np.array([-30.0, -26.0, -18.0, -12.0, -8.0])
    base = music(12, 3)[:, : 6 * RATE]
    base *= 10 ** ((CONFIG.loudness_lufs - pyloudnorm.Meter(RATE).integrated_loudness(base.T)) / 20)
    session = np.tile(base, (1, 10))
    scaled = session * (10 ** ((levels - CONFIG.loudness_lufs) / 20))[:, None, None]
    _, gains = ride(scaled)
    ramped = np.repeat(gains.T[:, None, :], FRAME, axis=2)
    heard = scaled * 10 ** (ramped / 20)
    meter = pyloudnorm.Meter(RATE)
    for level, row, gain in zip(levels, heard, gains.T, strict=True):
        assert meter.integrated_loudness(row[:, 10 * RATE :].T) == pytest.approx(CONFIG.loudness_lufs, abs=1.0), level
        assert gain[-1] == pytest.approx(CONFIG.loudness_lufs - level, abs=0.8), level
        assert np.max(np.abs(np.diff(gain, prepend=0.0))) * 25 <= CONFIG.early_rate_db_s + 1e-3
        # Once there it rests: no pumping with the music.
        assert np.ptp(gain[-25 * 15 :]) < 0.8, level


def test_rider_is_bounded() -> None:
    time = seconds(30)
    tone = np.sin(2 * np.pi * 997 * time)
    _, gains = ride(np.stack([np.stack([tone * level] * 2) for level in (0.003, 20.0)]))
    assert gains[-1] == pytest.approx([12.0, -12.0], abs=0.6)
    assert np.max(np.abs(gains)) <= 12.0 + 1e-4


def test_a_quiet_passage_is_left_quiet() -> None:
    time = seconds(40)
    tone = np.stack([np.sin(2 * np.pi * 400 * time) * np.where(time < 20, 0.12, 0.02)] * 2)
    _, gains = ride(tone[None])
    assert abs(gains[-1, 0] - gains[20 * 25 - 1, 0]) < 0.5


def test_the_first_guess_is_the_assumed_level() -> None:
    state = Loudness(MasteringConfig(loudness_lufs=-16.0, assumed_lufs=-22.0)).init(2)
    assert np.asarray(state.gain_db).tolist() == [6.0, 6.0]
