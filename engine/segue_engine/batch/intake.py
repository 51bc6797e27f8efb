# SPDX-License-Identifier: Apache-2.0
"""Lets new slots take in their history between the others' steps, a few frames in each. One thread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.carried import CarriedHistory
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.diary import Diary
from segue_engine.batch.placement import Placement
from segue_engine.batch.plan import Plans
from segue_engine.batch.prefill import Prefills
from segue_engine.batch.slots import SlotTable

Ints = NDArray[np.int64]


class Intake:
    """What is left to take in is in `prefills`; the rows that take it in are where `placement` says.

    codec_memory: how many frames the model's codec remembers, None: all.
    """

    def __init__(
        self,
        config: SlotEngineConfig,
        codec_memory: int | None,
        table: SlotTable,
        plans: Plans,
        carried: CarriedHistory,
        prefills: Prefills,
        placement: Placement,
        diary: Diary,
    ) -> None:
        self._config = config
        self._codec_memory = codec_memory
        self._table = table
        self._plans = plans
        self._carried = carried
        self._prefills = prefills
        self._placement = placement
        self._diary = diary

    def work(self, slots: Ints) -> Ints:
        """Let the due slots with history left take in some of it; gives the due slots that have none left."""
        budget, sound_budget = self._config.prefill_budget, self._config.sound_budget
        ready = self._prefills.ready(slots)
        for slot in slots[~ready].tolist():
            silent = self._prefills.silent(slot, self._codec_memory)
            count = min(budget, silent + sound_budget)
            if count <= 0:
                continue
            bank, row = self._placement.of(slot)
            held, run = self._prefills.under(slot)
            if held is not None:
                count = min(count, run)
                bank.inputs.set_conditioning(row, held)
            elif self._plans.next[slot] <= 0:
                bank.inputs.set_conditioning(row, self._plans.take(slot, 0))
            frame, codes = self._prefills.take(slot, count)
            sounded = max(0, len(codes) - silent)
            bank.prefill(row, frame, codes, sounded)
            self._diary.took_in(self._table.handle(slot), len(codes), sounded)
            budget -= len(codes)
            sound_budget -= sounded
            if self._prefills.done(slot):
                self._ends(slot)
                ready[np.searchsorted(slots, slot)] = True
        return slots[ready]

    def _ends(self, slot: int) -> None:
        bank, row = self._placement.of(slot)
        # History is as loud as it was, but mastering has heard only the end of it.
        loudness = self._prefills.loudness(slot)
        if loudness is not None:
            bank.recall(row, loudness)
        bank.keep(np.array([row]), np.array([self._carried.keep(slot, 0)]))
