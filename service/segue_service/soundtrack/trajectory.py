# SPDX-License-Identifier: Apache-2.0
"""Style trajectories: what share each style has at each frame, through fades, bridges and parameter curves.

A fade begins at the blend that is heard then, also in the middle of another fade, so a trajectory never jumps unless
it is told to. A fade of n frames that begins at frame b is at (f − b + 1)/(n + 1) of its way at frame f: b is the first
frame that differs, b + n the first that is wholly the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue_service.soundtrack.curves import FadeCurve, FadeShape, Floats, piecewise, share
from segue_service.soundtrack.parameters import Motion

Frames = NDArray[np.int64]
Weights = tuple[tuple[str, float], ...]
"""Styles that have a share, and the share; sums to 1."""


@dataclass(frozen=True, slots=True)
class Fading:
    """A fade that is under way. source: the blend just before `begins`. via: bridge style, reached half way."""

    id: int
    origin: str
    begins: int
    ends: int
    source: Weights
    via: str | None = None
    curve: FadeCurve = "linear"
    shape: FadeShape = "linear"


@dataclass(frozen=True, slots=True)
class StateBlend:
    """A state's own blend: its style, and (parameter, other style, curve) per `blend_by` entry, in order."""

    style: int
    leads: tuple[tuple[str, int, tuple[tuple[float, float], ...]], ...]

    def weights(self, frames: Frames, motions: Mapping[str, Motion], styles: int) -> Floats:
        """f64[n, styles]: each entry takes its share from what was there before it, so rows always sum to 1."""
        out = np.zeros((len(frames), styles))
        out[:, self.style] = 1.0
        for parameter, other, curve in self.leads:
            taken = piecewise(curve, motions[parameter].values(frames))[:, None]
            out *= 1.0 - taken
            out[:, other] += taken[:, 0]
        return out


@dataclass(frozen=True, slots=True)
class Legs:
    """The leg of a fade that each frame is on: start and end blends f64[n, styles], and the share f64[n] of the end."""

    start: Floats
    end: Floats
    progress: Floats

    def mixed(self) -> Floats:
        q = self.progress[:, None]
        return (1.0 - q) * self.start + q * self.end


def legs(fading: Fading, target: Floats, frames: Frames, order: Mapping[str, int]) -> Legs:
    """Where a fade to `target` f64[n, styles] is at each frame. Before it begins progress is 0, after its end 1."""
    p = np.clip((frames - fading.begins + 1) / (fading.ends - fading.begins + 1), 0.0, 1.0)
    source = dense(fading.source, order)
    start = np.broadcast_to(source, target.shape)
    if fading.via is None or fading.curve == "step":
        return Legs(start, target, share(fading.curve, p))
    bridge = np.broadcast_to(dense(((fading.via, 1.0),), order), target.shape)
    first = (p < 0.5)[:, None]
    progress = np.where(p < 0.5, share(fading.curve, 2.0 * p), share(fading.curve, 2.0 * p - 1.0))
    return Legs(np.where(first, start, bridge), np.where(first, bridge, target), progress)


def dense(weights: Weights, order: Mapping[str, int]) -> Floats:
    """f64[styles]."""
    out = np.zeros(len(order))
    for style, weight in weights:
        out[order[style]] = weight
    return out


def sparse(row: Floats, names: tuple[str, ...]) -> Weights:
    """f64[styles] → the styles that have a share, rescaled to sum to 1."""
    total = float(row.sum())
    return tuple((names[i], float(row[i]) / total) for i in np.flatnonzero(row > 0.0))
