# SPDX-License-Identifier: Apache-2.0
"""A session whose model falls ill recovers by itself and says so; what can't be cured is left alone, and said too."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from segue.v1 import stream_pb2
from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import OVER_RANGE, SILENT, Blocks, Conditioning, SlotHandle
from segue_service.session.ears import StyleCodesEar

CAUSES = {
    "loop": stream_pb2.Refreshed.CAUSE_LOOP,
    "silence": stream_pb2.Refreshed.CAUSE_SILENCE,
    "over_range": stream_pb2.Refreshed.CAUSE_OVER_RANGE,
}
QUICK = {"guard_loop_ms": 200, "guard_silence_ms": 200, "guard_over_range_ms": 200, "guard_cooldown_ms": 1_000}


class SickEngine(FakeEngine):
    """Slots that are made to fall ill stay so until they are freed; with `incurable` the next ones are ill too."""

    def __init__(self, slots: int = 4) -> None:
        super().__init__(slots=slots)
        self.illness = ""
        self.incurable = False
        self.inserts = 0
        self._ill: set[tuple[int, int]] = set()
        self._known: set[tuple[int, int]] = set()
        self._silent: Counter[tuple[int, int]] = Counter()

    def insert(self, seed: int, conditioning: Conditioning, *more: Any, **others: Any) -> SlotHandle:
        handle = super().insert(seed, conditioning, *more, **others)
        self._known.add((handle.index, handle.epoch))
        self.inserts += 1
        if self.incurable:
            self._ill.add((handle.index, handle.epoch))
        return handle

    def fall_ill(self, illness: str, *, incurable: bool = False) -> None:
        """Every slot that is in use."""
        self.illness, self.incurable, self._ill = illness, incurable, set(self._known)

    def step(self, due: Any = None) -> Blocks | None:
        return self._ailing(super().step(due))

    def flush(self) -> Blocks | None:
        return self._ailing(super().flush())

    def _ailing(self, blocks: Blocks | None) -> Blocks | None:
        if blocks is None or not self.illness:
            return blocks
        codes, vitals = blocks.codes.copy(), blocks.vitals.copy()
        for row, key in enumerate(zip(blocks.slots.tolist(), blocks.epochs.tolist(), strict=True)):
            if key in self._ill:
                self._silent[key] += 1
                codes[row] = 5
                vitals[row, :, SILENT] = self._silent[key] if self.illness == "silence" else 0
                vitals[row, :, OVER_RANGE] = self.illness == "over_range"
                if self.illness == "over_range":
                    codes[row] = blocks.codes[row]
        return replace(blocks, codes=codes, vitals=vitals)


def sample(rig: Any, name: str, **labels: str) -> float:
    return rig.server.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize("illness", list(CAUSES))
async def test_a_session_that_falls_ill_begins_afresh(start: Any, wait_until: Any, illness: str) -> None:
    engine = SickEngine()
    async with start(engine=engine, **QUICK) as rig:
        ill = await rig.create()
        await wait_until(lambda: rig.session(ill).head_sample > 0)
        engine.fall_ill(illness)
        well = await rig.create(seed=8)
        _, messages = await ill.hear(48_000, from_sample=0)
        events = [message.event for message in messages if message.WhichOneof("message") == "event"]
        (refreshed,) = [event for event in events if event.HasField("refreshed")]
        assert refreshed.refreshed.cause == CAUSES[illness]
        assert refreshed.refreshed.seed == rig.session(ill).seed != 7
        assert refreshed.sample > 0
        chunks = [message.audio for message in messages if message.WhichOneof("message") == "audio"]
        ends = [chunk.first_sample + len(chunk.payload) // 4 for chunk in chunks]
        assert all(chunk.first_sample <= end for chunk, end in zip(chunks[1:], ends, strict=False)), "without a gap"
        assert rig.session(well).seed == 8
        assert sample(rig, "segue_guard_verdicts_total", cause=illness) == 1
        assert sample(rig, "segue_refreshes_total", cause=illness) == 1


async def test_what_cannot_be_cured_is_said_once_until_somebody_resets(start: Any, wait_until: Any) -> None:
    engine = SickEngine()
    async with start(engine=engine, guard_refreshes=1, **QUICK) as rig:
        opened = await rig.create()
        await wait_until(lambda: rig.session(opened).head_sample > 0)
        warned: list[str] = []
        before = engine.inserts
        call = opened.stream()

        async def listen() -> None:
            async for message in call:
                if message.warning.code == stream_pb2.Warning.CODE_STILL_FAULTY:
                    warned.append(message.warning.message)  # noqa: PERF401

        listening = asyncio.create_task(listen())
        engine.fall_ill("loop", incurable=True)
        await wait_until(lambda: sample(rig, "segue_guard_given_up_total", cause="loop") == 1)
        await wait_until(lambda: bool(warned))
        assert warned == ["the model repeats itself, also after it began afresh"]
        assert engine.inserts == before + 1
        await asyncio.sleep(0.5)
        assert engine.inserts == before + 1, "left alone"
        engine.incurable = False
        outcome = await opened.call("ResetContext", seed=3)
        assert outcome.audible_at_sample > 0
        assert rig.session(opened).seed == 3
        engine.fall_ill("loop")
        await wait_until(lambda: sample(rig, "segue_guard_verdicts_total", cause="loop") == 2)
        call.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_a_session_that_closes_while_it_is_ill_harms_nobody(start: Any, wait_until: Any) -> None:
    engine = SickEngine()
    async with start(engine=engine, **QUICK) as rig:
        opened = await rig.create()
        listening = asyncio.create_task(opened.hear(480_000))
        await wait_until(lambda: rig.session(opened).head_sample > 0)
        engine.fall_ill("loop")
        await wait_until(lambda: sample(rig, "segue_guard_verdicts_total", cause="loop") == 1)
        await opened.call("CloseSession")
        await listening
        other = await rig.create()
        heard, _ = await other.hear(9_600)
        assert np.frombuffer(heard, np.int16).any()


async def test_adherence_is_told_at_the_sample_that_it_speaks_of(start: Any) -> None:
    async with start(ear=StyleCodesEar(), adherence_every_ms=400) as rig:
        opened = await rig.create()
        _, messages = await opened.hear(3 * 48_000)
        told = [m.event for m in messages if m.WhichOneof("message") == "event" and m.event.HasField("adherence")]
        assert len(told) >= 2
        assert all(event.adherence.similarity == 1.0 for event in told)
        samples = [event.sample for event in told]
        assert min(samples) >= 48_000, "a second of sound, of which it speaks, ends there"
        assert all(later - earlier >= 0.4 * 48_000 for earlier, later in pairwise(samples))
        assert sample(rig, "segue_adherence_count") >= len(told)
