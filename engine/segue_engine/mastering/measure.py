# SPDX-License-Identifier: Apache-2.0
"""Offline measurements of finished audio: loudness, true peak, clicks. numpy and scipy only, never jax.

Deliberately another implementation than the one on device, so that each can be held against the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyloudnorm
from numpy.typing import NDArray
from scipy.signal import resample_poly

from segue_engine.contract import SAMPLE_RATE

_CLICK_BLOCK: Final = 240
_CHUNK_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class LevelReport:
    """Facts about a piece of audio. integrated_lufs is −inf where all is below the absolute gate."""

    seconds: float
    integrated_lufs: float
    true_peak_dbtp: float
    clicks: int


def level_report(audio: NDArray[np.floating], sample_rate: int = SAMPLE_RATE) -> LevelReport:
    """All measurements of audio[n] or [n, channels] at once. Raises ValueError as the single ones do."""
    return LevelReport(
        seconds=len(audio) / sample_rate,
        integrated_lufs=integrated_lufs(audio, sample_rate),
        true_peak_dbtp=true_peak_dbtp(audio),
        clicks=len(find_clicks(audio)),
    )


def integrated_lufs(audio: NDArray[np.floating], sample_rate: int = SAMPLE_RATE) -> float:
    """Gated loudness of audio[n] or [n, channels] (BS.1770-4, Annex 1); −inf for silence.

    Raises ValueError for less than the 400 ms that a gating block needs, and for non-finite samples.
    """
    signal = _checked(audio)
    if len(signal) < 0.4 * sample_rate:
        raise ValueError(f"audio: expected at least 400 ms, got {len(signal) / sample_rate:.3f} s")
    with np.errstate(divide="ignore", invalid="ignore"):
        # pyloudnorm takes the mean of no block at all, with a warning, where nothing passes the gate.
        if not np.any(np.abs(signal) > 1e-5):
            return float("-inf")
        return float(pyloudnorm.Meter(sample_rate).integrated_loudness(signal))


def true_peak_dbtp(audio: NDArray[np.floating], oversample: int = 8) -> float:
    """Largest peak of `oversample`-times interpolated audio, dB of full scale (BS.1770-4, Annex 2); −inf if silent.

    Raises ValueError for non-finite samples.
    """
    signal = _checked(audio)
    chunk, around = _CHUNK_SECONDS * SAMPLE_RATE, 64
    peak = 0.0
    # In pieces that overlap by more than the interpolator is long: hours of audio need no hours in memory.
    for start in range(0, len(signal), chunk):
        piece = signal[max(start - around, 0) : start + chunk + around]
        peak = max(peak, float(np.max(np.abs(resample_poly(piece, oversample, 1, axis=0)))))
    return float(20.0 * np.log10(peak)) if peak > 0.0 else float("-inf")


def find_clicks(audio: NDArray[np.floating], ratio: float = 25.0, floor: float = 2e-3) -> NDArray[np.int64]:
    """Samples where audio[n] or [n, channels] clicks, ascending; one per click.

    A click is a third difference beyond `floor` and `ratio` times the median of its neighbourhood (the 5 ms around it
    and those before and after). An attack is none: what follows it is as rough as its first sample.
    Raises ValueError for non-finite samples.
    """
    places = np.flatnonzero(roughness(audio, floor / ratio) > ratio)
    # The difference of a step is rough over a few samples: one click, not four.
    first = np.diff(places, prepend=-_CLICK_BLOCK) > 8
    return np.asarray(places[first] + 2, dtype=np.int64)


def roughness(audio: NDArray[np.floating], least: float = 8e-5) -> NDArray[np.float64]:
    """Third difference of audio[n] or [n, channels] as a multiple of its neighbourhood's median (or of `least`, where
    that is more): f64[n - 3], entry i of the samples up to i + 3, the greatest of the channels; empty for n < 4.

    Raises ValueError for non-finite samples.
    """
    signal = _checked(audio)
    if len(signal) < 4:
        return np.zeros(0)
    rough = np.max(np.abs(np.diff(signal, n=3, axis=0)), axis=1)
    blocks = -(-len(rough) // _CLICK_BLOCK)
    padded = np.pad(rough, (0, blocks * _CLICK_BLOCK - len(rough)), mode="edge").reshape(blocks, _CLICK_BLOCK)
    medians = np.pad(np.median(padded, axis=1), 1, mode="edge")
    usual = np.maximum(np.maximum(medians[:-2], medians[1:-1]), medians[2:])
    scores = padded / np.maximum(usual, least)[:, None]
    return np.asarray(scores.reshape(-1)[: len(rough)], np.float64)


def _checked(audio: NDArray[np.floating]) -> NDArray[np.float64]:
    """[n] or [n, channels] → float64[n, channels], finite. Integer PCM is refused: its full scale is not 1."""
    if not np.issubdtype(audio.dtype, np.floating) or audio.ndim not in (1, 2):
        raise ValueError(f"audio: expected floats [n] or [n, channels], got {audio.dtype} {list(audio.shape)}")
    signal = np.asarray(audio, dtype=np.float64).reshape(len(audio), -1)
    if not np.all(np.isfinite(signal)):
        raise ValueError("audio: expected finite samples, got NaN or infinity")
    return signal
