# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import Conditioning
from segue_service.observe.metrics import Metrics
from segue_service.session.device_thread import Device, DeviceThread, StepReport

VERBS = (
    "insert",
    "steer",
    "step",
    "flush",
    "rewind",
    "release",
    "head",
    "heads",
    "snapshot",
    "restore",
    "drop",
    "warm_up",
    "close",
)


class Audited:
    """An engine that notes which thread called which verb."""

    def __init__(self, engine: FakeEngine) -> None:
        self.calls: set[tuple[str, str]] = set()
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name not in VERBS:
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self.calls.add((name, threading.current_thread().name))
            return found(*arguments, **named)

        return call


def claim(target_frames: int) -> Callable[[Device], int]:
    def run(device: Device) -> int:
        handle = device.engine.insert(1, Conditioning())
        device.bind(handle, 0, target_frames * 1920, 0.0, active=True)
        return handle.index

    return run


async def test_it_generates_up_to_the_target_and_then_sleeps(wait_until: Any) -> None:
    reports: list[StepReport] = []
    thread = DeviceThread(FakeEngine(slots=2), reports.append, Metrics())
    await thread.start()
    slot = await thread.submit(claim(5))
    await wait_until(lambda: sum(report.blocks.count for report in reports if report.blocks) == 5)
    assert thread.pacer.head[slot] == 5 * 1920
    await thread.submit(lambda device: None)
    assert thread.pacer.due(1e9).size == 0, "a slot whose playhead stands still is not due again"
    await thread.stop()
    assert [frame for report in reports if report.blocks for frame in report.blocks.first_frame.tolist()] == [
        0,
        1,
        2,
        3,
        4,
    ]


async def test_every_call_of_the_engine_is_on_the_device_thread(start: Any) -> None:
    engine = Audited(FakeEngine(slots=4))
    async with start(engine=engine) as rig:
        opened = await rig.create(target_lead_ms=500)
        await opened.hear(9600)
        await opened.call("PostEvent", event="enemy_spotted")
        await opened.call("ResetContext")
        await opened.call("Pause")
        await opened.call("Stop")
        await opened.call("CloseSession")
    assert {thread for _, thread in engine.calls} == {"segue-device"}
    assert {"insert", "steer", "step", "flush", "release", "head", "heads", "warm_up", "close"} <= {
        verb for verb, _ in engine.calls
    }


async def test_what_a_command_raises_reaches_who_asked() -> None:
    thread = DeviceThread(FakeEngine(slots=1), lambda report: None, Metrics())
    await thread.start()
    with pytest.raises(ZeroDivisionError):
        await thread.submit(lambda device: 1 // 0)
    assert await thread.submit(lambda device: 4) == 4
    await thread.stop()
    with pytest.raises(RuntimeError, match="stopped"):
        await thread.submit(lambda device: 4)


async def test_its_death_is_told() -> None:
    class Broken(FakeEngine):
        steps = 0

        def step(self, due: Any = None) -> Any:
            self.steps += 1
            if self.steps > 3:
                raise RuntimeError("out of memory")
            return super().step(due)

    deaths: list[BaseException] = []
    died = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_death(error: BaseException) -> None:
        deaths.append(error)
        loop.call_soon_threadsafe(died.set)

    thread = DeviceThread(Broken(slots=1), lambda report: None, Metrics(), on_death=on_death)
    await thread.start()
    thread.post(claim(50))
    await asyncio.wait_for(died.wait(), 20)
    assert str(deaths[0]) == "out of memory"
    await thread.stop()


async def test_long_work_is_done_between_steps_and_holds_nobody_up(wait_until: Any) -> None:
    reports: list[StepReport] = []
    thread = DeviceThread(FakeEngine(slots=2), reports.append, Metrics())
    await thread.start()
    seen: list[int] = []

    def begin(device: Device) -> Iterator[int]:
        for piece in range(40):
            seen.append(sum(report.blocks.count for report in reports if report.blocks))
            yield piece
            time.sleep(0.002)

    work = thread.drain(begin)
    await thread.submit(claim(20))
    assert await work == list(range(40))
    await wait_until(lambda: sum(report.blocks.count for report in reports if report.blocks) == 20)
    assert len(set(seen)) > 3, "steps went on while the work was being done"
    assert await thread.drain(lambda device: iter(())) == []

    def broken(device: Device) -> Iterator[int]:
        yield 1
        raise ValueError("the recording is too short")

    with pytest.raises(ValueError, match="too short"):
        await thread.drain(broken)
    endless = thread.drain(lambda device: iter(int, 1))
    await asyncio.sleep(0.01)
    endless.cancel()
    await thread.submit(lambda device: None)
    await thread.stop()


async def test_how_long_it_has_been_at_something_tells_a_step_that_hangs(wait_until: Any) -> None:
    held, metrics = threading.Event(), Metrics()

    class Hanging(FakeEngine):
        def step(self, due: Any = None) -> Any:
            made = super().step(due)
            if thread.pacer.active.any():
                held.wait(20)
            return made

    thread = DeviceThread(Hanging(slots=1), lambda report: None, metrics)
    await thread.start()
    await wait_until(lambda: thread.busy_for() == 0.0)
    await thread.submit(claim(2))
    await wait_until(lambda: thread.busy_for() > 0.05)
    first = thread.busy_for()
    await wait_until(lambda: thread.busy_for() > first)
    held.set()
    await wait_until(lambda: thread.busy_for() == 0.0)
    assert metrics.registry.get_sample_value("segue_part_seconds_count", {"part": "engine"}) == 2.0
    assert (metrics.registry.get_sample_value("segue_part_seconds_count", {"part": "commands"}) or 0.0) >= 2.0
    await thread.stop()
