# SPDX-License-Identifier: Apache-2.0
"""Clicks at frame edges: is the audio rougher where two frames meet than at the synthesiser's own joints inside them?

Roughness is the third difference. The controls are the 32-sample grid on which the synthesiser's controls are laid:
comparing edges with places off that grid would blame the edges for what every joint has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES
from segue_engine.models.starter import tokens as tk

GRID: Final = 32
_NEAREST, _FARTHEST = 10, 29  # grid points either side of an edge that stand as its controls
_SIDES: Final = np.arange(_NEAREST, _FARTHEST + 1) * GRID
_OFFSETS: Final = np.concatenate([[0], -_SIDES, _SIDES])  # the edge first
_OUTLIER: Final = 5.0
_FLOOR: Final = 1e-6  # third difference that is as good as silence


@dataclass(frozen=True)
class EdgeFigures:
    """ratio: mean roughness at edges over that at controls (1 = no different). outliers, control_outliers: shares that
    are more than 5 times their neighbourhood's median. edges: how many were compared. NaN where there were none.
    """

    ratio: float
    outliers: float
    control_outliers: float
    edges: int


def edge_clicks(clicks: NDArray[np.int64], quiet: NDArray[np.bool_], reach: int = 3) -> float:
    """How many more of the clicks (samples, see `mastering.measure.find_clicks`) lie at a quiet frame's edge than at
    the average joint around it. A pulse wave and a crackling record click everywhere; only the excess is a fault.
    """
    edges = np.flatnonzero(quiet)[:, None] * FRAME_SAMPLES + _OFFSETS
    last = np.searchsorted(clicks, edges + reach, side="right")
    counts = (last - np.searchsorted(clicks, edges - reach, side="left")).sum(0)
    return float(counts[0] - counts[1:].mean())


def quiet_edges(tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
    """bool[T]: nothing begins in the frame or in the one before, so what is rough at its edge is not an attack."""
    begins = (tokens[:, tk.BASS :] >= tk.FIRST_ONSET).any(1) | (tokens[:, tk.DRUMS] >= 2)
    before = np.concatenate([[True], begins[:-1]])
    return np.asarray(~(begins | before))


def edge_figures(audio: NDArray[np.floating], quiet: NDArray[np.bool_]) -> EdgeFigures:
    """Compare the edges of audio f32[T · 1920, 2] where quiet bool[T] with the joints inside the frames around them."""
    if audio.ndim != 2 or len(audio) != len(quiet) * FRAME_SAMPLES:
        raise ValueError(f"audio: expected [{len(quiet) * FRAME_SAMPLES}, channels], got {list(audio.shape)}")
    frames = np.flatnonzero(quiet)
    frames = frames[(frames > 0) & (frames < len(quiet) - 1)]
    if not len(frames):
        return EdgeFigures(float("nan"), float("nan"), float("nan"), 0)
    rough = np.abs(np.diff(np.asarray(audio, np.float64), n=3, axis=0)).max(1)
    # A step between samples p - 1 and p shows in the differences p - 3 … p - 1; one more sample for the shelf's delay.
    reach = np.arange(-3, 2)
    places = frames[:, None] * FRAME_SAMPLES + _OFFSETS
    values = np.maximum(rough[places[:, :, None] + reach].max(2), _FLOOR)
    edge, controls = values[:, 0], values[:, 1:]
    median = np.median(controls, axis=1)
    return EdgeFigures(
        float(edge.mean() / controls.mean()),
        float((edge > _OUTLIER * median).mean()),
        float((controls > _OUTLIER * median[:, None]).mean()),
        len(frames),
    )
