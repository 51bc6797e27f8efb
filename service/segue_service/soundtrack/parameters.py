# SPDX-License-Identifier: Apache-2.0
"""A parameter's way to its target: straight, at its seek_speed, known for every frame in advance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_service.soundtrack.curves import Floats
from segue_service.soundtrack.units import FRAME_RATE

_NEVER: Final = 2.0**53
"""Frames: a parameter may be so slow that a float does not hold how long it takes."""


@dataclass(frozen=True, slots=True)
class Motion:
    """`origin` up to frame `anchor`, then towards `target` by per_frame a frame; per_frame 0 means at once.

    A change made at the head h has anchor h − 1, so that frame h is the first to differ. noticed: what guards saw at
    `anchor`, None: the value itself.
    """

    origin: float
    target: float
    anchor: int
    per_frame: float = 0.0
    noticed: float | None = None

    @property
    def arrives(self) -> int:
        """The first frame at which the value is the target."""
        if self.origin == self.target:
            return self.anchor
        if self.per_frame == 0.0:
            return self.anchor + 1
        frames = abs(self.target - self.origin) / self.per_frame
        return self.anchor + max(1, math.ceil(min(frames, _NEVER) - 1e-9))

    def value(self, frame: int) -> float:
        if frame <= self.anchor:
            return self.origin
        if frame >= self.arrives:
            return self.target
        way = self.per_frame * (frame - self.anchor)
        # Rounded, so that a guard sees the number that an author works out, not 0.19999999999999996.
        return round(self.origin + math.copysign(way, self.target - self.origin), 9)

    def values(self, frames: NDArray[np.int64]) -> Floats:
        """f64[n] for frames int[n]."""
        if frames.size == 0 or self.arrives <= int(frames[0]):
            return np.full(frames.shape, self.target)
        way = np.clip(frames - self.anchor, 0, None) * self.per_frame
        moved = self.origin + np.copysign(way, self.target - self.origin)
        return np.where(frames >= self.arrives, self.target, np.where(frames <= self.anchor, self.origin, moved))

    def seen(self, frame: int, hysteresis: float, ends: tuple[float, float]) -> float:
        """The value as guards see it: it follows `value` at a distance of `hysteresis`, and takes it on at the ends.

        So a number that a guard compares with is passed that much later, upwards and downwards, and noise of less than
        twice as much passes it once at most. A motion goes one way only, so nothing needs to be known but its start.
        """
        value = self.value(frame)
        if hysteresis == 0.0 or self.noticed is None or value in ends:
            return value
        return round(min(max(self.noticed, value - hysteresis), value + hysteresis), 9)

    def towards(
        self,
        target: float,
        frame: int,
        seek_speed: float | None,
        hysteresis: float = 0.0,
        ends: tuple[float, float] = (0.0, 0.0),
    ) -> Motion:
        """The motion after a new target was set at the head `frame`; seek_speed in units a second, None: at once."""
        per_frame = 0.0 if seek_speed is None else seek_speed / FRAME_RATE
        noticed = self.seen(frame - 1, hysteresis, ends) if hysteresis else None
        return Motion(self.value(frame - 1), target, frame - 1, per_frame, noticed)
