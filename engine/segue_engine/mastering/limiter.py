# SPDX-License-Identifier: Apache-2.0
"""True-peak limiter: no output peak above the ceiling, also between samples, without a loop over samples.

Peaks are looked for on a 4× oversampled signal and reduced to one value per segment of 8 samples. On these the gain
reduction in dB is: held while it decays exponentially (release), spread by a sliding maximum, smoothed by a window as
long as the look-ahead. Every smoothed value is an average of values that each cover the peak, so it is at least what
the peak needs, and arrives before it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, SAMPLE_RATE

SEGMENT: Final = 8
WINDOW: Final = 16
"""Segments of look-ahead over which the gain comes down."""
TAPS: Final = 24
"""Per phase of the interpolator, so 96 at 4×; BS.1770-4, Annex 2 asks for 48 at least."""
OVERSAMPLE: Final = 4
DETECTION: Final = 16
"""Samples by which detection lags; a whole number of segments, at least half of TAPS."""
DELAY: Final = DETECTION + SEGMENT * WINDOW
HISTORY: Final = 2 * WINDOW
MARGIN_DB: Final = 0.4
"""4× sampling reads a peak too low by up to 0.47 dB at 20 kHz (BS.1770-4, Annex 2, attachment 1), rarely that much."""
_ALONG: Final = np.arange(SEGMENT, dtype=np.float32) / SEGMENT
_HOP: Final = 32
_GROUP: Final = 16
_HIGHEST: Final = jax.lax.Precision.HIGHEST


class LimiterState(NamedTuple):
    """Row axis first everywhere."""

    audio: jax.Array
    """float32[B, 2, 144]: the input's last samples, not played yet."""
    reduction: jax.Array
    """float32[B, 32]: gain reduction in dB of the last segments, after release."""


