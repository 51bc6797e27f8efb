# SPDX-License-Identifier: Apache-2.0
"""Stingers under way: a style stinger lies over whatever the states do and gives way to it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from segue_service.soundtrack.clock import ExitPoint
from segue_service.soundtrack.curves import Floats
from segue_service.soundtrack.trajectory import Frames

MAX_STINGERS: Final = 8
"""Stingers of a session that sound or wait at one time."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A stinger that waits for its musical place; due is predicted."""

    name: str
    exit_source_at: ExitPoint
    due: int


@dataclass(frozen=True, slots=True)
class Sounding:
    """A stinger from `begins` until `ends` (the first frame without it). style None: a clip, which the client mixes."""

    id: int
    name: str
    style: str | None
    begins: int
    ends: int
    fade: int = 0
    weight: float = 1.0

    def level(self, frames: Frames) -> Floats:
        """f64[n] in 0..weight: how far it displaces the states' blend."""
        rise = (frames - self.begins + 1) / (self.fade + 1)
        fall = (self.ends - frames) / (self.fade + 1)
        return self.weight * np.clip(np.minimum(rise, fall), 0.0, 1.0)


def overlay(blend: Floats, stingers: Iterable[Sounding], frames: Frames, order: Mapping[str, int]) -> Floats:
    """f64[n, styles] with the style stingers laid over it in the order in which they began; rows keep their sum."""
    for stinger in stingers:
        if stinger.style is None:
            continue
        taken = stinger.level(frames)
        blend = blend * (1.0 - taken[:, None])
        blend[:, order[stinger.style]] += taken
    return blend
