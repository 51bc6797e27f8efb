# SPDX-License-Identifier: Apache-2.0
"""Stingers under way: they lie over whatever the states do and give way to it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from segue_service.soundtrack.clock import ExitPoint
from segue_service.soundtrack.curves import Floats
from segue_service.soundtrack.model import Switch
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
    """A stinger from `begins` until `ends` (the first frame without it), with the style and the drums that it brings.

    Neither: a clip, which the client mixes.
    """

    id: int
    name: str
    style: str | None
    begins: int
    ends: int
    fade: int = 0
    weight: float = 1.0
    drums: Switch | None = None

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


def drums_at(stingers: Iterable[Sounding], frame: int) -> Switch | None:
    """What the stinger that began last says of the drums at a frame; None if none says anything."""
    said = [s.drums for s in stingers if s.drums is not None and s.begins <= frame < s.ends]
    return said[-1] if said else None
