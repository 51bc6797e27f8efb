# SPDX-License-Identifier: Apache-2.0
"""How much begins, 100 times a second: the rectified rise of log-compressed band energies, before mastering.

Spectral flux with logarithmic compression (Böck, Krebs and Schedl 2012, "Evaluating the online capabilities of onset
detection methods"), on a dozen bands that are each measured against what they have been lately, so that neither the
row's level nor a loud bass decides. A rise counts where it goes beyond what the band has been for 80 ms (after the
maximum filter of Böck and Widmer 2013, there along frequency, against vibrato).

Column j of a frame compares the window over its samples 480 j − 544 to 480 j + 480 with those before. With column j
standing for sample 480 j, what begins is found `contract.ONSET_DELAY_SECONDS` late on average.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES, SAMPLE_RATE

WINDOW: Final = 1024
HOP: Final = 480
HOPS: Final = FRAME_SAMPLES // HOP
EDGES: Final = (1, 3, 5, 7, 10, 15, 22, 32, 47, 70, 105, 160, 340)
"""Bins of 46.9 Hz at which the bands begin and end: 47 Hz to 16 kHz."""
BANDS: Final = len(EDGES) - 1
LATELY_SECONDS: Final = 3.0
"""Time constant of the energy that a band is measured against."""
MEMORY: Final = 8
"""Windows that a rise has to go beyond: what only comes back within 80 ms, as partials that beat do, begins nothing."""
_COMPRESSION: Final = 2.0
_WEIGHTS: Final = np.linspace(1.82, 0.18, BANDS, dtype=np.float32)
"""Of the bands, on average 1: what is low is nearer to beats and bars than what is high."""
_FLOOR: Final = 1e-9
"""Energy of a band, against full scale, below which nothing is told apart: −90 dBFS."""
_HEADROOM: Final = 0.01
"""A band far below the loudest is measured against this much of the mean of all, so that its noise is none."""
_FULL: Final = 2.0
"""Mean rise, in nepers of energy, that has strength 1."""
_MOST: Final = 1.5
"""Greatest strength: the first note after silence is no more than that."""


class OnsetState(NamedTuple):
    """Row axis first everywhere."""

    tail: jax.Array
    """float32[B, 2, 544]: the samples before."""
    levels: jax.Array
    """float32[B, MEMORY, BANDS]: compressed energies of the last windows, oldest first."""
    lately: jax.Array
    """float32[B, BANDS]: slow mean of the energies; negative in a fresh row."""
    strengths: jax.Array
    """float32[B, 4]: of the latest frame, 0.._MOST."""


class Onsets:
    """Onset strength of each row. `init` and `apply` are traced; every row is its own."""

    def __init__(self) -> None:
        self._window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
        self._bands = _bands()
        self._keep = float(np.exp(-FRAME_SAMPLES / (SAMPLE_RATE * LATELY_SECONDS)))

    def init(self, rows: int) -> OnsetState:
        """State of `rows` fresh rows: silence before."""
        return OnsetState(
            tail=jnp.zeros((rows, CHANNELS, WINDOW - HOP), jnp.float32),
            levels=jnp.zeros((rows, MEMORY, BANDS), jnp.float32),
            lately=jnp.full((rows, BANDS), -1.0, jnp.float32),
            strengths=jnp.zeros((rows, HOPS), jnp.float32),
        )

    def apply(self, state: OnsetState, audio: jax.Array) -> OnsetState:
        """Hear one frame, float32[B, 2, 1920] of finite samples."""
        heard = jnp.concatenate([state.tail, audio], axis=2)
        # Left as the real part and right as the imaginary one: both sides' energy out of one transform.
        pair = jax.lax.complex(heard[:, 0], heard[:, 1])
        windows = jnp.stack([pair[:, HOP * i : HOP * i + WINDOW] for i in range(HOPS)], axis=1)
        spectrum = jnp.fft.fft(windows * self._window)
        power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
        energy = jnp.matmul(power, self._bands, precision=jax.lax.Precision.HIGHEST)
        mean = jnp.mean(energy, axis=1)
        lately = jnp.where(state.lately < 0.0, mean, self._keep * state.lately + (1.0 - self._keep) * mean)
        lately = jnp.where(lately > 1e-18, lately, 0.0)  # denormals are slow on some CPUs
        against = jnp.maximum(lately, _HEADROOM * jnp.mean(lately, axis=1, keepdims=True)) + _FLOOR
        levels = jnp.log1p(_COMPRESSION * energy / against[:, None])
        levels = jnp.concatenate([state.levels, levels], axis=1)
        before = jnp.max(jnp.stack([levels[:, i : i + HOPS] for i in range(MEMORY)]), axis=0)
        rise = jnp.mean(jnp.maximum(levels[:, MEMORY:] - before, 0.0) * _WEIGHTS, axis=2)
        return OnsetState(heard[:, :, FRAME_SAMPLES:], levels[:, HOPS:], lately, jnp.minimum(rise / _FULL, _MOST))


def _bands() -> NDArray[np.float32]:
    """[1024, BANDS]: bins, from both sides of the spectrum, to energy against full scale."""
    bands = np.zeros((WINDOW, BANDS))
    for band, (first, end) in enumerate(pairwise(EDGES)):
        bands[first:end, band] = bands[WINDOW - np.arange(first, end), band] = 1.0
    return (bands / (WINDOW * np.sum(np.hanning(WINDOW) ** 2))).astype(np.float32)
