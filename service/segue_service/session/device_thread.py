# SPDX-License-Identifier: Apache-2.0
"""The one thread that owns the engine.

It runs commands from the event loop, steps the slots that are due, and hands each step's blocks over in one call. Steps
happen on a grid of one frame, so that sessions which became due at different moments share a step; only a slot that is
well below its target lead (a new one) is stepped between ticks. When nothing is due it sleeps until something can be.

A due slot need not get a frame in a step: history or an encoder's pass may have to be worked off first. What counts is
where its head is afterwards.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, Blocks, Conditioning, Engine, SlotHandle
from segue_service.observe.log import logger
from segue_service.observe.metrics import FRAME_SECONDS, Metrics
from segue_service.session.pacing import Pacer
from segue_service.session.stepping import until_frame

T = TypeVar("T")
_TICK: Final = 1.0 / FRAME_RATE
_BREATH: Final = 0.001
"""Least time between a step in which nothing got a frame and the next between ticks, for an engine that only waits."""
_PARTS: Final = ("commands", "engine", "flush", "background")
_log = logger("device")


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one hand-over brings: blocks, and the slots whose playhead overtook their head (an underrun).

    began: when the step that made the blocks was begun (time.monotonic).
    """

    blocks: Blocks | None
    overtaken: NDArray[np.int64]
    began: float = 0.0


@dataclass(slots=True)
class Device:
    """What a command gets to work with. Only ever used on the device thread."""

    engine: Engine
    pacer: Pacer
    handles: NDArray[np.object_]
    now: Callable[[], float]
    deliver: Callable[[Blocks | None], None]

    def flush(self) -> None:
        """Hand over what is under way."""
        self.deliver(self.engine.flush())

    def step(self, due: NDArray[np.int64]) -> tuple[Blocks | None, NDArray[np.bool_]]:
        """Step these slots; gives the blocks of the step before, and which slots have got a frame in this one."""
        blocks = self.engine.step(self.handles[due].tolist())
        return blocks, self.pacer.follow(due, self.engine.heads()[due])

    def rewind(self, handle: SlotHandle, frame: int) -> int:
        """Take a slot back so that `frame` comes next; gives the frame reached, which may be a later one."""
        reached = self.engine.rewind(handle, frame)
        self.pacer.rewound(handle.index, reached, self.now())
        return reached

    def bind(self, handle: SlotHandle, head: int, target: int, playhead: float, *, active: bool) -> None:
        """Enter a slot into the books; `head` is the timeline sample at which its next frame begins."""
        self.handles[handle.index] = handle
        frame = self.engine.head(handle)
        self.pacer.bind(handle.index, head, target, playhead, self.now(), active=active, frame=frame)

    def release(self, handle: SlotHandle) -> None:
        """Free a slot. A stale handle does nothing."""
        if self.handles[handle.index] == handle:
            self.handles[handle.index] = None
            self.pacer.release(handle.index)
        self.engine.release(handle)

    def owns(self, handle: SlotHandle) -> bool:
        """Whether the handle's slot is still its own."""
        return bool(self.handles[handle.index] == handle)


def exit_process(error: BaseException) -> None:
    """What happens if the device thread dies: say why and go. A service without an engine is no service."""
    _log.error("the device thread died; the process exits", error=repr(error), exc_info=error)
    os._exit(70)


