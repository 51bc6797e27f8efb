# SPDX-License-Identifier: Apache-2.0
"""Encoder passes of slots at the beginning of a chunk, a few pieces a step, so that they never hold up the others.

One pass is under way per bank. A slot whose style was changed early queues behind those whose chunks end in the steps
that its own had left: a session that is steered all the time waits for it itself, and nobody waits for ever.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.chunks import Chunk, Chunks
from segue_engine.batch.diary import Diary
from segue_engine.batch.placement import Placement
from segue_engine.batch.plan import Plans
from segue_engine.batch.prefill import Prefills
from segue_engine.batch.slots import SlotTable
from segue_engine.contract import Conditioning
from segue_engine.frame_model import ChunkEncoder
from segue_engine.journal import Window

Ints = NDArray[np.int64]


@dataclass
class _Pass:
    """A pass under way: it began in `window`, and `pieces` of it are done and led to `work`."""

    slot: int
    epoch: int
    chunk: Chunk
    number: int
    window: Window
    pieces: int
    work: Any


@dataclass(frozen=True)
class _Waiting:
    slot: int
    chunk: Chunk
    conditioning: Conditioning


class Passes:
    """Passes of an engine's slots; `budget` pieces a bank and step."""

    def __init__(
        self,
        encoder: ChunkEncoder,
        chunks: Chunks,
        table: SlotTable,
        plans: Plans,
        prefills: Prefills,
        placement: Placement,
        diary: Diary,
        budget: int,
    ) -> None:
        self._encoder = encoder
        self._chunks = chunks
        self._table = table
        self._plans = plans
        self._prefills = prefills
        self._placement = placement
        self._diary = diary
        self._budget = budget
        self._under_way: dict[int, _Pass] = {}
        self._since: dict[tuple[int, int], int] = {}
        self._steps = 0
        self._last: Any = None

    def work(self, slots: Ints) -> Ints:
        """Do some of the passes that the due slots wait for; gives the slots that can go on."""
        self._steps += 1
        heads = self._table.heads[slots]
        unsure = (self._plans.next[slots] <= heads) | (heads >= self._chunks.until[slots])
        waiting: dict[int, list[_Waiting]] = defaultdict(list)
        for slot in slots[unsure].tolist():
            conditioning = self._plans.at(slot, int(self._table.heads[slot]))
            chunk = self._chunks.settle(slot, int(self._table.heads[slot]), self._encoder.heard(conditioning))
            if self._chunks.lacks(slot, chunk) is None:
                self._chunks.ready(slot, chunk)
            else:
                waiting[int(self._placement.bank[slot])].append(_Waiting(slot, chunk, conditioning))
        left = [slot for bank, those in waiting.items() for slot in self._advance(bank, self._in_order(those))]
        self._forget(left)
        return slots[~np.isin(slots, left)]

    def wait(self) -> None:
        """Wait for the pieces that were dispatched."""
        if self._last is not None:
            jax.block_until_ready(self._last)  # type: ignore[no-untyped-call]
            self._last = None

    def went_back(self, slot: int) -> None:
        """The slot may play something else now: what a pass under way has heard of it counts no more."""
        self._under_way = {bank: one for bank, one in self._under_way.items() if one.slot != slot}

    def _in_order(self, waiting: list[_Waiting]) -> list[_Waiting]:
        for one in waiting:
            self._since.setdefault(self._key(one.slot), self._steps)
        return sorted(waiting, key=lambda one: self._since[self._key(one.slot)] - self._chunks.age(one.slot))

    def _advance(self, bank: int, waiting: list[_Waiting]) -> list[int]:
        """Up to the budget's pieces in one bank; gives the slots that still wait."""
        budget = self._budget
        current = self._under_way.get(bank)
        if current is not None:  # what has begun is finished first
            waiting.sort(key=lambda one: not self._is(current, one))
        while waiting and budget:
            one = waiting[0]
            budget = self._go_on(bank, one, budget)
            if self._chunks.lacks(one.slot, one.chunk) is not None:
                break
            self._chunks.ready(one.slot, one.chunk)
            waiting.pop(0)
        return [one.slot for one in waiting]

    def _go_on(self, index: int, one: _Waiting, budget: int) -> int:
        """Pieces of one slot's passes until all have landed or the budget is spent; gives what is left of it."""
        bank, row = self._placement.of(one.slot)
        while budget and (number := self._chunks.lacks(one.slot, one.chunk)) is not None:
            current = self._under_way.get(index)
            if current is None or not self._is(current, one) or self._stale(current, one):
                frame = one.chunk.begun + int(self._prefills.offset[one.slot])
                window = bank.window_of(row)
                work = bank.begin_pass(row, frame, one.conditioning, number)
                epoch = int(self._table.epochs[one.slot])
                current = self._under_way[index] = _Pass(one.slot, epoch, one.chunk, number, window, 0, work)
            if current.pieces < self._encoder.pieces:
                current.work = self._last = bank.go_on_pass(current.work, current.pieces)
                current.pieces += 1
            else:
                window = bank.window_of(row)
                self._last = bank.land_pass(row, current.work, number)
                self._chunks.land(one.slot, one.chunk, number)
                handle, head = self._table.handle(one.slot), int(self._table.heads[one.slot])
                self._diary.listened(handle, head, number, current.window, window)
                del self._under_way[index]
            budget -= 1
        return budget

    def _is(self, current: _Pass, one: _Waiting) -> bool:
        """Whether the pass under way is the waiting slot's, of the same beginning."""
        mine = (one.slot, int(self._table.epochs[one.slot]), one.chunk.begun)
        return (current.slot, current.epoch, current.chunk.begun) == mine

    def _stale(self, current: _Pass, one: _Waiting) -> bool:
        """Whether the pass hears a conditioning that has changed since it began."""
        return self._encoder.passes[current.number] and current.chunk.heard != one.chunk.heard

    def _key(self, slot: int) -> tuple[int, int]:
        return slot, int(self._table.epochs[slot])

    def _forget(self, left: list[int]) -> None:
        """Who waits no longer has no place in the queue."""
        if self._since:
            keys = {self._key(slot) for slot in left}
            self._since = {key: step for key, step in self._since.items() if key in keys}
