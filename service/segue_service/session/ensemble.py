# SPDX-License-Identifier: Apache-2.0
"""Plays many parts offline, as many at a time as there are slots; a part that is over makes room for the next one.

Nothing here depends on a clock, so the same parts on the same engine and slots sound the same every time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from segue_engine.contract import Blocks, Engine, SlotHandle
from segue_service.session.playing import Part, Performance, clocks_of
from segue_service.session.stepping import PATIENCE


@dataclass(slots=True)
class _Running:
    place: int
    part: Part
    handle: SlotHandle


async def perform_all(
    engine: Engine, parts: Sequence[Part], slots: int, on_frames: Callable[[int], None] = lambda _: None
) -> AsyncIterator[tuple[int, Performance]]:
    """(index of the part, what it played), each as soon as it is over, on at most `slots` slots of an engine that
    nobody else drives meanwhile; on_frames is told how many frames came. Close the iterator to stop early: every slot
    is released then. Raises EngineFullError, ConditioningError.
    """
    waiting = deque(enumerate(parts))
    running: dict[int, _Running] = {}
    idle = 0
    try:
        while waiting or running:
            while waiting and len(running) < slots:
                place, part = waiting.popleft()
                entries = await part.begin()
                handle = engine.insert(part.seed, entries[0][1])
                running[handle.index] = _Running(place, part, handle)
                engine.steer(handle, entries[1:])
            for one in running.values():
                if entries := await one.part.plan(engine.head(one.handle)):
                    engine.steer(one.handle, entries)
            await asyncio.sleep(0)  # where Ctrl-C and cancellation get their turn
            engine.step([one.handle for one in running.values()])
            blocks = engine.flush()
            idle = idle + 1 if blocks is None else 0
            if idle > PATIENCE:
                raise RuntimeError(f"no slot has a frame after {PATIENCE} steps in which all were due")
            if blocks is None:
                continue
            over = _hand_over(engine, blocks, running)
            on_frames(blocks.count)
            for one in over:
                engine.release(one.handle)
                del running[one.handle.index]
                yield one.place, one.part.finish()
    finally:
        for one in running.values():
            engine.release(one.handle)


def _hand_over(engine: Engine, blocks: Blocks, running: dict[int, _Running]) -> list[_Running]:
    """Gives every row to its part; those that are over, in order."""
    over = []
    for row, clock in enumerate(clocks_of(engine, blocks)):
        one = running[int(blocks.slots[row])]
        one.part.take(blocks.pcm[row].copy(), blocks.codes[row, 0].copy(), clock)
        if int(blocks.first_frame[row]) + 1 >= one.part.last:
            over.append(one)
    return sorted(over, key=lambda one: one.place)
