# SPDX-License-Identifier: Apache-2.0
"""What the drum flag does: hits per second with the flag free, off and on, and whether off is really off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE
from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.evaluation.classifier import family_vectors
from segue_engine.models.starter.evaluation.generate import Advance, Performer, constant, piece_seeds

STAGE: Final = 5
FLAGS: Final = (-1, 0, 1)
NAMES: Final = ("free", "off", "on")
_HEARD: Final = 0.3  # hits a second that count as drums


@dataclass(frozen=True)
class DrumFlag:
    """hits f64[families, 3] per second with the flag free, off, on."""

    hits: NDArray[np.float64]

    def summary(self) -> dict[str, float]:
        """Mean hits per second by flag; shares of styles that are free of hits when off and have drums when on."""
        out = {f"hits_per_second_{name}": float(self.hits[:, i].mean()) for i, name in enumerate(NAMES)}
        out["silent_when_off"] = float((self.hits[:, 1] == 0.0).mean())
        out["drums_when_on"] = float((self.hits[:, 2] >= _HEARD).mean())
        return out


def hits_per_second(tokens: NDArray[np.integer]) -> NDArray[np.float64]:
    """Drum hits per second f64[n] of pieces int[n, T, 12]."""
    bits = (tokens[:, :, tk.DRUMS, None].astype(np.int64) // 2 >> np.arange(len(tk.DRUM_VOICES))) & 1
    return np.asarray(bits.sum((1, 2)) * FRAME_RATE / tokens.shape[1])


def drum_flag(
    performer: Performer, families: tuple[int, ...], frames: int, seed: int, advance: Advance | None = None
) -> DrumFlag:
    """Play every family with each flag, from the same seeds."""
    styles = constant(np.repeat(family_vectors(families), len(FLAGS), axis=0), frames)
    flags = np.repeat(np.tile(np.array(FLAGS, np.int8), len(families))[:, None], frames, axis=1)
    seeds = np.repeat(piece_seeds(seed, STAGE, len(families)), len(FLAGS))
    pieces = performer.perform(styles, flags, seeds, advance)
    return DrumFlag(hits_per_second(pieces).reshape(len(families), len(FLAGS)))
