# SPDX-License-Identifier: Apache-2.0
"""Whether a slow crossfade arrives whole: which groups of the plan have the target's values when the ramp ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE
from segue_engine.models.starter.evaluation.classifier import family_vectors
from segue_engine.models.starter.evaluation.generate import Advance, Performer, free_flags, piece_seeds
from segue_engine.models.starter.evaluation.groups import GROUPS, fits, group_values

STAGE: Final = 3
LATER: Final = 4 * FRAME_RATE
"""Frames after the ramp at which every group should have arrived."""


@dataclass(frozen=True)
class Ramps:
    """n crossfades from sources[i] to targets[i]: `before` frames, `ramp` frames, and at least 4 s held after."""

    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    before: int
    ramp: int
    after: int

    @staticmethod
    def draw(rng: np.random.Generator, families: tuple[int, ...], count: int, before: int, ramp: int) -> Ramps:
        """Random pairs of different families; 5 s are held at the end."""
        pairs = np.stack([rng.choice(np.array(families), 2, replace=False) for _ in range(count)])
        return Ramps(pairs[:, 0], pairs[:, 1], before, ramp, 5 * FRAME_RATE)

    @property
    def frames(self) -> int:
        return self.before + self.ramp + self.after

    def styles(self) -> NDArray[np.float32]:
        """Trajectories f32[n, frames, 34], linear between unit vectors and normalised."""
        share = np.clip((np.arange(self.frames) - self.before + 1) / self.ramp, 0.0, 1.0).astype(np.float32)
        a, b = family_vectors(self.sources.tolist())[:, None], family_vectors(self.targets.tolist())[:, None]
        mixed = (1.0 - share[:, None]) * a + share[:, None] * b
        return np.asarray(mixed / np.linalg.norm(mixed, axis=2, keepdims=True), np.float32)


@dataclass(frozen=True)
class Crossfades:
    """arrived bool[n, frames, 9]: a group has a value of the target. counted bool[n, 9]: it had none before."""

    arrived: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    end: int
    """First frame after the ramp."""

    def shares(self, frame: int) -> dict[str, float]:
        """Share of the counted runs whose group has arrived at a frame, by group and over all; NaN without runs."""
        here = self.arrived[:, frame] & self.counted
        out = {}
        for g, name in enumerate(GROUPS):
            runs = int(self.counted[:, g].sum())
            out[name] = float(here[:, g].sum() / runs) if runs else float("nan")
        total = int(self.counted.sum())
        out["all"] = float(here.sum() / total) if total else float("nan")
        # What a player hears: nothing of the old mood is left.
        runs = int(self.counted.any(1).sum())
        whole = (here | ~self.counted).all(1) & self.counted.any(1)
        out["whole runs"] = float(whole.sum() / runs) if runs else float("nan")
        return out

    def summary(self) -> dict[str, dict[str, float]]:
        """Shares when the ramp ends and 4 s later."""
        return {"ramp_end": self.shares(self.end), "later": self.shares(self.end + LATER)}

    def curve(self) -> NDArray[np.float64]:
        """Share of counted groups that have arrived, by frame [frames]."""
        total = max(1, int(self.counted.sum()))
        return np.asarray((self.arrived & self.counted[:, None]).sum((0, 2)) / total)


def measure_crossfades(tokens: NDArray[np.integer], ramps: Ramps) -> Crossfades:
    """Arrival of every group in pieces int[n, frames, 12] that were played under `ramps`."""
    values = group_values(tokens)
    arrived = np.stack([fits(values[i], int(target)) for i, target in enumerate(ramps.targets)])
    return Crossfades(arrived, ~arrived[:, ramps.before - 1], ramps.before + ramps.ramp)


def crossfade(performer: Performer, ramps: Ramps, seed: int, advance: Advance | None = None) -> Crossfades:
    """Play the ramps and measure them."""
    count = len(ramps.targets)
    seeds = piece_seeds(seed, STAGE, count)
    return measure_crossfades(performer.perform(ramps.styles(), free_flags(count, ramps.frames), seeds, advance), ramps)
