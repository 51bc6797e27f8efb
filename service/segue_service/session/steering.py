# SPDX-License-Identifier: Apache-2.0
"""Where controls land: what follows from them is worked out for a frame, and the engine is told, in time for it.

A control is placed a margin beyond the playhead. What is generated already from the first frame on that it changes is
replaced by the next take; past the session's limits, and for what is in no hurry, it lands at the head. Head and
playhead move while a control is being worked out, so it is tried again if they have passed its place meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Protocol

from segue.v1 import stream_pb2
from segue_service.observe import tracing
from segue_service.observe.metrics import Metrics
from segue_service.session.batching import Batch, Batching
from segue_service.session.device_thread import Device, DeviceThread
from segue_service.session.director import LOOKAHEAD, Placement
from segue_service.session.events import EventLog, wire_event
from segue_service.session.heading import in_transition
from segue_service.session.hub import Hub
from segue_service.session.landing import Bound, Landed, Tell, Told, head_command, landed, rewind_command
from segue_service.session.planned import Entries
from segue_service.session.planning import Plan, Planning
from segue_service.session.rewinding import Rewinding, wanted
from segue_service.session.styles import Override, StyleTable
from segue_service.session.timeline import Axis
from segue_service.soundtrack import ControlError, Machine, StateChanged

_TRIES: Final = 8
_REWIND_TRIES: Final = 3
_NEAR: Final = 25
"""Frames within which a control waits for the place of the one before it, rather than take that forward with it."""


class Stage(Protocol):
    """What a session's steering needs of the session."""

    def furthest(self, playhead: int) -> int:
        """The first sample that nobody has heard, given the session's playhead."""

    def on_event(self, event: stream_pb2.Event, frame: int) -> None:
        """Something is going to happen, by the machine's entry of that frame."""

    def on_planned(self) -> None:
        """What is going to be played has been planned anew."""

    def on_traced(self) -> None:
        """The engine has taken up a control that is traced."""

    def on_limited(self) -> None:
        """A control landed at the head because of the limits of rewinding."""

    def on_rewound(self, first: int, head: int, take: int) -> None:
        """Frames from `first` on, up to `head`, are going to be replaced by this take."""


