# SPDX-License-Identifier: Apache-2.0
"""From controls to conditioning: the machine decides, styles are quantised, the engine is told, all at one frame.

A control is placed a margin beyond the playhead. What is generated already from the first frame on that it changes is
replaced by the next take; past the session's limits, and for what is in no hurry, it lands at the head. Head and
playhead move while a control is being worked out, so it is tried again if they have passed its place meanwhile.
Controls that arrive while one is on its way are taken together, in their order, by the next placement.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Final, Protocol

from segue.v1 import stream_pb2
from segue_service.observe import tracing
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.session.beginning import REACH
from segue_service.session.device_thread import Device, DeviceThread
from segue_service.session.director import LOOKAHEAD, Director, Placement
from segue_service.session.events import EventLog, wire_event
from segue_service.session.hub import Hub
from segue_service.session.landing import (
    Bound,
    Entries,
    Landed,
    Plan,
    Tell,
    Told,
    head_command,
    landed,
    rewind_command,
)
from segue_service.session.planned import Planned
from segue_service.session.rewinding import Rewinding, wanted
from segue_service.session.spacing import Spacing, moments_of
from segue_service.session.styles import Override, StyleTable
from segue_service.session.timeline import Axis
from segue_service.soundtrack import ControlError, Input, MusicClock, TransitionStarted

_TRIES: Final = 8
_REWIND_TRIES: Final = 3
_NEAR: Final = 25
"""Frames within which a control waits for the place of the one before it, rather than take that forward with it."""
_log = logger("steering")


@dataclass(slots=True)
class _Waiting:
    request: str
    inputs: Sequence[Input]
    future: asyncio.Future[Landed]
    trace: tracing.Trace


class Stage(Protocol):
    """What a session's steering needs of the session."""

    def furthest(self) -> int:
        """The first sample that nobody has heard."""

    def on_event(self, event: stream_pb2.Event, frame: int) -> None:
        """Something is going to happen, by the machine's entry of that frame."""

    def on_planned(self) -> None:
        """What is going to be played has been planned anew."""

    def on_traced(self) -> None:
        """The engine has taken up a control that is traced."""

    def on_limited(self) -> None:
        """A control landed at the head because of the limits of rewinding."""

    def on_rewound(self, first: int, head: int) -> None:
        """Frames from `first` on, up to `head`, are going to be replaced."""


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
        stage: Stage,
        rewinding: Rewinding,
        take: int = 0,
        session_id: str = "",
    ) -> None:
        """session_id: to be logged."""
        self.director = director
        self._session_id = session_id
        self.lock = asyncio.Lock()
        self.bound: Bound | None = None
        self.rewinding = rewinding
        self.take = take
        self._stage = stage
        self._planned_for = Planned(max(rewinding.reach, REACH))
        self._styles, self._events, self._hub, self._place = styles, events, hub, place
        self._device, self._executor, self._metrics = device, executor, metrics
        self._spacing = Spacing(hub.history.axis.info)
        self._override: Override | None = None
        self._trace: tracing.Trace = tracing.NOTHING
        """Of what is being landed."""
        self._limit = 0
        self._queue: list[_Waiting] = []
        self._nudged = False
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
        self._queue.append(_Waiting(request, inputs, future, tracing.current()))
        self.nudge()
        return await future

    def nudge(self) -> None:
        """See that the machine goes on; controls that wait are taken along."""
        self._nudged = True
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())
            self._worker.add_done_callback(self._log_fault)

    async def override(self, make: Callable[[int], Override | None]) -> tuple[Told, bool]:
        """Play prompts instead of the style, make(frame) from that frame on; None: back to the soundtrack. Gives what
        `replan` does."""
        async with self.lock:
            self._trace = tracing.current()
            _, told, limited = await self._land_whole(override=make)
            return told, limited

    async def first(self, frame: int, given: Entries, override: Override | None) -> tuple[Placement, Entries]:
        """The first plan, from a frame on, before there is a slot; committed, since nothing can come before it.

        given: what holds up to where the director begins.
        """
        self._trace = tracing.current()
        plan = await self._work_out(max(frame, self.director.begins), (), override)
        entries = [*given, *plan.entries]
        self._override = plan.override
        self._spacing.commit(entries, plan.moments)
        self._planned_for.commit(entries[0][0], entries)
        self.rewinding.floor = max(frame, self.director.begins)
        return plan.placement, entries

    def planned(self, begin: int) -> Entries:
        """What was and will be played under from a frame on, as far as it is remembered and known."""
        return self._planned_for.since(begin)

    @property
    def overridden(self) -> Override | None:
        """Prompts that play instead of the state's style."""
        return self._override

    async def replan(self, tell: Tell, then: Callable[[], None]) -> tuple[Told, bool]:
        """Land a plan by another command than steering; the caller holds the lock. Gives where it landed, and whether
        the session's limits forbade an earlier place.

        `then` runs on the event loop before anything that the engine makes after `tell` is handed over.
        """
        self._trace = tracing.current()
        _, told, limited = await self._land_whole(tell=tell, then=then)
        return told, limited

    def commit(self, placement: Placement) -> None:
        """A placement has become true: tell its events, and see to it in time that there is a next one."""
        self.director.commit(placement)
        self._limit = placement.limit
        self._events.retract(placement.frame - 1 if placement.again else placement.frame)
        for entry in placement.entries:
            for effect, request in entry.effects:
                self._stage.on_event(wire_event(effect, request, self.take, self.axis), entry.frame)
        self._stage.on_planned()
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
                    batch, self._queue, self._nudged = self._queue, [], False
                    await self._land_batch(batch)
                if not self._queue and not self._nudged:
                    return
        finally:
            self._worker = None

    async def _land_batch(self, batch: list[_Waiting]) -> None:
        if self.bound is None:
            for waiting in batch:
                waiting.future.cancel()
            return
        try:
            batches = [(item.request, item.inputs) for item in batch]
            self._trace = tracing.shared(item.trace for item in batch)
            hurried = any(wanted(inputs) for _, inputs in batches)
            plan, told, limited = await self._land_soon(batches) if hurried else (*await self._land(batches), False)
        except BaseException as error:
            for item in batch:
                if isinstance(error, asyncio.CancelledError):
                    item.future.cancel()
                elif not item.future.done():
                    item.future.set_exception(error)
            if not batch or isinstance(error, asyncio.CancelledError):
                raise
            return
        placement, state = plan.placement, self.director.state
        busy = state.pending is not None or state.fade is not None
        for item, outcome in zip(batch, placement.outcomes, strict=True):
            if item.future.done():
                continue
            if isinstance(outcome, ControlError):
                item.future.set_exception(outcome)
            else:
                result = landed(outcome, plan.changes, told, busy)
                item.future.set_result(replace(result, take=self.take, limited=limited and wanted(item.inputs)))

    async def _land_whole(
        self,
        *,
        override: Callable[[int], Override | None] | None = None,
        tell: Tell | None = None,
        then: Callable[[], None] | None = None,
    ) -> tuple[Plan, Told, bool]:
        """Land what no later control may go behind."""
        plan, told, limited = await self._land_soon((), override=override, tell=tell, then=then)
        self.rewinding.floor = told.first
        return plan, told, limited

    async def _land_soon(
        self,
        batches: Sequence[tuple[str, Sequence[Input]]],
        *,
        override: Callable[[int], Override | None] | None = None,
        tell: Tell | None = None,
        then: Callable[[], None] | None = None,
    ) -> tuple[Plan, Told, bool]:
        """Place something where it can be heard soonest; gives also whether the session's limits forbade it."""
        limited = False
        for _ in range(_REWIND_TRIES):
            bound, head = self._live(), self.head_frame()
            frame = self.rewinding.aim(self._stage.furthest(), head)
            if frame is not None:
                frame = self.director.after_what_is_near(frame, _NEAR)
            if frame is None or frame >= head:
                break
            current = self._override if override is None else override(frame)
            asked = {frame} if override is not None or tell is not None else set()
            plan = await self._work_out(frame, batches, current, asked, again=True, until=head)
            if plan.changes is not None and plan.changes < head:
                # From there on it is made anew, and the clock will be read off what is made.
                plan = await self._work_out(frame, batches, current, asked, again=True, until=plan.changes)
            changes = frame if tell is not None else plan.changes
            replaced = 0 if changes is None else max(0, self.head_frame() - changes)
            if replaced and not self.rewinding.allows(replaced, time.monotonic()):
                limited = True
                self._stage.on_limited()
                break
            margin = self.rewinding.margin_samples
            told = await self._tell(plan, rewind_command(bound, plan, self.axis, margin, tell), then)
            if told is not None:
                return plan, told, False
        plan, told = await self._land(batches, override=override, tell=tell, then=then)
        return plan, told, limited

    async def _land(
        self,
        batches: Sequence[tuple[str, Sequence[Input]]],
        *,
        override: Callable[[int], Override | None] | None = None,
        tell: Tell | None = None,
        then: Callable[[], None] | None = None,
    ) -> tuple[Plan, Told]:
        """Place something at the head."""
        for attempt in range(_TRIES):
            bound, frame = self._live(), max(self.head_frame(), self.director.begins)
            if attempt > 1:
                # The engine stops at the limit, so that the last try can't miss.
                frame = self._limit if attempt == _TRIES - 1 else min(frame + 2 ** (attempt - 2), self._limit)
            current = self._override if override is None else override(frame)
            asked = override is not None or tell is not None
            plan = await self._work_out(frame, batches, current, {frame} if asked else set())
            told = await self._tell(plan, head_command(bound, plan, self.axis, tell), then)
            if told is not None:
                return plan, told
        raise RuntimeError(f"a control could not be placed in {_TRIES} tries")

    async def _work_out(
        self,
        frame: int,
        batches: Sequence[tuple[str, Sequence[Input]]],
        override: Override | None,
        asked: Set[int] = frozenset(),
        *,
        again: bool = False,
        until: int = 0,
    ) -> Plan:
        """What follows if something is placed at a frame; the style may change at once at the frames `asked` for."""
        reach, began = max(frame, until), time.monotonic()

        def clocks(at: int) -> MusicClock:
            return self.clock(min(at, reach)).at(at)

        sure = self._hub.clock_sure(self._place, reach)
        placement = self.director.place(
            *(frame, self.clock(frame), batches), again=again, until=until, clocks=clocks, sure=sure
        )
        current = _until_transition(override, self.director, placement)
        planned = time.monotonic()
        self._trace.lap("plan", began, planned, frame=frame)
        entries = await self._styles.conditionings(
            *(placement.points, current, self._executor, placement.limit), self._looked_up
        )
        self._trace.lap("styles", planned)
        moments = moments_of(placement, self.director.state_after(placement), current) | asked
        entries = self._spacing.space(entries, placement.limit, moments)
        kept = None if current is not None and (current.until or frame + 1) <= frame else override
        return Plan(placement, entries, moments, kept, self._planned_for.first_change(entries, placement.limit))

    async def _tell(
        self, plan: Plan, command: Callable[[Device], Told | None], then: Callable[[], None] | None = None
    ) -> Told | None:
        """Have the device thread take up a plan, and make it the truth; None if its place has gone by."""

        trace = self._trace

        def take_up(told: Told | None) -> None:
            if told is None:
                self._metrics.landing_retries.inc()
                return
            if trace.is_recording:
                self._stage.on_traced()
            if then is not None:
                then()
            if told.rewound:
                self._rewound(told)
            self._override = plan.override
            self._spacing.commit(plan.entries, plan.moments)
            self._planned_for.commit(plan.frame, plan.entries)
            self.commit(plan.placement)

        if not trace.is_recording:
            return await self._device.submit(command, take_up)
        moments: list[float] = [time.monotonic()]
        told = await self._device.submit(_timed(command, moments), take_up)
        asked, taken, done = moments
        trace.lap("device_wait", asked, taken)
        trace.lap("device_steer", taken, done, frame=plan.frame, is_placed=told is not None)
        return told

    def _looked_up(self, hits: int, misses: int) -> None:
        self._metrics.style_codes.labels("hit").inc(hits)
        self._metrics.style_codes.labels("miss").inc(misses)

    def _rewound(self, told: Told) -> None:
        self.take += 1
        self._hub.rewind(self._place, told.first)
        self.rewinding.spend(told.head - told.first)
        self._metrics.rewinds.inc()
        self._metrics.replaced_frames.inc(told.head - told.first)
        self._stage.on_rewound(told.first, told.head)

    def _log_fault(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a session could not go on", session=self._session_id, error=repr(error), exc_info=error)

    def _live(self) -> Bound:
        if self.bound is None:
            raise asyncio.CancelledError
        return self.bound


def _timed(command: Callable[[Device], Told | None], moments: list[float]) -> Callable[[Device], Told | None]:
    """The command, adding when it was begun and done."""

    def run(device: Device) -> Told | None:
        moments.append(time.monotonic())
        try:
            return command(device)
        finally:
            moments.append(time.monotonic())

    return run


def _until_transition(override: Override | None, director: Director, placement: Placement) -> Override | None:
    """The override, ended by the first transition that begins after it does."""
    if override is None:
        return None
    last = placement.frame - 1 if placement.again else placement.frame
    entries = (*(entry for entry in director.entries if entry.frame <= last), *placement.entries)
    begins = [
        effect.frame
        for entry in entries
        for effect, _ in entry.effects
        if isinstance(effect, TransitionStarted) and effect.frame > override.begins
    ]
    return replace(override, until=min(begins)) if begins else override
