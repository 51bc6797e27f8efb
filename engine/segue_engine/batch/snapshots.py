# SPDX-License-Identifier: Apache-2.0
"""Whole slots set aside: everything that a slot's future depends on, on the host and on the device. One thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.carried import CarriedHistory, Memory
from segue_engine.batch.chunks import ChunkMemory, Chunks
from segue_engine.batch.placement import Placement
from segue_engine.batch.plan import Entries, Plans
from segue_engine.batch.prefill import Prefills
from segue_engine.batch.slots import SlotTable
from segue_engine.contract import EngineError, Past, SlotHandle


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A slot's frame counters, inputs, plan, histories and the state of its row."""

    head: int
    top: int
    offset: int
    inputs: NDArray[np.int32]
    plan: Entries
    memory: Memory
    history: NDArray[np.int32]
    past: Past
    chunks: ChunkMemory | None
    state: Any


class Snapshots:
    """Snapshots of an engine that were not dropped. Whoever takes one has received what was under way for the slot."""

    def __init__(
        self,
        table: SlotTable,
        plans: Plans,
        carried: CarriedHistory,
        prefills: Prefills,
        placement: Placement,
        chunks: Chunks | None,
    ) -> None:
        self._table = table
        self._plans = plans
        self._carried = carried
        self._prefills = prefills
        self._placement = placement
        self._chunks = chunks
        self._held: dict[int, Snapshot] = {}

    def take(self, slot: int) -> Snapshot:
        bank, row = self._placement.of(slot)
        taken = Snapshot(
            head=int(self._table.heads[slot]),
            top=int(self._table.tops[slot]),
            offset=int(self._prefills.offset[slot]),
            inputs=bank.inputs.packed[row].copy(),
            plan=self._plans.copy(slot),
            memory=self._carried.copy(slot),
            history=self._prefills.left(slot),
            past=self._prefills.left_past(slot),
            chunks=self._chunks.copy(slot) if self._chunks is not None else None,
            state=bank.take(row),
        )
        self._held[id(taken)] = taken
        return taken

    def restore(self, snapshot: object) -> tuple[SlotHandle, int]:
        """A slot, on any device, that goes on from the snapshot, and its head. Raises EngineError, EngineFullError."""
        taken = self._held.get(id(snapshot))
        if taken is None:
            raise EngineError("snapshot: expected one that this engine took and that was not dropped")
        handle = self._table.claim()
        slot = handle.index
        self._table.heads[slot], self._table.tops[slot] = taken.head, taken.top
        bank, row = self._placement.place(slot)
        bank.inputs.packed[row] = taken.inputs
        bank.put(row, taken.state)
        self._plans.paste(slot, taken.head, taken.plan)
        self._carried.paste(slot, taken.memory)
        self._prefills.paste(slot, taken.offset, taken.history, taken.past)
        if self._chunks is not None and taken.chunks is not None:
            self._chunks.paste(slot, taken.chunks)
        return handle, taken.head

    def drop(self, snapshot: object) -> None:
        self._held.pop(id(snapshot), None)

    def clear(self) -> None:
        self._held.clear()
