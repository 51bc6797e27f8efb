# SPDX-License-Identifier: Apache-2.0
"""Whether a blend of two styles sounds between its parts: intensity, brightness and density over steady blends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE
from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer.families import TABLE
from segue_engine.models.starter.evaluation.classifier import family_vectors
from segue_engine.models.starter.evaluation.generate import Advance, Performer, constant, free_flags, piece_seeds

STAGE: Final = 4
FIGURES: Final = ("intensity", "brightness", "density")
_CONTRAST: Final = 0.3  # of intensity between the families of a pair
_LEAST_RANGE: Final = {"intensity": 0.1, "brightness": 0.1, "density": 1.0}
_TOLERANCE: Final = 0.1  # of the range between the parts


@dataclass(frozen=True)
class Blends:
    """Pairs of contrasting families, int64[pairs, 2], blended at the same shares, with `takes` pieces of each."""

    pairs: NDArray[np.int64]
    shares: tuple[float, ...]
    takes: int
    frames: int

    @staticmethod
    def draw(
        rng: np.random.Generator, families: tuple[int, ...], count: int, shares: tuple[float, ...], takes: int,
        frames: int,
    ) -> Blends:  # fmt: skip
        """Random pairs whose intensities differ clearly, the calmer family first. Raises ValueError without any."""
        order = sorted(families, key=lambda f: TABLE[f].intensity)
        pairs = [(a, b) for a in order for b in order if TABLE[b].intensity - TABLE[a].intensity >= _CONTRAST]
        if not pairs:
            raise ValueError("families: expected two whose intensities differ by 0.3 or more")
        chosen = rng.choice(len(pairs), min(count, len(pairs)), replace=False)
        return Blends(np.array(pairs, np.int64)[chosen], shares, takes, frames)

    def styles(self) -> NDArray[np.float32]:
        """Steady trajectories f32[pairs · shares · takes, frames, 34]."""
        share = np.array(self.shares, np.float32)[None, :, None]
        a, b = (family_vectors(self.pairs[:, i].tolist())[:, None] for i in (0, 1))
        mixed = (1.0 - share) * a + share * b
        unit = mixed / np.linalg.norm(mixed, axis=2, keepdims=True)
        return constant(np.repeat(unit.reshape(-1, unit.shape[2]), self.takes, axis=0), self.frames)


@dataclass(frozen=True)
class BlendFigures:
    """values f64[pairs, shares] of each figure, means over takes."""

    values: dict[str, NDArray[np.float64]]

    def summary(self) -> dict[str, dict[str, float]]:
        """For each figure `between`, the share of inner blends between their parts (within 10 % of the distance), and
        `rising`, the mean rank agreement with the share of the busier part (1 = monotone); pairs whose parts hardly
        differ are left out.
        """
        out = {}
        for name, table in self.values.items():
            told = [row for row in table if abs(row[-1] - row[0]) >= _LEAST_RANGE[name]]
            within = [between(row) for row in told]
            rising = [monotone(row) for row in told]
            out[name] = {
                "between": float(np.mean(within)) if told else float("nan"),
                "rising": float(np.mean(rising)) if told else float("nan"),
                "pairs": float(len(told)),
            }
        return out


def between(row: NDArray[np.float64]) -> float:
    """Share of inner values that lie between the outer two, give or take 10 % of their distance."""
    low, high = sorted((float(row[0]), float(row[-1])))
    slack = _TOLERANCE * (high - low)
    inner = row[1:-1]
    return float(((inner >= low - slack) & (inner <= high + slack)).mean()) if len(inner) else float("nan")


def monotone(row: NDArray[np.float64]) -> float:
    """Kendall's tau of the values against the direction from the first to the last: 1 monotone, -1 reversed."""
    steps = np.sign(row[None, :] - row[:, None])[np.triu_indices(len(row), 1)]
    return float(steps.mean() * np.sign(row[-1] - row[0]))


def piece_figures(tokens: NDArray[np.integer]) -> dict[str, float]:
    """Intensity and brightness 0..1 and notes and hits per second of tokens int[T, 12]."""
    mix = tk.CODEBOOKS[tk.MIX].decode(tokens[:, tk.MIX])
    hits = (tokens[:, tk.DRUMS, None].astype(np.int64) // 2 >> np.arange(8)) & 1
    notes = (tokens[:, tk.BASS :] >= tk.FIRST_ONSET).sum()
    return {
        "intensity": float(mix["intensity"].mean()) / 7.0,
        "brightness": float(mix["brightness"].mean()) / 3.0,
        "density": float(notes + hits.sum()) * FRAME_RATE / len(tokens),
    }


def blend(performer: Performer, blends: Blends, seed: int, advance: Advance | None = None) -> BlendFigures:
    """Play the blends and measure them."""
    styles = blends.styles()
    # The same takes at every share, so that neighbours differ by the blend and not by luck.
    takes = np.resize(piece_seeds(seed, STAGE, blends.takes), len(styles))
    pieces = performer.perform(styles, free_flags(*styles.shape[:2]), takes, advance)
    rows = [piece_figures(piece) for piece in pieces]
    shape = (len(blends.pairs), len(blends.shares), blends.takes)
    return BlendFigures({name: np.array([r[name] for r in rows]).reshape(shape).mean(2) for name in FIGURES})
