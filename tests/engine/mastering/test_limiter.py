# SPDX-License-Identifier: Apache-2.0
"""The ceiling holds for hostile signals, blocks join without a seam, and what is below the ceiling is left alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from segue_engine.mastering.limiter import DELAY, SEGMENT, Limiter, LimiterState

RATE = 48_000
BLOCK = 1920
Audio = NDArray[np.float32]
ONE = np.full(1, -1.0, np.float32)


@cache
def limiter() -> Limiter:
    return Limiter(release_ms=120.0)


@cache
def compiled() -> Callable[..., tuple[LimiterState, jax.Array, jax.Array]]:
    return jax.jit(limiter().apply)


def limit(audio: Audio, block: int = BLOCK, ceiling: float = -1.0) -> tuple[Audio, Audio]:
    """audio[2, n] → limited[2, n] with the delay taken out (n − DELAY samples), reduction per block."""
    state, out, reductions = limiter().init(1), [], []
    for start in range(0, audio.shape[1], block):
        state, made, reduction = compiled()(
            state, jnp.asarray(audio[None, :, start : start + block]), np.full(1, ceiling, np.float32)
        )
        out.append(np.asarray(made[0]))
        reductions.append(np.asarray(reduction[0]))
    return np.concatenate(out, axis=1)[:, DELAY:], np.array(reductions)


def peak_dbtp(audio: Audio) -> float:
    """By an interpolator that has nothing in common with the limiter's: 16×, its own filter."""
    return float(20 * np.log10(np.max(np.abs(resample_poly(audio.astype(np.float64), 16, 1, axis=1)))))


def stereo(left: NDArray[np.floating], right: NDArray[np.floating] | None = None) -> Audio:
    return np.stack([left, left if right is None else right]).astype(np.float32)


