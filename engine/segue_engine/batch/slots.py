# SPDX-License-Identifier: Apache-2.0
"""Who owns which slot: free list, epochs and frame counters of an engine. Host side, numpy only, one thread."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import EngineFullError, SlotHandle, StaleSlotError

IntArray = NDArray[np.int64]

FREE: Final = -1


class SlotTable:
    """`capacity` slots. `epochs[i]` is FREE or the owner's epoch, `heads[i]` the first frame not dispatched yet."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"slots: expected at least 1, got {capacity}")
        self.capacity = capacity
        self.epochs: IntArray = np.full(capacity, FREE, np.int64)
        self.heads: IntArray = np.zeros(capacity, np.int64)
        self.tops: IntArray = np.zeros(capacity, np.int64)
        self._free = list(range(capacity))
        self._epoch = 0

    @property
    def used(self) -> int:
        return self.capacity - len(self._free)

    def claim(self) -> SlotHandle:
        """The lowest free slot, at frame 0, under an epoch never used before. Raises EngineFullError."""
        if not self._free:
            raise EngineFullError(f"all {self.capacity} slots are in use")
        index = heapq.heappop(self._free)
        epoch, self._epoch = self._epoch, self._epoch + 1
        self.epochs[index] = epoch
        self.heads[index] = self.tops[index] = 0
        return SlotHandle(index, epoch)

    def handles(self) -> list[SlotHandle]:
        """Handles of all bound slots."""
        return [self.handle(i) for i in np.flatnonzero(self.epochs != FREE).tolist()]

    def handle(self, index: int) -> SlotHandle:
        """The handle of a bound slot."""
        return SlotHandle(index, int(self.epochs[index]))

    def owns(self, handle: SlotHandle) -> bool:
        return 0 <= handle.index < self.capacity and handle.epoch >= 0 and self.epochs[handle.index] == handle.epoch

    def check(self, handle: SlotHandle) -> int:
        """The handle's slot index. Raises StaleSlotError."""
        if not self.owns(handle):
            raise StaleSlotError(f"slot {handle.index} no longer belongs to epoch {handle.epoch}")
        return handle.index

    def release(self, handle: SlotHandle) -> bool:
        """Free the slot; False for a stale handle, which changes nothing."""
        if not self.owns(handle):
            return False
        self.epochs[handle.index] = FREE
        heapq.heappush(self._free, handle.index)
        return True

    def go_back(self, index: int, frame: int, reach: int) -> int:
        """Set the head back to `frame`, or as near as history goes: `reach` frames behind the furthest head ever."""
        head = int(self.heads[index])
        self.tops[index] = top = max(head, int(self.tops[index]))
        reached = min(max(frame, top - reach, 0), head)
        self.heads[index] = reached
        return reached

    def due(self, handles: Sequence[SlotHandle] | None) -> IntArray:
        """Slot indices named by the handles, ascending, each once, stale ones left out; None names all bound slots."""
        if handles is None:
            return np.flatnonzero(self.epochs != FREE)
        count = len(handles)
        index = np.fromiter((h.index for h in handles), np.int64, count)
        epoch = np.fromiter((h.epoch for h in handles), np.int64, count)
        inside = (index >= 0) & (index < self.capacity) & (epoch >= 0)
        index, epoch = index[inside], epoch[inside]
        named = np.zeros(self.capacity, np.bool_)
        named[index[self.epochs[index] == epoch]] = True
        return np.flatnonzero(named)
