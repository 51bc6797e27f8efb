# SPDX-License-Identifier: Apache-2.0
"""Whose frames a dispatch makes, and which of them nobody wants any more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Manifest:
    """Entry r of a dispatch makes frame `frames[r]` for slot `slots[r]` under epoch `epochs[r]`, `wanted[r]` or not."""

    def __init__(self, slots: Ints, epochs: Ints, frames: Ints) -> None:
        self.slots = slots
        self.epochs = epochs
        self.frames = frames
        self.wanted: NDArray[np.bool_] = np.ones(slots.shape, np.bool_)

    def drop(self, slot: int, frame: int = 0) -> int:
        """Drop the slot's frames from `frame` on: it was rewound, or (all of them) released. Gives their number."""
        dropped = (self.slots == slot) & (self.frames >= frame) & self.wanted
        self.wanted &= ~dropped
        return int(dropped.sum())
