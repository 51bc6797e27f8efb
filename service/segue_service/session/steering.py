# SPDX-License-Identifier: Apache-2.0
"""From controls to conditioning: the machine decides, styles are quantised, the engine is told, all at one frame.

Until the timeline can be rewound, everything lands at the head. The head moves while a control is being worked out, so
a placement is tried for a frame and, if the engine has passed it meanwhile, tried again. Controls that arrive while one
is on its way are taken together, in their order, by the next placement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final

from segue.v1 import control_pb2
from segue_engine.contract import Conditioning, SlotHandle
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.session.device_thread import Device, DeviceThread
from segue_service.session.director import LOOKAHEAD, Director, Placement
from segue_service.session.events import EventLog, wire_event
from segue_service.session.hub import Hub
from segue_service.session.spacing import Spacing, moments_of
from segue_service.session.styles import Override, StyleTable
from segue_service.session.timeline import Axis
from segue_service.soundtrack import ControlError, Input, InputResult, MusicClock, TransitionStarted

Entries = list[tuple[int, Conditioning]]
_TRIES: Final = 8
_log = logger("steering")


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a control landed: frame is the first that differs, None if none does; reason says why in that case."""

    frame: int | None
    state: str
    in_transition: bool
    head_frame: int
    reason: str = ""

    @property
    def landing(self) -> control_pb2.Landing.ValueType:
        return control_pb2.LANDING_UNCHANGED if self.frame is None else control_pb2.LANDING_HEAD


@dataclass(frozen=True, slots=True)
class Bound:
    """The slot that a session has now: timeline frame = slot frame + offset."""

    handle: SlotHandle
    offset: int = 0


@dataclass(slots=True)
class _Waiting:
    request: str
    inputs: Sequence[Input]
    future: asyncio.Future[Landed]


class Steering:
    """One session's controls. Event loop only; `lock` is held by whatever changes the slot or its plan."""

    def __init__(
        self,
        director: Director,
        styles: StyleTable,
        events: EventLog,
        hub: Hub,
        place: int,
        device: DeviceThread,
        executor: Executor,
        metrics: Metrics,
    ) -> None:
        self.director = director
        self.lock = asyncio.Lock()
        self.bound: Bound | None = None
        self._styles, self._events, self._hub, self._place = styles, events, hub, place
        self._device, self._executor, self._metrics = device, executor, metrics
        self._spacing = Spacing(hub.history.axis.info)
        self._override: Override | None = None
        self._limit = 0
        self._queue: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def axis(self) -> Axis:
        return self._hub.history.axis

    def head_frame(self) -> int:
        """First frame not dispatched, as last heard of; the engine may be a step further."""
        if self.bound is None:
            return int(self._hub.history.head[self._place])
        return self.axis.frame(int(self._device.pacer.head[self.bound.handle.index]))

    async def apply(self, inputs: Sequence[Input], request: str) -> Landed:
        """Apply changes together. Raises ControlError, of which nothing was applied."""
        future: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(request, inputs, future))
        self.nudge()
        return await future

    def nudge(self) -> None:
        """See that the machine goes on; controls that wait are taken along."""
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())
            self._worker.add_done_callback(_log_fault)

    async def override(self, make: Callable[[int], Override | None]) -> int:
        """Play prompts instead of the style, make(frame) from that frame on; None: back to the soundtrack."""
        async with self.lock:
            frame, _ = await self._land((), override=make)
            return frame

    async def first(self) -> tuple[Placement, Entries]:
        """The first plan, before there is a slot; committed, since nothing can come before it."""
        placement = self.director.place(0, self.clock(0))
        plan = await self._planned(placement, None)
        self._spacing.commit(*plan)
        return placement, plan[0]

    async def replan(self, tell: Callable[[Device, int, Entries, int], bool], then: Callable[[], None]) -> int:
        """Land a plan by another command than steering; the caller holds the lock. Gives the frame that it begins at.

        `then` runs on the event loop before anything that the engine makes after `tell` is handed over.
        """
        frame, _ = await self._land((), tell=tell, then=then)
        return frame

    def commit(self, placement: Placement) -> None:
        """A placement has become true: tell its events, and see to it in time that there is a next one."""
        self.director.commit(placement)
        self._limit = placement.limit
        self._events.retract(placement.frame)
        for entry in placement.entries:
            for effect, request in entry.effects:
                self._events.add(wire_event(effect, request, 0, self.axis), entry.frame)
        follow = placement.limit - LOOKAHEAD
        self._hub.follow_frame[self._place] = follow
        if self._hub.history.head[self._place] >= follow and placement.frame < self._hub.history.head[self._place]:
            asyncio.get_running_loop().call_soon(self.nudge)

    def clock(self, frame: int) -> MusicClock:
        """The musical clock of a frame: the model's own, else the soundtrack's nominal one."""
        read = self._hub.clock_at(self._place, frame)
        return self.director.machine.nominal_clock(frame) if read is None else read

    def cancel(self) -> None:
        """The session is gone: whoever waits is told so."""
        if self._worker is not None:
            self._worker.cancel()
        for waiting in self._queue:
            waiting.future.cancel()
        self._queue.clear()

    async def _work(self) -> None:
        try:
            while True:
                async with self.lock:
                    batch, self._queue = self._queue, []
                    await self._land_batch(batch)
                if not self._queue:
                    return
        finally:
            self._worker = None

    async def _land_batch(self, batch: list[_Waiting]) -> None:
        if self.bound is None:
            for waiting in batch:
                waiting.future.cancel()
            return
        try:
            frame, placement = await self._land([(item.request, item.inputs) for item in batch])
        except BaseException as error:
            for item in batch:
                if isinstance(error, asyncio.CancelledError):
                    item.future.cancel()
                elif not item.future.done():
                    item.future.set_exception(error)
            if not batch or isinstance(error, asyncio.CancelledError):
                raise
            return
        state = placement.entries[-1].state if placement.entries else self.director.state
        busy = state.pending is not None or state.fade is not None
        for item, outcome in zip(batch, placement.outcomes, strict=True):
            if item.future.done():
                continue
            if isinstance(outcome, ControlError):
                item.future.set_exception(outcome)
            else:
                item.future.set_result(_landed(outcome, frame, busy))

    async def _land(
        self,
        batches: Sequence[tuple[str, Sequence[Input]]],
        *,
        override: Callable[[int], Override | None] | None = None,
        tell: Callable[[Device, int, Entries, int], bool] | None = None,
        then: Callable[[], None] | None = None,
    ) -> tuple[int, Placement]:
        for attempt in range(_TRIES):
            bound = self.bound
            if bound is None:
                raise asyncio.CancelledError
            frame = self.head_frame()
            if attempt > 1:
                # The engine stops at the limit, so that the last try can't miss.
                frame = self._limit if attempt == _TRIES - 1 else min(frame + 2 ** (attempt - 2), self._limit)
            wanted = self._override if override is None else override(frame)
            placement = self.director.place(frame, self.clock(frame), batches)
            current = _until_transition(wanted, self.director, placement)
            asked = override is not None or tell is not None
            entries, moments = await self._planned(placement, current, {frame} if asked else set())
            command = _command(bound, frame, entries, placement.limit, self.axis, tell)
            reached = await self._device.submit(command, lambda landed: then() if landed and then is not None else None)
            if reached:
                self._override = None if current is not None and (current.until or frame + 1) <= frame else wanted
                self._spacing.commit(entries, moments)
                self.commit(placement)
                return frame, placement
            self._metrics.landing_retries.inc()
        raise RuntimeError(f"a control could not be placed in {_TRIES} tries")

    async def _planned(
        self, placement: Placement, override: Override | None, asked: Set[int] = frozenset()
    ) -> tuple[Entries, frozenset[int]]:
        """What to generate under, and the frames at which the style may change at once, those `asked` for included."""
        entries = await self._styles.conditionings(placement.points, override, self._executor, placement.limit)
        moments = moments_of(placement, self.director.state_after(placement), override) | asked
        return self._spacing.space(entries, placement.limit, moments), moments


