# SPDX-License-Identifier: Apache-2.0
"""Small numpy building blocks for sounds that are rendered once at start-up: noise, filters, sweeps, envelopes.

Everything is float64 stereo [2, n] or mono [n] at 48 kHz and seeded, so a build renders the same bytes every time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

RATE: Final = 48_000
Sound = NDArray[np.float64]


def seconds(length: float) -> Sound:
    """Time axis of a sound of `length` seconds."""
    return np.arange(round(length * RATE)) / RATE


def noise(rng: np.random.Generator, n: int, channels: int = 2) -> Sound:
    """White Gaussian noise, independent on each channel."""
    return rng.standard_normal((channels, n))


def band(x: Sound, low: float | None, high: float | None, order: int = 2) -> Sound:
    """Butterworth band-pass, high-pass (`high` None) or low-pass (`low` None)."""
    if low is not None and high is not None:
        sos = signal.butter(order, (low, high), "bandpass", fs=RATE, output="sos")
    elif high is not None:
        sos = signal.butter(order, high, "lowpass", fs=RATE, output="sos")
    elif low is not None:
        sos = signal.butter(order, low, "highpass", fs=RATE, output="sos")
    else:
        raise ValueError("band: expected a lower or an upper edge, got neither")
    return np.asarray(signal.sosfilt(sos, x, axis=-1))


def resonate(x: Sound, centre: float, q: float) -> Sound:
    """Narrow resonance at `centre` Hz with unit gain at its peak."""
    b, a = signal.iirpeak(centre, q, fs=RATE)
    return np.asarray(signal.lfilter(b, a, x, axis=-1))


def sweep(t: Sound, start: float, end: float, fall: float, phase: float = 0.0) -> Sound:
    """Sine whose frequency falls (or rises) exponentially from `start` to `end` Hz with time constant `fall`."""
    angle = end * t + (start - end) * fall * (1 - np.exp(-t / fall))
    return np.sin(2 * np.pi * angle + phase)


def decay(t: Sound, attack: float, fall: float) -> Sound:
    """Percussive envelope: smooth rise within `attack` seconds, then exponential."""
    return np.asarray((1 - np.exp(-3 * t / attack)) * np.exp(-t / fall))


def partials(t: Sound, frequencies: Sound, levels: Sound, falls: Sound, rng: np.random.Generator) -> Sound:
    """Sum of decaying sines with random phases, mono."""
    phases = rng.uniform(0, 2 * np.pi, len(frequencies))
    # a partial is the real part of powers of one complex number: blocks of powers, then an outer product
    block = 512
    turn = (2j * np.pi * frequencies - 1 / falls) / RATE
    inner = np.exp(turn[:, None] * np.arange(block))
    outer = (levels * np.exp(1j * (phases - np.pi / 2)))[:, None] * np.exp(turn[:, None] * np.arange(0, len(t), block))
    return np.asarray((outer.T @ inner).real.ravel()[: len(t)])


def stereo(x: Sound, pan: float = 0.0) -> Sound:
    """Places a mono sound: -1 left, 0 middle, 1 right."""
    return np.stack([x * np.sqrt(1 - pan), x * np.sqrt(1 + pan)])


def finish(x: Sound, peak_db: float, fade: float = 0.1) -> Sound:
    """Fades the end out and scales to a peak in dBFS."""
    n = min(round(fade * RATE), x.shape[-1])
    x = x.copy()
    x[..., -n:] *= np.cos(np.linspace(0, np.pi / 2, n)) ** 2
    return np.asarray(x * (10 ** (peak_db / 20) / np.abs(x).max()))


def room(x: Sound, rng: np.random.Generator, length: float, level: float) -> Sound:
    """Adds a short diffuse tail, the size of a studio room to a hall."""
    t = seconds(length)
    tail = band(noise(rng, len(t)), 300, 7000) * np.exp(-t / (length / 5)) / np.sqrt(len(t) / 5)
    wet = np.stack([signal.fftconvolve(x[c], tail[c])[: x.shape[-1]] for c in range(2)])
    return np.asarray(x + level * wet)
