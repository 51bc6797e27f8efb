# SPDX-License-Identifier: Apache-2.0
"""A session's slot: claimed, playing, paused, renewed, given back. Event loop only."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from segue.v1 import session_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_engine.contract import SAMPLE_RATE, PromptError
from segue_service.errors import unknown_session, wrong_status
from segue_service.session import slot_work
from segue_service.session.audience import Audience, stopped
from segue_service.session.beginning import Beginning
from segue_service.session.device_thread import Device
from segue_service.session.events import EventLog
from segue_service.session.heading import heading_for, in_transition
from segue_service.session.landing import Bound, Landed, Told
from segue_service.session.liveness import Cause, said
from segue_service.session.parts import Parts
from segue_service.session.planned import Entries
from segue_service.session.steering import Steering

Status: TypeAlias = session_pb2.SessionStatus.ValueType
PLAYING, PAUSED = session_pb2.SESSION_STATUS_PLAYING, session_pb2.SESSION_STATUS_PAUSED
STOPPED, CLOSED = session_pb2.SESSION_STATUS_STOPPED, session_pb2.SESSION_STATUS_CLOSED


class Transport:
    """One session's. `status` is the session's; `seed` what its music is drawn from by now."""

    def __init__(
        self,
        session_id: str,
        parts: Parts,
        place: int,
        beginning: Beginning,
        steering: Steering,
        audience: Audience,
        events: EventLog,
        on_changed: Callable[[], None],
    ) -> None:
        """on_changed: the session's resume point is another one now."""
        self.status: Status = PLAYING
        self.seed = beginning.seed
        self._session_id, self._parts, self._place, self._beginning = session_id, parts, place, beginning
        self._steering, self._audience, self._events, self._on_changed = steering, audience, events, on_changed

    async def open(self, *, paused: bool, prefill: NDArray[np.float32] | None) -> None:
        """Claim a slot and begin, going on from the sound `prefill` f32[n, 2] if given.

        Raises EngineFullError, ConditioningError, PromptError.
        """
        begins, axis = self._beginning, self._steering.axis
        history = begins.prefill if prefill is None else await self._tokenise(prefill)
        if begins.frame and history is not None:
            self._parts.hub.prime(self._place, begins.frame - 1, history[-1])
        placement, entries = await self._steering.first(begins.frame, begins.given, begins.override)
        self.status = PAUSED if paused else PLAYING

        def claim(device: Device) -> Bound:
            return slot_work.claim(
                *(device, begins.seed_of_slot, entries, axis),
                frame=begins.frame,
                target=begins.lead_ms * SAMPLE_RATE // 1000,
                limit=placement.limit,
                active=not paused,
                prefill=history,
                past=begins.past,
            )

        def then(bound: Bound) -> None:
            if self.status == CLOSED:
                self._parts.device.post(lambda device: device.release(bound.handle), self._session_id)
                return
            self._steering.bound = bound
            self._parts.hub.bind(self._place, bound.handle, bound.offset, floor=begins.frame)
            self._steering.announce(placement)

        await self._parts.device.submit(claim, then)

    def check(self) -> None:
        """Raises Refused unless the session can be steered."""
        if self.status == CLOSED:
            raise unknown_session(self._session_id)
        if self.status == STOPPED:
            raise wrong_status("the session is stopped: create another one")

    async def switch(self, status: Status) -> Landed:
        """Generate or not, from the head on. Raises Refused."""
        async with self._steering.lock:
            bound = self._bound()
            active = status == PLAYING
            playing = active and len(self._audience) > 0
            frame = await self._parts.device.submit(
                lambda device: slot_work.switch(device, bound, active=active, playing=playing)
            )
            changed = self.status != status
            if changed:
                self._tell(status, frame)
            return self.landed(frame, changed=changed)

    async def stop(self) -> Landed:
        """End the music; listeners get what is there, then Goodbye. Raises Refused."""
        async with self._steering.lock:
            bound = self._bound()
            frame = await self._parts.device.submit(lambda device: slot_work.end(device, bound))
            self._steering.bound = None
            self._parts.hub.unbind(self._place)
            self._tell(STOPPED, frame)
            self._audience.end(stopped(), self._parts.hub.history.head_sample(self._place))
            return self.landed(frame)

    async def renew(self, cause: Cause, seed: int | None, well: NDArray[np.int16] | None = None) -> Landed:
        """Begin afresh where it can be heard soonest, the old context fading out under the new one.

        well: vitals int16[VITALS] of the loudness to go on with, None for the latest. Raises Refused.
        """
        fresh = secrets.randbits(63) if seed is None else seed
        async with self._steering.lock:
            bound, hub, axis = self._bound(), self._parts.hub, self._steering.axis
            renewed: list[tuple[Bound, int, NDArray[np.int16]]] = []

            def renew(device: Device, frame: int, entries: Entries, limit: int) -> int:
                renewed.append(slot_work.renew(device, bound, fresh, frame, entries, limit, axis, well))
                return renewed[0][1]

            def then() -> None:
                new, frame, tail = renewed[0]
                if self.status == CLOSED:  # meanwhile, and its place may be another's by now
                    self._parts.device.post(lambda device: device.release(new.handle), self._session_id)
                    return
                self._steering.bound = new
                hub.bind(self._place, new.handle, new.offset, floor=frame)
                hub.crossfade(self._place, frame, tail)

            told, limited = await self._steering.replan(renew, then)
            self.seed = fresh
            self._parts.metrics.refreshes.labels(said(cause)).inc()
            refreshed = stream_pb2.Refreshed(cause=cause, seed=fresh)
            event = stream_pb2.Event(sample=axis.audible(told.first), take=self._steering.take, refreshed=refreshed)
            self._events.add(event)
            self._audience.tell_late(event)
            self._on_changed()
            return self.replanned(told, limited)

    def play_head(self, *, moves: bool, begin: int | None = None) -> None:
        """Let the playhead move or hold it; `begin` takes it back to that sample if it is beyond."""
        bound = self._steering.bound
        if bound is not None:
            self._parts.device.post(
                lambda device: slot_work.play(device, bound, playing=moves, begin=begin), self._session_id
            )

    def believe(self, playhead: int) -> None:
        """The playhead is here now."""
        bound = self._steering.bound
        if bound is not None:
            self._parts.device.post(lambda device: slot_work.believe(device, bound, playhead), self._session_id)

    def lead(self, milliseconds: int) -> None:
        """Generate this far ahead of the playhead from now on."""
        bound = self._steering.bound
        if bound is not None:
            target = milliseconds * SAMPLE_RATE // 1000
            self._parts.device.post(lambda device: slot_work.lead(device, bound, target), self._session_id)

    def close(self) -> None:
        """Give the slot back; whoever waits is told so."""
        self.status = CLOSED
        bound, self._steering.bound = self._steering.bound, None
        self._steering.batching.cancel()
        if bound is not None:
            self._parts.device.post(lambda device: device.release(bound.handle), self._session_id)

    def landed(self, frame: int, *, changed: bool = True) -> Landed:
        """Where something landed that took effect at a frame, or did not change anything."""
        state = self._steering.director.state_at(frame)
        return Landed(
            frame=frame if changed else None,
            state=heading_for(state),
            in_transition=in_transition(state),
            head_frame=frame,
            reason="" if changed else "already there",
            take=self._steering.take,
        )

    def replanned(self, told: Told, limited: bool) -> Landed:
        """Where something landed that has begun a take, or not."""
        landed = self.landed(told.first)
        return replace(landed, head_frame=told.head, rewound=told.rewound, limited=limited and not told.rewound)

    def _bound(self) -> Bound:
        self.check()
        if self._steering.bound is None:
            raise wrong_status("the session has no slot yet")
        return self._steering.bound

    def _tell(self, status: Status, frame: int) -> None:
        self.status = status
        changed = stream_pb2.StatusChanged(status=status)
        event = stream_pb2.Event(sample=self._steering.axis.audible(frame), status_changed=changed)
        self._parts.logs.note(self._place, "event", event=event)
        self._audience.tell(StreamAudioResponse(event=event))

    async def _tokenise(self, audio: NDArray[np.float32]) -> NDArray[np.int32]:
        def begin(device: Device) -> Iterator[NDArray[np.int32]]:
            if device.engine.tokenizer is None:
                raise PromptError("the model has no audio encoder here")
            return device.engine.tokenizer.pieces(audio)

        return np.concatenate(await self._parts.device.drain(begin))