@cache
def hostile() -> dict[str, Audio]:
    rng = np.random.default_rng(7)
    n = np.arange(BLOCK * 8)
    tone = np.sin(2 * np.pi * 50 * n / RATE)
    impulses = np.zeros(n.size)
    impulses[777::3001] = 8.0
    impulses[778::3001] = -8.0
    alternating = np.where(n % 2 == 0, 1.0, -1.0) * (n // 700 % 2 * 2.0 - 1.0)
    bursts = np.where(n // 480 % 4 == 0, 20.0, 0.02) * rng.normal(size=n.size)
    sweep = 2 * np.sin(2 * np.pi * np.cumsum(np.linspace(20, 21_000, n.size)) / RATE)
    dense = resample_poly(rng.uniform(-10, 10, n.size // 4), 4, 1)
    return {
        "between samples at fs/4": stereo(4 * np.sin(np.pi / 2 * n + np.pi / 4)),
        "tone at 15.9 kHz": stereo(3 * np.sin(2 * np.pi * 15_900 * n / RATE + 0.3)),
        "impulses": stereo(impulses),
        "full-scale square": stereo(np.sign(tone)),
        "square at +12 dB, one side": stereo(4 * np.sign(tone), 0.1 * tone),
        "noise at +20 dB": stereo(rng.normal(size=n.size) * 10, rng.normal(size=n.size) * 10),
        "noise at +40 dB": stereo(rng.uniform(-100, 100, n.size), rng.uniform(-100, 100, n.size)),
        "bursts out of silence": stereo(bursts),
        "low-passed noise": stereo(dense),
        "sign flips of a Nyquist tone": stereo(alternating),
        "sweep": stereo(sweep),
        "step": stereo(np.where(n < 5003, 0.0, 30.0)),
    }


@pytest.mark.parametrize("name", hostile())
def test_no_true_peak_above_the_ceiling(name: str) -> None:
    audio = hostile()[name]
    assert peak_dbtp(audio) > -0.5, "the signal must need a limiter"
    out, _ = limit(audio)
    # What follows the end is not limited yet: a cut there is the test's, not the limiter's.
    out = out * np.clip((out.shape[1] - np.arange(out.shape[1])) / 480, 0, 1)
    assert np.all(np.isfinite(out))
    assert peak_dbtp(out) <= -1.0
    assert peak_dbtp(out) > -5.0, "it limits, it does not mute"


@pytest.mark.parametrize("ceiling", [-12.0, -3.0, 0.0])
def test_the_ceiling_is_the_rows_own(ceiling: float) -> None:
    out, _ = limit(hostile()["sweep"], ceiling=ceiling)
    out = out * np.clip((out.shape[1] - np.arange(out.shape[1])) / 480, 0, 1)
    assert ceiling - 1.5 < peak_dbtp(out) <= ceiling


@pytest.mark.parametrize("name", ["noise at +20 dB", "bursts out of silence", "sweep"])
def test_blocks_join_as_if_there_were_none(name: str) -> None:
    audio = hostile()[name]
    blockwise, _ = limit(audio)
    whole, _ = limit(audio, block=audio.shape[1])
    np.testing.assert_allclose(blockwise, whole, atol=2e-6)
    finer, _ = limit(audio, block=128)
    np.testing.assert_allclose(finer, whole, atol=2e-6)


def test_below_the_ceiling_it_is_only_a_delay() -> None:
    rng = np.random.default_rng(1)
    audio = stereo(np.clip(rng.normal(size=BLOCK * 5) * 0.1, -0.4, 0.4))
    out, reductions = limit(audio)
    np.testing.assert_array_equal(out, audio[:, : out.shape[1]])
    assert not reductions.any()


def test_channels_are_linked() -> None:
    n = np.arange(BLOCK * 5)
    tone = np.sin(2 * np.pi * 440 * n / RATE)
    out, _ = limit(stereo(4 * tone, 0.4 * tone))
    np.testing.assert_allclose(out[0], 10 * out[1], atol=1e-5)


def reference_reduction(needed: NDArray[np.float64], release: float) -> NDArray[np.float64]:
    """The envelope sample by sample, as a textbook would write it."""
    held, last = [], 0.0
    for value in needed:
        last = max(value, release * last)
        held.append(last)
    return np.array(held)


def test_closed_release_equals_the_recursion() -> None:
    rng = np.random.default_rng(3)
    needed = np.where(rng.random(240) < 0.04, rng.uniform(0, 24, 240), 0.0)
    held = np.asarray(limiter()._hold(jnp.asarray(needed[None], jnp.float32), jnp.array([5.0])))[0]
    release = float(np.exp(-SEGMENT / (RATE * 0.12)))
    expected = reference_reduction(np.concatenate([[5.0], needed]), release)[1:]
    np.testing.assert_allclose(held, expected, rtol=1e-5, atol=1e-5)


def test_gain_moves_smoothly_into_and_out_of_a_peak() -> None:
    n = np.arange(BLOCK * 20)
    loud = (n > 10_000) & (n < 20_000)
    audio = stereo(np.where(loud, 0.5, 0.05))
    audio[0] = np.where(loud, 4.0, 0.05)
    out, reductions = limit(audio)
    gain = out[1] / audio[1, : out.shape[1]]
    assert np.max(np.abs(np.diff(gain))) < 0.02
    assert np.max(np.diff(gain)) < 1e-3, "release is slow"
    assert reductions.max() == pytest.approx(20 * np.log10(4) + 1.4, abs=1.5)
    assert gain[-1] > 0.9, "and complete"


def test_release_comes_to_an_end() -> None:
    state = limiter().init(1)
    loud, quiet = jnp.full((1, 2, BLOCK), 4.0), jnp.zeros((1, 2, BLOCK))
    state, _, _ = compiled()(state, loud, ONE)
    assert np.asarray(state.reduction).max() > 10
    for _ in range(80):
        state, _, _ = compiled()(state, quiet, ONE)
    assert not np.asarray(state.reduction).any()
