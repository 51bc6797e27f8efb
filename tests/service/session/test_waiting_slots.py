# SPDX-License-Identifier: Apache-2.0
"""A slot that is due need not get a frame: before each chunk a pass is worked off. Pacing follows what really came."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import Blocks, Conditioning, SlotHandle
from segue_service.observe.metrics import Metrics
from segue_service.session import slot_work, stepping
from segue_service.session.device_thread import Device, DeviceThread, StepReport
from segue_service.session.landing import Bound
from segue_service.session.library import Library
from segue_service.session.offline import Performer
from segue_service.session.pacing import Pacer
from segue_service.session.timeline import Axis
from segue_service.soundtrack import parse_soundtrack

FRAME = 1920
CHUNK, PIECES = 5, 3


class Chunked(FakeEngine):
    """Makes the fake's frames in chunks of 5; a slot waits for 3 steps that name it before each chunk."""

    def __init__(self, slots: int = 4, pieces: int = PIECES, **info: Any) -> None:
        super().__init__(slots, **info)
        self.pieces = pieces
        self._worked = np.zeros(slots, np.int64)

    def insert(self, *arguments: Any, **named: Any) -> SlotHandle:
        handle = super().insert(*arguments, **named)
        self._worked[handle.index] = 0
        return handle

    def step(self, due: Sequence[SlotHandle] | None = None) -> Blocks | None:
        named = self._table.due(due)
        waits = (self._table.heads[named] % CHUNK == 0) & (self._worked[named] < self.pieces)
        self._worked[named] = np.where(waits, self._worked[named] + 1, 0)
        return super().step([SlotHandle(slot, int(self._table.epochs[slot])) for slot in named[~waits].tolist()])


def claim(device: Device, engine: FakeEngine, target: int, limit: int = 10_000, *, playing: bool = False) -> Bound:
    bound = slot_work.claim(
        *(device, 5, [(0, Conditioning())], Axis(engine.info)), frame=0, target=target * FRAME, limit=limit, active=True
    )
    slot_work.play(device, bound, playing=playing, begin=None)
    return bound


def frames_of(reports: list[StepReport]) -> dict[tuple[int, int], list[int]]:
    """What was handed over, by slot and epoch."""
    found = defaultdict(list)
    for blocks in (report.blocks for report in reports if report.blocks is not None):
        for slot, epoch, frame in zip(blocks.slots, blocks.epochs, blocks.first_frame, strict=True):
            found[int(slot), int(epoch)].append(int(frame))
    return found


async def test_leads_and_limits_are_those_of_the_frames_that_came(wait_until: Any) -> None:
    reports: list[StepReport] = []
    engine, metrics = Chunked(2, mastering_delay_samples=72), Metrics()
    thread = DeviceThread(engine, reports.append, metrics)
    await thread.start()
    free = await thread.submit(lambda device: claim(device, engine, target=12))
    held = await thread.submit(lambda device: claim(device, engine, target=12, limit=7))
    await wait_until(lambda: sum(map(len, frames_of(reports).values())) >= 13 + 7)
    await thread.submit(lambda device: None)
    heads = engine.heads()[[free.handle.index, held.handle.index]].tolist()
    assert heads == [13, 7], "12 frames of lead are 12 and the 72 samples that are never heard; 7 is the limit"
    assert thread.pacer.head[:2].tolist() == [13 * FRAME - 72, 7 * FRAME - 72]
    assert thread.pacer.due(1e9).size == 0
    await thread.stop()
    assert sorted(frames_of(reports).values(), key=len) == [list(range(7)), list(range(13))], "each once, in order"
    value = metrics.registry.get_sample_value
    assert value("segue_step_rows_sum") == 13 + 7
    assert value("segue_step_waiting_sum") == PIECES * (3 + 2)


async def test_nothing_that_plays_is_overtaken_as_long_as_passes_are_worked_off_in_time(wait_until: Any) -> None:
    reports: list[StepReport] = []
    engine = Chunked(slots=1, pieces=2)
    thread = DeviceThread(engine, reports.append, Metrics())
    await thread.start()
    bound = await thread.submit(lambda device: claim(device, engine, target=25))
    await wait_until(lambda: engine.heads()[0] >= 25)
    await thread.submit(lambda device: slot_work.play(device, bound, playing=True, begin=None))
    await wait_until(lambda: engine.heads()[0] >= 40)
    lead = await thread.submit(lambda device: device.pacer.leads(np.array([0]), device.now())[0])
    true = await thread.submit(lambda device: device.engine.heads()[0] * FRAME == device.pacer.head[0])
    await thread.stop()
    assert true
    assert 0.0 < lead < 26 * 0.04
    assert not any(report.overtaken.size for report in reports)


def test_an_underrun_of_a_slot_that_waits_is_one() -> None:
    pacer = Pacer(1)
    pacer.bind(0, 3 * FRAME, target=FRAME, playhead=0.0, now=0.0, active=True, frame=3)
    pacer.play(0, 0.0, playing=True)
    slots = np.array([0])
    assert pacer.overtaken(1.0).tolist() == [0]
    for now in (1.1, 1.2, 1.3):
        assert pacer.follow(slots, np.array([3])).tolist() == [False]
        assert pacer.overtaken(now).size == 0
        assert pacer.due(now).tolist() == [0]
    assert pacer.follow(slots, np.array([4])).tolist() == [True]
    assert pacer.head[0] == 4 * FRAME
    assert pacer.overtaken(1.31).size == 0, "the playhead has waited at the head"
    assert pacer.overtaken(2.0).tolist() == [0]