class Steering:
    """One session's controls. Event loop only; `lock` is held by whatever changes the slot or its plan."""

    def __init__(
        self,
        planning: Planning,
        events: EventLog,
        hub: Hub,
        place: int,
        device: DeviceThread,
        metrics: Metrics,
        stage: Stage,
        rewinding: Rewinding,
        take: int = 0,
        session_id: str = "",
    ) -> None:
        """session_id: to be logged."""
        self.planning = planning
        self.director = planning.director
        self.lock = asyncio.Lock()
        self.batching = Batching(self._land_together, self.lock, session_id)
        self.bound: Bound | None = None
        self.rewinding = rewinding
        self.take = take
        self._stage = stage
        self._events, self._hub, self._place = events, hub, place
        self._device, self._metrics = device, metrics
        self._trace: tracing.Trace = tracing.NOTHING
        """Of what is being landed."""
        self._limit = 0

    @property
    def axis(self) -> Axis:
        return self._hub.history.axis

    def head_frame(self) -> int:
        """First frame not dispatched, as last heard of; the engine may be a step further."""
        if self.bound is None:
            return int(self._hub.history.head[self._place])
        return self.axis.frame(int(self._device.pacer.head[self.bound.handle.index]))

    def playhead(self) -> int:
        """First sample not heard, as estimated."""
        if self.bound is None:
            return self._hub.history.head_sample(self._place)
        return max(0, self._device.pacer.playhead(self.bound.handle.index, time.monotonic()))

    async def override(self, make: Callable[[int], Override | None]) -> tuple[Told, bool]:
        """Play prompts instead of the style, make(frame) from that frame on; None: back to the soundtrack. Gives what
        `replan` does."""
        async with self.lock:
            self._trace = tracing.current()
            _, told, limited = await self._land_whole(override=make)
            return told, limited

    async def exchange(self, machine: Machine, styles: StyleTable, then: Callable[[], None]) -> bool:
        """Go on by another machine and other styles, from where that can be heard soonest; `then` is called as it
        becomes true. Gives False where there is no slot any more. Raises what working out the plan does, and nothing
        has changed then."""
        async with self.lock:
            if self.bound is None:
                return False
            self._trace = tracing.NOTHING
            head = self.head_frame()
            aimed = self.rewinding.aim(self._stage.furthest(self.playhead()), head)
            frame = max(head if aimed is None else aimed, self.director.begins)
            was, floor = self.director.state_at(frame).state, self.rewinding.floor
            back = self.planning.exchange(machine, styles, frame)
            self.rewinding.floor = max(floor, frame)
            try:
                plan, told, _ = await self._land_soon((), then=then)
            except BaseException:
                back()
                self.rewinding.floor = floor
                raise
            now = self.director.state_at(plan.frame).state
            if now != was:
                changed = wire_event(StateChanged(plan.frame, now, was), "", self.take, self.axis)
                self._stage.on_event(changed, plan.frame)
            self.rewinding.floor = max(self.rewinding.floor, told.first)
            return True

    async def first(self, frame: int, given: Entries, override: Override | None) -> tuple[Placement, Entries]:
        """The first plan, from a frame on, before there is a slot; committed, since nothing can come before it.

        given: what holds up to where the director begins.
        """
        self._trace = tracing.current()
        begins = max(frame, self.director.begins)
        plan = await self.planning.work_out(begins, (), override, trace=self._trace)
        self.rewinding.floor = begins
        return plan.placement, self.planning.commit(plan, given)

    async def replan(self, tell: Tell, then: Callable[[], None]) -> tuple[Told, bool]:
        """Land a plan by another command than steering; the caller holds the lock. Gives where it landed, and whether
        the session's limits forbade an earlier place.

        `then` runs on the event loop before anything that the engine makes after `tell` is handed over.
        """
        self._trace = tracing.current()
        _, told, limited = await self._land_whole(tell=tell, then=then)
        return told, limited

    def announce(self, placement: Placement) -> None:
        """A placement has become true: tell its events, and see to it in time that there is a next one."""
        self._limit = placement.limit
        self._events.retract(placement.frame - 1 if placement.again else placement.frame)
        for entry in placement.entries:
            for effect, request in entry.effects:
                self._stage.on_event(wire_event(effect, request, self.take, self.axis), entry.frame)
        self._stage.on_planned()
        follow = placement.limit - LOOKAHEAD
        self._hub.follow_frame[self._place] = follow
        if self._hub.history.head[self._place] >= follow and placement.frame < self._hub.history.head[self._place]:
            asyncio.get_running_loop().call_soon(self.batching.nudge)

    def follow(self) -> None:
        """The head has come near the end of what is planned: go on planning."""
        if self.bound is not None:
            self.batching.nudge()

    async def _land_together(
        self, batches: Sequence[Batch], trace: tracing.Trace
    ) -> list[Landed | ControlError] | None:
        """See `batching.Land`."""
        if self.bound is None:
            return None
        self._trace = trace
        hurried = any(wanted(inputs) for _, inputs in batches)
        plan, told, limited = await self._land_soon(batches) if hurried else (*await self._land(batches), False)
        busy = in_transition(self.director.state)
        return [
            outcome
            if isinstance(outcome, ControlError)
            else replace(landed(outcome, plan.changes, told, busy), take=self.take, limited=limited and wanted(inputs))
            for (_, inputs), outcome in zip(batches, plan.placement.outcomes, strict=True)
        ]

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
        batches: Sequence[Batch],
        *,
        override: Callable[[int], Override | None] | None = None,
        tell: Tell | None = None,
        then: Callable[[], None] | None = None,
    ) -> tuple[Plan, Told, bool]:
        """Place something where it can be heard soonest; gives also whether the session's limits forbade it."""
        limited = False
        for _ in range(_REWIND_TRIES):
            bound, head = self._live(), self.head_frame()
            frame = self.rewinding.aim(self._stage.furthest(self.playhead()), head)
            if frame is not None:
                frame = self.director.after_what_is_near(frame, _NEAR)
            if frame is None or frame >= head:
                break
            current = self.planning.override if override is None else override(frame)
            asked = {frame} if override is not None or tell is not None else set()
            plan = await self.planning.work_out(
                frame, batches, current, asked, trace=self._trace, again=True, until=head
            )
            if plan.changes is not None and plan.changes < head:
                # From there on it is made anew, and the clock will be read off what is made.
                plan = await self.planning.work_out(
                    frame, batches, current, asked, trace=self._trace, again=True, until=plan.changes
                )
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
        batches: Sequence[Batch],
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
            current = self.planning.override if override is None else override(frame)
            asked = override is not None or tell is not None
            plan = await self.planning.work_out(frame, batches, current, {frame} if asked else set(), trace=self._trace)
            told = await self._tell(plan, head_command(bound, plan, self.axis, tell), then)
            if told is not None:
                return plan, told
        raise RuntimeError(f"a control could not be placed in {_TRIES} tries")

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
            if self.bound is None:  # the session has ended meanwhile: its place may be another's by now
                return
            if told.rewound:
                self._rewound(told)
            self.planning.commit(plan)
            self.announce(plan.placement)

        if not trace.is_recording:
            return await self._device.submit(command, take_up)
        moments: list[float] = [time.monotonic()]
        told = await self._device.submit(_timed(command, moments), take_up)
        asked, taken, done = moments
        trace.lap("device_wait", asked, taken)
        trace.lap("device_steer", taken, done, frame=plan.frame, is_placed=told is not None)
        return told

    def _rewound(self, told: Told) -> None:
        self.take += 1
        self._hub.rewind(self._place, told.first)
        self.rewinding.spend(told.head - told.first)
        self._metrics.rewinds.inc()
        self._metrics.replaced_frames.inc(told.head - told.first)
        self._stage.on_rewound(told.first, told.head, self.take)

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
