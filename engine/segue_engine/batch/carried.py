# SPDX-License-Identifier: Apache-2.0
"""How carried state gets back to an earlier frame: which frames have copies, and what to replay from there.

Host side bookkeeping, numpy only; the copies themselves lie in the banks. A copy "at frame f" is the state before f is
made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

NOTHING: Final = -1


@dataclass(frozen=True, slots=True)
class Memory:
    """What a slot's history was, for a snapshot."""

    kept: NDArray[np.int64]
    codes: NDArray[np.int16]
    levels: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Replay:
    """Start from the copy at `place`, of the state before `frame` (both NOTHING: from fresh state), then run over codes
    and levels float32[n, 2]."""

    place: int
    frame: int
    codes: NDArray[np.int32]
    levels: NDArray[np.float32]


class CarriedHistory:
    """Per slot: the frames with a copy of carried state, and codes and mastering levels of its last `length` frames."""

    def __init__(self, slots: int, copies: int, interval: int, length: int, levels: int) -> None:
        self._interval = interval
        self._length = length
        self._kept: NDArray[np.int64] = np.full((slots, copies), NOTHING, np.int64)
        self._codes: NDArray[np.int16] = np.zeros((slots, length, levels), np.int16)
        self._levels: NDArray[np.float32] = np.zeros((slots, length, 2), np.float32)
        self._latest: NDArray[np.int64] = np.zeros(slots, np.int64)

    def start(self, slot: int) -> None:
        """A new owner, whose state before frame 0 is fresh and needs no copy."""
        self._kept[slot] = NOTHING
        self._latest[slot] = 0

    def record_levels(self, slots: NDArray[np.int64], frames: NDArray[np.int64], levels: NDArray[np.float32]) -> None:
        self._levels[slots, frames % self._length] = levels

    def record_codes(self, slots: NDArray[np.int64], frames: NDArray[np.int64], codes: NDArray[np.int16]) -> None:
        self._codes[slots, frames % self._length] = codes

    def to_keep(self, slots: NDArray[np.int64], heads: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
        """Which of the slots to copy now: those an interval or more behind, worst first, `budget` of them; and all that
        are two intervals behind, which bounds every replay."""
        behind = heads - self._latest[slots]
        late = np.flatnonzero(behind >= self._interval)
        if late.size > budget:
            late = late[np.argsort(-behind[late], kind="stable")]
            late = late[: max(budget, int((behind[late] >= 2 * self._interval).sum()))]
        return slots[late]

    def keep(self, slot: int, frame: int) -> int:
        """A place for the copy at `frame`: a free one, else the oldest copy's."""
        place = int(np.argmin(self._kept[slot]))
        self._kept[slot, place] = frame
        self._latest[slot] = frame
        return place

    def go_back(self, slot: int, frame: int) -> Replay:
        """What leads to the state before `frame`; later copies are forgotten."""
        kept = self._kept[slot]
        kept[kept > frame] = NOTHING
        place = int(np.argmax(kept))
        start = max(int(kept[place]), 0)
        self._latest[slot] = start
        span = np.arange(start, frame) % self._length
        return Replay(
            place=place if kept[place] >= 0 else NOTHING,
            frame=int(kept[place]),
            codes=self._codes[slot, span].astype(np.int32),
            levels=self._levels[slot, span],
        )

    def copy(self, slot: int) -> Memory:
        return Memory(self._kept[slot].copy(), self._codes[slot].copy(), self._levels[slot].copy())

    def paste(self, slot: int, memory: Memory) -> None:
        self._kept[slot], self._codes[slot], self._levels[slot] = memory.kept, memory.codes, memory.levels
        self._latest[slot] = max(int(memory.kept.max()), 0)
