# SPDX-License-Identifier: Apache-2.0
"""Between waves and spectrograms: periodic Hann window, 960 samples every 480, the Nyquist bin dropped.

Frame i spans samples 480 i to 480 i + 960, so it looks one hop ahead. A spectrogram has its sides in the row axis,
[2 B, T, 480, 2]: left before right within a row, real before imaginary.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from segue_engine.spectrostream.config import BINS, HOP, PARTS, SIDES, WINDOW


def _hann() -> NDArray[np.float64]:
    turns = np.linspace(0.0, 1.0, WINDOW, endpoint=False)
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * turns)


def _synthesis() -> NDArray[np.float64]:
    """Undoes the analysis window together with the overlap: w / the 480-periodic sum of w²."""
    window = _hann()
    energy: NDArray[np.float64] = np.sum((window**2).reshape(-1, HOP), axis=0)
    return window / np.tile(energy, WINDOW // HOP)


_ANALYSIS: Final = _hann().astype(np.float32)
_SYNTHESIS: Final = _synthesis().astype(np.float32)


def sides_apart(x: jax.Array) -> jax.Array:
    """[B, 2, ..] → [2 B, ..]."""
    return x.reshape(-1, *x.shape[2:])


def sides_together(x: jax.Array) -> jax.Array:
    """[2 B, ..] → [B, 2, ..]."""
    return x.reshape(-1, SIDES, *x.shape[1:])


def spectrogram(wave: jax.Array) -> jax.Array:
    """wave [B, 480 T + 480, 2], the last hop being what the last frame looks ahead to → [2 B, T, 480, 2]."""
    hops = jnp.moveaxis(wave, -1, 1).reshape(wave.shape[0] * SIDES, -1, HOP)
    frames = jnp.concatenate([hops[:, :-1], hops[:, 1:]], axis=-1) * _ANALYSIS
    bins = jnp.fft.rfft(frames)[..., :BINS]
    return jnp.stack([bins.real, bins.imag], axis=-1)


def analyse(wave: jax.Array) -> jax.Array:
    """wave float32[B, n, 2] → STFT float32[B, ceil(n / 480), 480, 4]: Re L, Im L, Re R, Im R; zeros past the end."""
    wave = jnp.pad(wave, ((0, 0), (0, -wave.shape[1] % HOP + HOP), (0, 0)))
    apart = sides_together(spectrogram(wave))
    return jnp.moveaxis(apart, 1, 3).reshape(wave.shape[0], -1, BINS, SIDES * PARTS)


def overlap_add(bins: jax.Array, overlap: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Spectrogram [2 B, T, 480, 2] and the overlap [2 B, 480] left by frames before it → next overlap, [2 B, 480 T]."""
    # A spectrogram of real samples has no imaginary part at DC; numpy ignores one, but not every device's FFT does.
    imaginary = bins[..., 1].at[..., 0].set(0.0)
    complete = jnp.pad(lax.complex(bins[..., 0], imaginary), ((0, 0), (0, 0), (0, 1)))
    frames = jnp.fft.irfft(complete, WINDOW) * _SYNTHESIS
    early, late = frames[..., :HOP], frames[..., HOP:]
    before = jnp.concatenate([overlap[:, None], late[:, :-1]], axis=1)
    return late[:, -1], (early + before).reshape(bins.shape[0], -1)
