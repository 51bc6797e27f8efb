# SPDX-License-Identifier: Apache-2.0
"""History that new slots have still to take in, a few frames a step, so that it never holds up the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import STYLE_CODES, ConditioningError

Codes = NDArray[np.int32]


def checked(prefill: NDArray[np.integer] | None, levels: int) -> Codes:
    """Prefill codes as int32[frames, levels]. Raises ConditioningError."""
    if prefill is None:
        return np.zeros((0, levels), np.int32)
    if prefill.ndim != 2 or prefill.shape[1] != levels:
        raise ConditioningError(f"prefill: expected int[frames, {levels}], got shape {list(prefill.shape)}")
    if prefill.size and (int(prefill.min()) < 0 or int(prefill.max()) >= STYLE_CODES):
        raise ConditioningError(f"prefill: expected codes 0..{STYLE_CODES - 1}")
    return prefill.astype(np.int32)


class Prefills:
    """Per slot: the codes left to take in, and `offset`, the model's frame number of the slot's frame 0."""

    def __init__(self, slots: int) -> None:
        self.offset: NDArray[np.int64] = np.zeros(slots, np.int64)
        self._left: dict[int, Codes] = {}

    @property
    def waiting(self) -> bool:
        """Whether any slot has history left."""
        return bool(self._left)

    def start(self, slot: int, codes: Codes) -> None:
        self.paste(slot, len(codes), codes)

    def paste(self, slot: int, offset: int, codes: Codes) -> None:
        self.offset[slot] = offset
        if len(codes):
            self._left[slot] = codes

    def clear(self, slot: int) -> None:
        self._left.pop(slot, None)

    def left(self, slot: int) -> Codes:
        """What the slot has still to take in."""
        return self._left.get(slot, np.zeros((0, 0), np.int32))

    def done(self, slot: int) -> bool:
        return slot not in self._left

    def ready(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the slots have nothing left to take in."""
        return ~np.isin(slots, list(self._left))

    def silent(self, slot: int, memory: int | None) -> int:
        """How many of the frames left are too long ago for the codec, which remembers `memory` frames (None: all)."""
        return 0 if memory is None else max(0, len(self._left[slot]) - memory)

    def take(self, slot: int, count: int) -> tuple[int, Codes]:
        """At most `count` frames of what is left, and the model's frame number of the first."""
        codes = self._left.pop(slot)
        if len(codes) > count:
            self._left[slot] = codes[count:]
        return int(self.offset[slot]) - len(codes), codes[:count]
