# SPDX-License-Identifier: Apache-2.0
"""How a piece sounds, style by style: loudness before and after mastering, peaks, spectral balance, width, clicks."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from segue_engine.contract import SAMPLE_RATE
from segue_engine.mastering.kweighting import SOS
from segue_engine.mastering.measure import find_clicks, integrated_lufs, true_peak_dbtp
from segue_engine.models.starter.evaluation.audio_features import frequencies, spectral_centroid, spectrogram
from segue_engine.models.starter.evaluation.edges import edge_clicks, edge_figures, quiet_edges
from segue_engine.models.starter.evaluation.rendering import master

CENTRES: Final = (31.5, 63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0)
_TOP: Final = (8_000.0, 20_000.0)
_PEAK_OVERSAMPLING: Final = 4


@dataclass(frozen=True)
class SoundFigures:
    """One style's excerpt. Raw is before mastering. Levels in LUFS, LU, dBTP; LRA after EBU Tech 3342.

    balance_db: energy of each octave band of CENTRES relative to all bands, dB; top_db: of 8-20 kHz. correlation: of
    left and right, 1 mono. edge_ratio, edge_outliers, control_outliers: see `edges`. clicks: of the mastered
    excerpt, some waves click by nature; edge_clicks: how many more there are at frame edges than at other joints.
    """

    lufs_raw: float
    lufs: float
    lra_raw: float
    lra: float
    peak_raw_dbtp: float
    peak_dbtp: float
    balance_db: tuple[float, ...]
    top_db: float
    centroid_hz: float
    correlation: float
    edge_ratio: float
    edge_outliers: float
    control_outliers: float
    clicks_per_minute: float
    edge_clicks_per_minute: float

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def measure_sound(audio: NDArray[np.float32], tokens: NDArray[np.integer]) -> SoundFigures:
    """Figures of raw audio f32[T · 1920, 2] and the tokens int[T, 12] it was rendered from; at least 0.4 s."""
    mastered = master(audio)
    quiet = quiet_edges(tokens)
    edges = edge_figures(audio, quiet)
    clicks = find_clicks(mastered)
    minutes = len(audio) / SAMPLE_RATE / 60.0
    power = spectrogram(audio.mean(1))
    balance, top = spectral_balance(audio)
    return SoundFigures(
        lufs_raw=integrated_lufs(audio),
        lufs=integrated_lufs(mastered),
        lra_raw=loudness_range(audio),
        lra=loudness_range(mastered),
        peak_raw_dbtp=true_peak_dbtp(audio, _PEAK_OVERSAMPLING),
        peak_dbtp=true_peak_dbtp(mastered, _PEAK_OVERSAMPLING),
        balance_db=balance,
        top_db=top,
        centroid_hz=float(spectral_centroid(power).mean()),
        correlation=correlation(audio),
        edge_ratio=edges.ratio,
        edge_outliers=edges.outliers,
        control_outliers=edges.control_outliers,
        clicks_per_minute=len(clicks) / minutes,
        edge_clicks_per_minute=edge_clicks(clicks, quiet) / minutes,
    )


def loudness_range(audio: NDArray[np.floating]) -> float:
    """LRA in LU of audio[n, 2] (EBU Tech 3342): spread of the loudness of 3 s windows, gated at -70 LUFS and 20 LU
    below the mean; NaN for less than 3 s or where nothing passes the gate.
    """
    block = SAMPLE_RATE // 10
    blocks = len(audio) // block
    if blocks < 30:
        return float("nan")
    weighted = sosfilt(SOS, np.asarray(audio[: blocks * block], np.float64), axis=0)
    energy = (weighted**2).sum(1).reshape(blocks, block).mean(1)
    short = np.convolve(energy, np.full(30, 1 / 30), mode="valid")
    short = short[short > 10.0 ** ((-70.0 + 0.691) / 10.0)]
    if not len(short):
        return float("nan")
    short = short[short > short.mean() / 100.0]
    low, high = np.percentile(10.0 * np.log10(short), (10, 95))
    return float(high - low)


def spectral_balance(audio: NDArray[np.floating]) -> tuple[tuple[float, ...], float]:
    """Energy of the octave bands of CENTRES and of 8-20 kHz relative to 22 Hz-22.6 kHz, dB; -120 for none."""
    power = sum(spectrogram(audio[:, channel]).mean(0, dtype=np.float64) for channel in range(audio.shape[1]))
    hz = frequencies()

    def energy(low: float, high: float) -> float:
        return float(np.asarray(power)[(hz >= low) & (hz < high)].sum())

    total = max(energy(CENTRES[0] / 2**0.5, CENTRES[-1] * 2**0.5), 1e-30)
    shares = [energy(c / 2**0.5, c * 2**0.5) / total for c in CENTRES]
    decibels = [round(10.0 * float(np.log10(max(s, 1e-12))), 2) for s in [*shares, energy(*_TOP) / total]]
    return tuple(decibels[:-1]), decibels[-1]


def correlation(audio: NDArray[np.floating]) -> float:
    """Correlation of left and right of audio[n, 2]; NaN in silence."""
    left, right = (np.asarray(audio[:, i], np.float64) - float(audio[:, i].mean()) for i in (0, 1))
    power = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / power if power > 1e-12 else float("nan")