def _log_fault(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("a session could not go on", error=repr(error), exc_info=error)


def _command(
    bound: Bound,
    frame: int,
    entries: Entries,
    limit: int,
    axis: Axis,
    tell: Callable[[Device, int, Entries, int], bool] | None,
) -> Callable[[Device], bool]:
    """What the device thread does with a plan: nothing (False) if it is past `frame` already."""

    def run(device: Device) -> bool:
        if device.engine.head(bound.handle) + bound.offset > frame:
            return False
        if tell is not None:
            return tell(device, frame, entries, limit)
        device.engine.steer(bound.handle, [(at - bound.offset, conditioning) for at, conditioning in entries])
        device.pacer.limit[bound.handle.index] = axis.sample(limit)
        return True

    return run


def _until_transition(override: Override | None, director: Director, placement: Placement) -> Override | None:
    """The override, ended by the first transition that begins after it does."""
    if override is None:
        return None
    entries = (*director.entries, *placement.entries)
    begins = [
        effect.frame
        for entry in entries
        for effect, _ in entry.effects
        if isinstance(effect, TransitionStarted) and effect.frame > override.begins
    ]
    return replace(override, until=min(begins)) if begins else override


def _landed(results: Sequence[InputResult], frame: int, busy: bool) -> Landed:
    begins = [result.begins_at for result in results if result.begins_at is not None]
    reasons = [_words(result) for result in results if result.begins_at is None]
    return Landed(
        frame=min(begins) if begins else None,
        state=results[-1].state,
        in_transition=busy,
        head_frame=frame,
        reason="" if begins else "; ".join(dict.fromkeys(reason for reason in reasons if reason)),
    )


def _words(result: InputResult) -> str:
    reason = str(getattr(result.reason, "value", result.reason)).lower().replace("_", " ")
    return "nothing sounds different for now" if reason == "none" else reason