async def test_waiting_is_no_busy_loop_and_holds_back_no_frames() -> None:
    now = 100.0
    reports: list[StepReport] = []
    engine = Chunked(slots=2, pieces=1000)
    thread = DeviceThread(engine, reports.append, Metrics(), clock=lambda: now)
    device = thread._device
    claim(device, engine, target=8)
    for _ in range(50):
        wait = thread._turn()
        assert wait is not None
        assert 0.0 < wait <= 0.002, "the pass goes on between ticks, but never without a breath"
        now += wait
    engine.pieces = 0
    assert thread._turn() == 0.0, "frames follow each other at once"
    while (wait := thread._turn()) is not None:
        now += wait
    await asyncio.sleep(0)
    assert engine.heads()[0] == 8
    assert sum(map(len, frames_of(reports).values())) == 8, "the last one is not left under way"


async def test_a_slot_is_renewed_while_it_waits_and_the_others_go_on(wait_until: Any) -> None:
    reports: list[StepReport] = []
    engine = Chunked(slots=3)
    axis = Axis(engine.info)
    thread = DeviceThread(engine, reports.append, Metrics())
    await thread.start()
    old = await thread.submit(lambda device: claim(device, engine, target=10))
    await wait_until(lambda: engine.heads()[old.handle.index] == 10)

    def renew(device: Device) -> tuple[Bound, Any, Bound, int]:
        other = claim(device, engine, target=20)
        new, _, tail = slot_work.renew(device, old, 6, 10, [(10, Conditioning())], 500, axis)
        return new, tail, other, int(engine.heads()[other.handle.index])

    new, tail, other, meanwhile = await thread.submit(renew)
    assert meanwhile == 1
    await wait_until(lambda: engine.heads()[other.handle.index] == 20 and engine.heads()[new.handle.index] == 0)
    await thread.submit(lambda device: device.flush())
    assert thread.pacer.head[new.handle.index] == 10 * FRAME
    await thread.stop()
    frames = frames_of(reports)
    assert frames[old.handle.index, old.handle.epoch] == list(range(10)), "its last frame is kept back"
    assert frames[other.handle.index, other.handle.epoch] == list(range(20))
    plain = FakeEngine(slots=1)
    plain.insert(5, Conditioning())
    made = [plain.step() for _ in range(12)][11]
    assert made is not None
    assert made.first_frame.tolist() == [10]
    np.testing.assert_array_equal(tail, made.pcm[0])


async def test_a_slot_is_renewed_from_the_first_frame_that_can_be_gone_back_to() -> None:
    """The head may have gone on since the place was worked out, and so has the end of what a rewind reaches."""
    engine = FakeEngine(slots=1, rewind_frames=20)
    thread = DeviceThread(engine, lambda report: None, Metrics())
    await thread.start()
    styles = [Conditioning(style_codes=(code,)) for code in range(3)]

    def renew(device: Device) -> tuple[Bound, int, list[int]]:
        old = claim(device, engine, target=0)
        for _ in range(100):
            engine.step()
        entries = [(70, styles[0]), (78, styles[1]), (85, styles[2])]
        new, frame, _ = slot_work.renew(device, old, 6, 70, entries, 500, Axis(engine.info))
        codes = []
        for _ in range(7):
            engine.step()
            made = engine.flush()
            assert made is not None
            codes.append(int(made.codes[0, 0, 1]))
        return new, frame, codes

    new, frame, codes = await thread.submit(renew)
    await thread.stop()
    assert (frame, new.offset) == (80, 80)
    assert codes == [1] * 5 + [2] * 2, "under what holds there, and then what was planned"


def test_an_engine_that_is_stuck_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "PATIENCE", 20)
    engine = Chunked(slots=1, pieces=19)
    slot = engine.insert(1, Conditioning())

    def go_on() -> None:
        for _ in stepping.until_frame(engine, slot):
            engine.step([slot])

    for _ in range(CHUNK):
        go_on()
    assert engine.head(slot) == CHUNK
    engine.pieces = 10**9
    with pytest.raises(RuntimeError, match="slot 0 has no frame 5 after 20 steps"):
        go_on()


async def test_it_is_the_same_music_over_the_wire_and_after_a_reset(start: Any) -> None:
    heard = []
    for engine in (FakeEngine(slots=2), Chunked(slots=2)):
        async with start(engine=engine) as rig:
            opened = await rig.create(target_lead_ms=2000)
            audio, _ = await opened.hear(30 * FRAME)
            outcome = await opened.call("ResetContext", seed=9)
            whole, messages = await opened.hear(outcome.audible_at_sample + 10 * FRAME, from_sample=0)
            heard.append(audio)
            assert len(whole) == 4 * (outcome.audible_at_sample + 10 * FRAME)
            assert not any(message.HasField("warning") and message.warning.code == 5 for message in messages)
    assert heard[0] == heard[1]


def test_offline_takes_as_many_steps_as_it_takes(soundtrack_text: str) -> None:
    async def play(engine: FakeEngine) -> bytes:
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(soundtrack_text))
            return (await Performer(engine, record, 7, executor).perform(23)).pcm.tobytes()

    assert asyncio.run(play(FakeEngine(slots=1))) == asyncio.run(play(Chunked(slots=1)))
