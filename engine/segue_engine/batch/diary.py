# SPDX-License-Identifier: Apache-2.0
"""What a slot engine tells its journal. With nobody to tell it costs nothing; else one comparison over slots a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import Blocks, Conditioning, Past, SlotHandle
from segue_engine.journal import (
    Began,
    Ended,
    Faulted,
    Handed,
    Journal,
    Listened,
    Restored,
    Steered,
    Stepped,
    TookIn,
    WentBack,
    Window,
)

Ints = NDArray[np.int64]


class Diary:
    """`last[slot]` is the window that made the slot's last frame, as one number. Device thread."""

    def __init__(self, slots: int) -> None:
        self._journal: Journal | None = None
        self._slots = slots
        self._last: Ints = np.full(slots, -1, np.int64)

    def keep(self, journal: Journal | None) -> None:
        self._journal = journal
        self._last[:] = -1

    @property
    def kept(self) -> bool:
        """Whether there is somebody to tell."""
        return self._journal is not None

    def began(
        self, slot: SlotHandle, seed: int, conditioning: Conditioning, history: NDArray[np.int32], past: Past
    ) -> None:
        if self._journal is not None:
            self._last[slot.index] = -1
            self._journal(Began(slot, 0, seed, conditioning, history, past))

    def steered(self, slot: SlotHandle, head: int, plan: Sequence[tuple[int, Conditioning]]) -> None:
        if self._journal is not None:
            self._journal(Steered(slot, head, tuple(plan)))

    def took_in(self, slot: SlotHandle, count: int, sounded: int) -> None:
        if self._journal is not None:
            self._journal(TookIn(slot, 0, count, sounded))

    def listened(self, slot: SlotHandle, head: int, number: int, began: Window, landed: Window) -> None:
        if self._journal is not None:
            self._journal(Listened(slot, head, number, began, landed))

    def made(self, slots: Ints, epochs: Ints, frames: Ints, size: int, positions: Ints, guided: bool) -> None:
        """A program of so many rows has been dispatched for these slots; tells those that another one made before."""
        if self._journal is None:
            return
        key = 2 * (size * self._slots + positions) + guided  # positions are fewer than slots
        news = key != self._last[slots]
        if not news.any():
            return
        self._last[slots] = key
        several = int(news.sum())
        self._journal(
            Stepped(
                *(slots[news], epochs[news], frames[news]),
                *(np.full(several, size, np.int64), positions[news], np.full(several, guided)),
            )
        )

    def went_back(self, slot: SlotHandle, head: int, reached: int, copied: int) -> None:
        if self._journal is not None:
            self._journal(WentBack(slot, head, reached, copied))

    def faulted(self, slot: SlotHandle, head: int) -> None:
        if self._journal is not None:
            self._journal(Faulted(slot, head))

    def restored(self, slot: SlotHandle, head: int) -> None:
        if self._journal is not None:
            self._last[slot.index] = -1
            self._journal(Restored(slot, head))

    def ended(self, slot: SlotHandle, handed: int) -> None:
        if self._journal is not None:
            self._journal(Ended(slot, handed))

    def handed(self, blocks: Blocks) -> None:
        if self._journal is not None:
            self._journal(Handed(blocks))
