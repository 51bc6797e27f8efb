# SPDX-License-Identifier: Apache-2.0
"""History that new slots have still to take in, a few frames a step, so that it never holds up the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import STYLE_CODES, Conditioning, ConditioningError, Past

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
        self._under: dict[int, list[tuple[int, Conditioning]]] = {}
        self._loudness: dict[int, tuple[float, float, float]] = {}

    @property
    def waiting(self) -> bool:
        """Whether any slot has history left."""
        return bool(self._left)

    def start(self, slot: int, codes: Codes, past: Past) -> None:
        """A new owner. The first of the past's conditionings counts from the beginning of the codes on."""
        self.paste(slot, len(codes), codes, past)

    def paste(self, slot: int, offset: int, codes: Codes, past: Past) -> None:
        self.clear(slot)
        self.offset[slot] = offset
        if not len(codes):
            return
        self._left[slot] = codes
        self._under[slot] = [(max(frame, -len(codes)), conditioning) for frame, conditioning in past.conditionings]
        if past.loudness is not None:
            self._loudness[slot] = past.loudness

    def clear(self, slot: int) -> None:
        self._left.pop(slot, None)
        self._under.pop(slot, None)
        self._loudness.pop(slot, None)

    def left(self, slot: int) -> Codes:
        """What the slot has still to take in."""
        return self._left.get(slot, np.zeros((0, 0), np.int32))

    def left_past(self, slot: int) -> Past:
        """What is known of that."""
        return Past(tuple(self._under.get(slot, ())), self._loudness.get(slot))

    def loudness(self, slot: int) -> tuple[float, float, float] | None:
        """What is known of the loudness after the last frame, once that has been taken in."""
        return self._loudness.pop(slot, None)

    def done(self, slot: int) -> bool:
        return slot not in self._left

    def ready(self, slots: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the slots have nothing left to take in."""
        return ~np.isin(slots, list(self._left))

    def silent(self, slot: int, memory: int | None) -> int:
        """How many of the frames left are too long ago for the codec, which remembers `memory` frames (None: all)."""
        return 0 if memory is None else max(0, len(self._left[slot]) - memory)

    def under(self, slot: int) -> tuple[Conditioning | None, int]:
        """What the next frames were played under, None if nobody said, and how many of them were."""
        left, under = len(self._left[slot]), self._under[slot]
        while len(under) > 1 and under[1][0] <= -left:
            del under[0]
        if not under:
            return None, left
        return under[0][1], left + under[1][0] if len(under) > 1 else left

    def take(self, slot: int, count: int) -> tuple[int, Codes]:
        """At most `count` frames of what is left, and the model's frame number of the first."""
        codes = self._left.pop(slot)
        if len(codes) > count:
            self._left[slot] = codes[count:]
        else:
            self._under.pop(slot, None)
        return int(self.offset[slot]) - len(codes), codes[:count]