class Limiter:
    """Limits blocks of any length that is a multiple of 128 samples; channels are linked. `DELAY` samples late."""

    def __init__(self, release_ms: float) -> None:
        self._release = float(np.exp(-SEGMENT / (SAMPLE_RATE * release_ms / 1000.0)))
        self._interpolate = _interpolator()
        self._smooth = np.hanning(WINDOW + 2)[1:-1]
        self._smooth /= self._smooth.sum()

    def init(self, rows: int) -> LimiterState:
        """State of `rows` fresh rows: silence before, no reduction."""
        return LimiterState(
            audio=jnp.zeros((rows, CHANNELS, DELAY), jnp.float32),
            reduction=jnp.zeros((rows, HISTORY), jnp.float32),
        )

    def apply(
        self, state: LimiterState, audio: jax.Array, true_peak_dbtp: jax.Array
    ) -> tuple[LimiterState, jax.Array, jax.Array]:
        """float32[B, 2, n] finite, ceilings float32[B] → state, float32[B, 2, n] limited, float32[B] the block's
        deepest reduction in dB. A ceiling that is lowered holds from the next `DELAY` samples on."""
        rows, _, samples = audio.shape
        line = jnp.concatenate([state.audio, audio], axis=2)
        peaks = self._peaks(line, samples)
        ceiling = (true_peak_dbtp - MARGIN_DB)[:, None]
        needed = jnp.maximum(20.0 * jnp.log10(jnp.maximum(peaks, 1e-6)) - ceiling, 0.0)
        held = jnp.concatenate([state.reduction, self._hold(needed, state.reduction[:, -1])], axis=1)
        spread = _sliding_max(held)
        smooth = jnp.matmul(spread, self._smoother(samples // SEGMENT), precision=_HIGHEST)
        nodes = jnp.exp(smooth * np.float32(-np.log(10.0) / 20.0))
        slope = (nodes[:, 1:] - nodes[:, :-1])[:, :, None]
        gain = (nodes[:, :-1, None] + slope * _ALONG).reshape(rows, 1, samples)
        after = LimiterState(audio=line[:, :, samples:], reduction=held[:, -HISTORY:])
        return after, line[:, :, :samples] * gain, jnp.max(smooth, axis=1)

    def _peaks(self, line: jax.Array, samples: int) -> jax.Array:
        """Largest |value| of each segment of the newest `samples` that have their right neighbours, over channels."""
        rows, channels, length = line.shape
        end = length - DETECTION + TAPS // 2
        newest = line[:, :, end - samples : end].reshape(rows, channels, samples // _HOP, _HOP)
        before = line[:, :, end - samples - _HOP : end - _HOP].reshape(rows, channels, samples // _HOP, _HOP)
        windows = jnp.concatenate([before[..., _HOP - TAPS + 1 :], newest], axis=-1)
        between = jnp.abs(jnp.matmul(windows, self._interpolate, precision=_HIGHEST))
        at = jnp.abs(line[:, :, length - DETECTION - samples : length - DETECTION])
        largest = jnp.max(between.reshape(rows, channels, samples // _HOP, OVERSAMPLE - 1, _HOP), axis=(1, 3))
        largest = jnp.maximum(largest.reshape(rows, samples), jnp.max(at, axis=1))
        return jnp.max(largest.reshape(rows, samples // SEGMENT, SEGMENT), axis=-1)

    def _hold(self, needed: jax.Array, last: jax.Array) -> jax.Array:
        """y[k] = max(needed[k], release · y[k−1]) with y[−1] = last, closed: the maximum over decayed values.

        In two levels, inside groups of 16 and between them, so that work stays far below the square of the length.
        """
        rows, length = needed.shape
        groups = length // _GROUP
        inside = needed.reshape(rows, groups, 1, _GROUP) * _decay(self._release, _GROUP)
        inside = jnp.max(inside, axis=-1)
        ends = jnp.concatenate([last[:, None], inside[:, :, -1]], axis=1)
        between = _decay(self._release**_GROUP, groups + 1)
        before = jnp.max(ends[:, None, :] * between, axis=-1)[:, :-1]
        fading = (self._release ** np.arange(1, _GROUP + 1)).astype(np.float32)
        held = jnp.maximum(inside, before[:, :, None] * fading).reshape(rows, length)
        # An end to the decay, far below hearing: it must not creep on through denormals.
        return jnp.where(held > 1e-5, held, 0.0)

    def _smoother(self, segments: int) -> NDArray[np.float32]:
        """[segments + 16, segments + 1]: column m averages the 16 spread values from m on."""
        matrix = np.zeros((segments + WINDOW, segments + 1), np.float32)
        for node in range(segments + 1):
            matrix[node : node + WINDOW, node] = self._smooth
        return matrix


def _sliding_max(values: jax.Array) -> jax.Array:
    """[B, n] → [B, n − 16]: the maximum of 17 neighbours, by doubling."""
    reach = 1
    while reach < WINDOW + 1:
        step = min(reach, WINDOW + 1 - reach)
        values = jnp.maximum(values[:, :-step], values[:, step:])
        reach += step
    return values


def _decay(factor: float, size: int) -> NDArray[np.float32]:
    """[size, size]: factor ** (row − column) on and below the diagonal, 0 above."""
    age = np.arange(size)[:, None] - np.arange(size)[None, :]
    return np.where(age >= 0, factor ** np.maximum(age, 0), 0.0).astype(np.float32)


def _interpolator() -> NDArray[np.float32]:
    """[TAPS − 1 + 32, 3 · 32]: values at 1/4, 1/2 and 3/4 after each of 32 samples (Kaiser-windowed sinc).

    Sample i's values need the samples from i − 11 to i + 12 of its block (Annex 2's polyphase form, one column each).
    """
    matrix = np.zeros((TAPS - 1 + _HOP, OVERSAMPLE - 1, _HOP))
    offsets = np.arange(TAPS) - (TAPS // 2 - 1)
    for phase in range(1, OVERSAMPLE):
        distance = phase / OVERSAMPLE - offsets
        window = np.i0(5.0 * np.sqrt(np.maximum(1.0 - (distance / (TAPS / 2)) ** 2, 0.0))) / np.i0(5.0)
        taps = np.sinc(distance) * window
        taps /= taps.sum()
        for sample in range(_HOP):
            matrix[sample : sample + TAPS, phase - 1, sample] = taps
    return matrix.reshape(TAPS - 1 + _HOP, (OVERSAMPLE - 1) * _HOP).astype(np.float32)
