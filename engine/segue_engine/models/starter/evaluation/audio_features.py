# SPDX-License-Identifier: Apache-2.0
"""What a style classifier may hear of audio: spectrum, movement, harmony, pulse, width. numpy and scipy only."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from segue_engine.contract import SAMPLE_RATE

FloatArray = NDArray[np.float32]

_SIZE: Final = 4096
_HOP: Final = 960
_MELS: Final = 40
_LAGS: Final = np.unique(np.round(np.geomspace(5, 120, 36)).astype(np.int64))  # hops of 20 ms: 0.1 to 2.4 s


def spectrogram(mono: NDArray[np.floating]) -> FloatArray:
    """Power f32[frames, 2049] of mono[n] at 48 kHz: Hann windows of 4,096 samples every 960, scaled to full-scale
    sine = 1. Raises ValueError for less than one window.
    """
    if len(mono) < _SIZE:
        raise ValueError(f"audio: expected at least {_SIZE} samples, got {len(mono)}")
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(mono, np.float32), _SIZE)[::_HOP]
    window = np.hanning(_SIZE).astype(np.float32)
    bins = fft.rfft(frames * window, axis=1)
    return np.asarray((np.abs(bins) * (2.0 / window.sum())) ** 2, np.float32)


@cache
def frequencies() -> NDArray[np.float64]:
    """Hz of each bin of `spectrogram`."""
    return np.asarray(np.fft.rfftfreq(_SIZE, 1.0 / SAMPLE_RATE))


@cache
def _mel_bank() -> FloatArray:
    """Triangular mel filters f32[2049, 40] from 40 Hz to 18 kHz, each of unit sum."""

    def mel(hz: float) -> float:
        return float(2595.0 * np.log10(1.0 + hz / 700.0))

    edges = 700.0 * (10.0 ** (np.linspace(mel(40.0), mel(18_000.0), _MELS + 2) / 2595.0) - 1.0)
    hz = frequencies()[:, None]
    up = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    bank = np.maximum(0.0, np.minimum(up, down))
    return np.asarray(bank / np.maximum(bank.sum(0), 1e-9), np.float32)


@cache
def _chroma_bank() -> FloatArray:
    """Pitch class of each bin between 65 Hz and 4.2 kHz, f32[2049, 12], one-hot."""
    hz = frequencies()
    inside = (hz > 65.0) & (hz < 4200.0)
    note = np.round(12.0 * np.log2(np.where(inside, hz, 440.0) / 440.0)).astype(np.int64) % 12
    bank = np.zeros((len(hz), 12), np.float32)
    bank[np.flatnonzero(inside), note[inside]] = 1.0
    return bank


def spectral_centroid(power: FloatArray) -> NDArray[np.float64]:
    """Hz [frames] of the centre of gravity of `spectrogram`'s power; 0 in silence."""
    total = power.sum(1, dtype=np.float64)
    centre = power.astype(np.float64) @ frequencies()
    return np.where(total > 1e-12, centre / np.maximum(total, 1e-12), 0.0)


def audio_features(audio: NDArray[np.floating]) -> FloatArray:
    """Features f32[D] of stereo audio[n, 2] at 48 kHz, a few seconds of it; absolute level is one of them."""
    if audio.ndim != 2 or audio.shape[1] != 2:
        raise ValueError(f"audio: expected [n, 2], got {list(audio.shape)}")
    left, right = (np.asarray(audio[:, i], np.float32) for i in (0, 1))
    power = spectrogram((left + right) * np.float32(0.5))
    mel = np.log10(power @ _mel_bank() + 1e-10)
    level = float(mel.mean())
    rise = np.maximum(np.diff(mel, axis=0), 0.0)
    flux = rise.mean(1)
    chroma = power @ _chroma_bank()
    profile = (chroma / np.maximum(chroma.sum(1, keepdims=True), 1e-9)).mean(0)
    profile = np.roll(profile, -int(profile.argmax()))
    centroid = np.log2(np.maximum(spectral_centroid(power), 20.0))
    spread = np.sort(mel, axis=1)
    return np.concatenate(
        [
            mel.mean(0) - level,
            mel.std(0),
            rise.mean(0),
            np.percentile(mel, 95, axis=0) - mel.mean(0),
            [level, centroid.mean(), centroid.std(), flux.mean(), flux.std(), float((spread[:, -8:] - level).mean())],
            np.percentile(flux, (50, 90, 99)),
            _pulse(flux),
            profile,
            [float(np.abs(np.diff(chroma, axis=0)).mean() / max(float(chroma.mean()), 1e-9)), _width(left, right)],
        ]
    ).astype(np.float32)


def _pulse(flux: NDArray[np.floating]) -> NDArray[np.float64]:
    """Autocorrelation of the onset strength at lags of 0.1 to 2.4 s."""
    centred = flux.astype(np.float64) - flux.mean()
    power = max(float(centred @ centred), 1e-12)
    return np.array([float(centred[lag:] @ centred[:-lag]) / power if lag < len(centred) else 0.0 for lag in _LAGS])


def _width(left: FloatArray, right: FloatArray) -> float:
    side, middle = float(np.mean((left - right) ** 2)), float(np.mean((left + right) ** 2))
    return side / max(side + middle, 1e-12)
