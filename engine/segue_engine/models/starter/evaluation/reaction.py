# SPDX-License-Identifier: Apache-2.0
"""How fast a jump of the style is heard: when the palette changes, when all of it has, when a listener would say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE
from segue_engine.models.starter.evaluation.classifier import LinearClassifier, family_vectors
from segue_engine.models.starter.evaluation.generate import Advance, Performer, free_flags, piece_seeds
from segue_engine.models.starter.evaluation.groups import PALETTE, fits, group_values
from segue_engine.models.starter.evaluation.judges import TRAILING_FRAMES
from segue_engine.models.starter.evaluation.token_features import token_features, windows

STAGE: Final = 2
HOP: Final = 2
HOLD: Final = 5
"""Consecutive verdicts, 80 ms apart, that make a flip: one stray verdict does not."""
NEVER: Final = float("inf")


@dataclass(frozen=True)
class Jumps:
    """n jumps from family sources[i] to targets[i] at frame at[i], `after` frames observed."""

    sources: NDArray[np.int64]
    targets: NDArray[np.int64]
    at: NDArray[np.int64]
    frames: int
    after: int

    @staticmethod
    def draw(rng: np.random.Generator, families: tuple[int, ...], count: int, before: int, after: int) -> Jumps:
        """Random pairs of different families; the jump comes up to 1 s before `before`, anywhere in the bar."""
        pairs = np.stack([rng.choice(np.array(families), 2, replace=False) for _ in range(count)])
        at = before - rng.integers(0, min(FRAME_RATE, before // 2), count)
        return Jumps(pairs[:, 0], pairs[:, 1], at, before + after, after)

    def styles(self) -> NDArray[np.float32]:
        """Trajectories f32[n, frames, 34]."""
        later = np.arange(self.frames) >= self.at[:, None]
        a, b = family_vectors(self.sources.tolist()), family_vectors(self.targets.tolist())
        return np.where(later[:, :, None], b[:, None], a[:, None])


@dataclass(frozen=True)
class Reactions:
    """Seconds from each jump, `NEVER` where it did not happen while observed, arrays [n].

    changed: a palette code differs from before the jump. settled: every palette group has a value of the target
    family. flipped: a judge of the trailing 3 s says the target, and goes on saying so for 0.4 s (so 1.5-2 s is the
    floor). correct: the judge says the target at the end.
    """

    changed: NDArray[np.float64]
    settled: NDArray[np.float64]
    flipped: NDArray[np.float64]
    correct: NDArray[np.bool_]
    observed: float

    def summary(self) -> dict[str, float]:
        """Median and p90 in seconds (infinite where fewer reacted), shares that flipped and were right at the end."""
        out: dict[str, float] = {}
        for name in ("changed", "settled", "flipped"):
            seconds = getattr(self, name)
            for label, percent in (("median", 50), ("p90", 90)):
                # Without interpolation, which has no meaning next to "never".
                out[f"{name}_{label}_s"] = float(np.percentile(seconds, percent, method="inverted_cdf"))
        out["flipped_share"] = float(np.isfinite(self.flipped).mean())
        out["correct_share"] = float(self.correct.mean())
        return out

    def curve(self, name: str, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the jumps that had reacted by each time."""
        return np.asarray((getattr(self, name)[:, None] <= seconds).mean(0))


def first_true(condition: NDArray[np.bool_] | np.bool_) -> float:
    """Index of the first True as seconds of frames, `NEVER` if there is none."""
    places = np.flatnonzero(condition)
    return float(places[0]) / FRAME_RATE if len(places) else NEVER


def flip_seconds(verdicts: NDArray[np.int64], target: int, hop: int = HOP, hold: int = HOLD) -> float:
    """Seconds until `hold` verdicts in a row, `hop` frames apart, say the target; `NEVER` if they don't."""
    right = verdicts == target
    if len(right) < hold:
        return NEVER
    runs = np.lib.stride_tricks.sliding_window_view(right, hold).all(1)
    return first_true(runs) * hop


def measure_reaction(
    tokens: NDArray[np.integer], at: int, target: int, judge: LinearClassifier, after: int
) -> tuple[float, float, float, bool]:
    """(changed, settled, flipped, correct) of one piece int[T, 12] whose style jumped at frame `at`."""
    heard = tokens[at : at + after]
    values = group_values(tokens[at - 1 : at + after])[:, list(PALETTE)]
    changed = first_true((values[1:] != values[0]).any(1))
    settled = first_true(fits(group_values(heard), target)[:, list(PALETTE)].all(1))
    begin = max(0, at - TRAILING_FRAMES)
    trailing = windows(tokens[begin : at + after], TRAILING_FRAMES, HOP)
    verdicts = judge.predict(token_features(trailing))
    # Verdict k has heard frames up to begin + 75 + 2k; where a piece began late, the first one comes after the jump.
    late = (begin + TRAILING_FRAMES - at) / FRAME_RATE
    return changed, settled, flip_seconds(verdicts, target) + late, bool(verdicts[-1] == target)


def react(
    performer: Performer, jumps: Jumps, judge: LinearClassifier, seed: int, advance: Advance | None = None
) -> Reactions:
    """Play the jumps and measure them."""
    count = len(jumps.at)
    pieces = performer.perform(
        jumps.styles(), free_flags(count, jumps.frames), piece_seeds(seed, STAGE, count), advance
    )
    rows = [
        measure_reaction(pieces[i], int(jumps.at[i]), int(jumps.targets[i]), judge, jumps.after) for i in range(count)
    ]
    changed, settled, flipped, correct = zip(*rows, strict=True)
    return Reactions(
        np.array(changed), np.array(settled), np.array(flipped), np.array(correct), jumps.after / FRAME_RATE
    )
