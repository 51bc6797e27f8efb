# SPDX-License-Identifier: Apache-2.0
"""Controls: what a game says to a session that plays. Each needs a token that may steer and room in its tenant's quota,
is done once however often it comes, is measured and noted in the session's log, and is answered with where it landed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from segue.v1 import control_pb2
from segue_engine.contract import SAMPLE_RATE
from segue_service.api import requests as check
from segue_service.api.caller import Caller, open_session
from segue_service.api.memory import RequestMemory
from segue_service.observe.tracing import current
from segue_service.security.grants import Right
from segue_service.session.landing import Landed
from segue_service.session.registry import Registry
from segue_service.session.session import Session
from segue_service.soundtrack import Input

R = TypeVar("R")


class Controlling:
    """Of one server; remembers the latest controls of each session. Event loop only."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._parts = registry.parts
        self._settings, self._security = registry.parts.settings, registry.parts.security
        self._memories: dict[str, RequestMemory[Any]] = {}

    async def once(self, request: Any, caller: Caller, do: Callable[[Session], Awaitable[R]]) -> R:
        """Have a control done, or give the reply that its request_id got before. `request` has a header, `control`;
        what `do` gives has an `outcome`. Raises Refused, ControlError, of which nothing was applied."""
        control: check.Header = request.control
        session, _ = open_session(caller, control.session_id, self._registry, Right.STEER)
        check.header(control)
        self._security.usage.control(session.deed.tenant, session.controls)
        fingerprint = _fingerprint(request)
        memory = self._memory(session.session_id)
        found: R = await memory.once(control.request_id, fingerprint, lambda: self._noted(session, request, do))
        return found

    async def steer(
        self, session: Session, control: check.Header, inputs: Sequence[Input]
    ) -> control_pb2.ControlOutcome:
        """Give changes to the state machine, all or none. Raises Refused, ControlError."""
        if control.HasField("playhead_sample"):
            session.listening.report(control.listener_id, control.playhead_sample)
        landed = await session.control(inputs, control.request_id)
        return self.outcome(session, control, landed)

    def outcome(self, session: Session, control: check.Header, landed: Landed) -> control_pb2.ControlOutcome:
        """Where a control has landed, as it goes over the wire; a trace of it is followed from there."""
        axis, playhead = self._parts.hub.history.axis, session.playhead
        outcome = control_pb2.ControlOutcome(
            request_id=control.request_id,
            landing=landed.landing,
            take=landed.take,
            state=landed.state,
            in_transition=landed.in_transition,
            head_sample=axis.audible(landed.head_frame),
            playhead_sample=playhead,
            reason=landed.reason,
        )
        if landed.frame is not None:
            outcome.audible_at_sample = axis.audible(landed.frame)
        if current().is_recording:
            session.follow(current(), landed)
        return outcome

    def forget(self, session_id: str) -> None:
        """The session is gone: no control of it can come again."""
        self._memories.pop(session_id, None)

    def _memory(self, session_id: str) -> RequestMemory[Any]:
        if len(self._memories) > 2 * self._registry.slots + 16:
            self._memories = {key: memory for key, memory in self._memories.items() if self._registry.alive(key)}
        memory = self._memories.get(session_id)
        if memory is None:
            memory = self._memories[session_id] = RequestMemory(self._settings.remembered_requests)
        return memory

    async def _noted(self, session: Session, request: Any, do: Callable[[Session], Awaitable[R]]) -> R:
        self._registry.check_open()  # listeners have their last resume point: what came after it would be lost with us
        began = time.monotonic()
        response: Any = await do(session)
        kind = request.DESCRIPTOR.name.removesuffix("Request")
        self._measure(kind, response.outcome, time.monotonic() - began)
        self._parts.logs.note(session.place, kind, request=request, response=response)
        answered: R = response
        self._registry.check_open()  # else it may have come too late for them, and is to be sent again
        return answered

    def _measure(self, kind: str, outcome: control_pb2.ControlOutcome, spent: float) -> None:
        """Count a control that took so many seconds to land."""
        metrics = self._parts.metrics
        landing = control_pb2.Landing.Name(outcome.landing).removeprefix("LANDING_").lower()
        metrics.controls.labels(kind, landing).inc()
        metrics.landing_seconds.observe(spent)
        if outcome.HasField("audible_at_sample"):
            ahead = max(0, outcome.audible_at_sample - outcome.playhead_sample) / SAMPLE_RATE
            metrics.audible_seconds.observe(spent + ahead)


def _fingerprint(request: Any) -> bytes:
    """What makes a request the same one when it comes again: all but where its sender's playhead is by then."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.control.ClearField("playhead_sample")
    named: bytes = request.DESCRIPTOR.full_name.encode() + bare.SerializeToString(deterministic=True)
    return named
