# SPDX-License-Identifier: Apache-2.0
"""Shapes in time and in value: how a fade's progress becomes a share, and `blend_by` curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

FadeCurve = Literal["step", "linear", "equal_power", "ease_in", "ease_out", "ease_in_out"]
FadeShape = Literal["linear", "equal_power", "spherical"]

FADE_CURVES: Final[tuple[FadeCurve, ...]] = get_args(FadeCurve)
FADE_SHAPES: Final[tuple[FadeShape, ...]] = get_args(FadeShape)

Floats = NDArray[np.float64]


def share(curve: FadeCurve, progress: Floats) -> Floats:
    """progress f64[n] in 0..1 → the new side's share in 0..1, monotone, with share(0) = 0 and share(1) = 1.

    step jumps at once (0 only at progress 0). equal_power is sin²(π·p/2): the power that the incoming side has in a
    constant-power crossfade.
    """
    p: Floats = np.clip(progress, 0.0, 1.0)
    shaped: Floats
    match curve:
        case "step":
            shaped = np.where(p > 0.0, 1.0, 0.0)
        case "linear":
            shaped = p
        case "equal_power":
            shaped = np.square(np.sin(0.5 * np.pi * p))
        case "ease_in":
            shaped = p * p
        case "ease_out":
            shaped = 1.0 - (1.0 - p) ** 2
        case "ease_in_out":
            shaped = p * p * (3.0 - 2.0 * p)
    # The ends must be exact, so that a fade that is over leaves nothing of its source.
    exact: Floats = np.where(p >= 1.0, 1.0, shaped)
    return exact


def piecewise(points: Sequence[tuple[float, float]], x: Floats) -> Floats:
    """The curve through (x, y) points, straight in between, level beyond; of two points at one x the later rules."""
    xs = np.asarray([point[0] for point in points], np.float64)
    ys = np.asarray([point[1] for point in points], np.float64)
    after = np.searchsorted(xs, x, side="right")
    right = np.clip(after, 1, len(xs) - 1)
    left = right - 1
    if len(xs) == 1:
        return np.full_like(x, ys[0])
    width = xs[right] - xs[left]
    steep = width < 1e-12
    along = np.where(steep, 1.0, (x - xs[left]) / np.where(steep, 1.0, width))
    inside = ys[left] + (ys[right] - ys[left]) * np.clip(along, 0.0, 1.0)
    level: Floats = np.where(after == 0, ys[0], np.where(after == len(xs), ys[-1], inside))
    return level