class DeviceThread:
    """Owns `engine` from `start` to `stop`. `submit` and `post` may be called from the event loop only."""

    def __init__(
        self,
        engine: Engine,
        on_report: Callable[[StepReport], None],
        metrics: Metrics,
        *,
        on_death: Callable[[BaseException], None] = exit_process,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pacer = Pacer(engine.info.slots)
        self._engine = engine
        self._on_report = on_report
        self._metrics = metrics
        self._parts = {part: metrics.part_seconds.labels(part) for part in _PARTS}
        self._on_death = on_death
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._commands: deque[Callable[[Device], None]] = deque()
        self._background: deque[Iterator[None]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._next_tick = 0.0
        self._rested = 0.0
        self._began = 0.0
        self._busy_since: float | None = None
        handles = np.empty(engine.info.slots, object)
        self._device = Device(engine, self.pacer, handles, clock, self._deliver)
        self._thread = threading.Thread(target=self._run, name="segue-device", daemon=True)

    async def start(self) -> None:
        """Warm up and make one frame; raises what the engine raises."""
        self._thread.start()
        await self.submit(self._warm)

    def busy_for(self) -> float:
        """Seconds that the thread has been at what it does now; 0 while it waits. Any thread."""
        since = self._busy_since
        return 0.0 if since is None else max(0.0, self._clock() - since)

    def post(self, command: Callable[[Device], object], session: str = "") -> None:
        """Run a command on the device thread before its next step; nobody waits for it. session: whom to log it for."""
        with self._wake:
            self._commands.append(lambda device: _logged(command, device, session))
            self._wake.notify()

    def submit(self, command: Callable[[Device], T], then: Callable[[T], None] | None = None) -> asyncio.Future[T]:
        """Run a command and give its result. `then(result)` runs on the event loop before any later hand-over."""
        future: asyncio.Future[T] = self._loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if error is None and then is not None:
                try:
                    then(result)  # type: ignore[arg-type]
                except Exception as fault:  # whoever waits must hear of it
                    error = fault
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)  # type: ignore[arg-type]
            else:
                future.set_exception(error)

        def run(device: Device) -> None:
            try:
                result = command(device)
            except Exception as error:
                self._call(settle, None, error)
            else:
                self._call(settle, result, None)

        with self._wake:
            if self._stopping:
                raise RuntimeError("the device thread has stopped")
            self._commands.append(run)
            self._wake.notify()
        return future

    def drain(self, begin: Callable[[Device], Iterator[T]]) -> asyncio.Future[list[T]]:
        """Long work in bounded pieces: one item of the iterator between any two steps, so that nobody's audio waits.

        Cancelling the future ends the work.
        """
        future: asyncio.Future[list[T]] = self._loop.create_future()
        done: list[T] = []

        def settle(error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(done)
            else:
                future.set_exception(error)

        def pieces(device: Device) -> Iterator[None]:
            try:
                for piece in begin(device):
                    done.append(piece)
                    yield
                    if future.cancelled():
                        return
            except Exception as error:
                self._call(settle, error)
            else:
                self._call(settle, None)

        self.post(lambda device: self._background.append(pieces(device)))
        return future

    async def stop(self) -> None:
        """Finish the commands that wait, close the engine and end the thread. Idempotent."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Run something on the event loop; nothing if that is closed already."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            if not self._stopping:
                raise

    def _warm(self, device: Device) -> None:
        engine = device.engine
        engine.warm_up()
        slot = engine.insert(0, Conditioning())
        for _ in until_frame(engine, slot):
            engine.step([slot])
        engine.flush()
        engine.release(slot)
        gc.collect()
        gc.freeze()

    def _run(self) -> None:
        try:
            while True:
                with self._wake:
                    commands = list(self._commands)
                    self._commands.clear()
                    stopping = self._stopping
                if commands:
                    self._busy_since = began = self._clock()
                    for command in commands:
                        command(self._device)
                    self._parts["commands"].observe(self._clock() - began)
                if stopping:
                    break
                self._metrics.queue_depth.set(len(self._commands))
                wait = self._turn()
                self._sleep(0.0 if self._work_off() else wait)
            self._engine.close()
        except BaseException as error:
            self._on_death(error)

    def _work_off(self) -> bool:
        """Do a piece of the first of the long works; gives whether there is more to do."""
        if not self._background:
            return False
        work, began = self._background.popleft(), self._clock()
        if next(work, work) is not work:
            self._background.append(work)
        self._parts["background"].observe(self._clock() - began)
        return bool(self._background)

    def _turn(self) -> float | None:
        """Step what is due, if it is time; gives the seconds for which there is nothing to do (None: for ever)."""
        pacer, now = self.pacer, self._clock()
        self._busy_since = now
        due = pacer.due(now)
        if due.size and now >= self._turn_of(due, now):
            if now >= self._next_tick:
                self._next_tick = max(self._next_tick + _TICK, now + _TICK / 2)
            self._step(due, now)
            now = self._clock()
            due = pacer.due(now)
            if due.size and now >= self._turn_of(due, now):
                return 0.0
            self._device.flush()
            flushing, now = now, self._clock()
            self._parts["flush"].observe(now - flushing)
            due = pacer.due(now)
        wait = pacer.wait(now)
        return None if wait is None else max(wait, self._turn_of(due, now) - now)

    def _turn_of(self, due: NDArray[np.int64], now: float) -> float:
        """When these slots may be stepped: at the next tick, and before it if one of them is urgent."""
        return min(self._next_tick, self._rested) if self.pacer.urgent(due, now) else self._next_tick

    def _step(self, due: NDArray[np.int64], now: float) -> None:
        metrics = self._metrics
        overtaken = self.pacer.overtaken(now)
        leads = self.pacer.leads(due, now)
        blocks, gone_on = self._device.step(due)
        rows = int(gone_on.sum())
        self._rested = 0.0 if rows else now + _BREATH
        spent = self._clock() - now
        self._parts["engine"].observe(spent)
        metrics.lead_seconds.observe(leads[gone_on])
        metrics.step_seconds.observe(spent)
        metrics.step_rows.observe(rows)
        metrics.step_waiting.observe(due.size - rows)
        if spent > FRAME_SECONDS:
            metrics.late_steps.inc()
        self._deliver(blocks, overtaken)
        self._began = now

    def _deliver(self, blocks: Blocks | None, overtaken: NDArray[np.int64] | None = None) -> None:
        if blocks is not None or (overtaken is not None and overtaken.size):
            nobody = np.zeros(0, np.int64)
            report = StepReport(blocks, nobody if overtaken is None else overtaken, self._began)
            self._call(self._on_report, report)

    def _sleep(self, seconds: float | None) -> None:
        if seconds is not None and seconds <= 0.0:
            return
        with self._wake:
            if not self._commands and not self._stopping:
                self._busy_since = None
                self._wake.wait(seconds)


def _logged(command: Callable[[Device], object], device: Device, session: str) -> None:
    try:
        command(device)
    except Exception as error:
        about = {"session": session} if session else {}
        _log.error("a command to the device failed", error=repr(error), exc_info=error, **about)
