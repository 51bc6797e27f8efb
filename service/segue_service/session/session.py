# SPDX-License-Identifier: Apache-2.0
"""A session: what it is put together from, its controls, what is known of it, and its end. Event loop only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.v1 import control_pb2, session_pb2, stream_pb2
from segue_service.observe.tracing import Trace
from segue_service.security.buckets import Bucket
from segue_service.session.beginning import REACH, Beginning, described
from segue_service.session.continuation import fingerprint, pack
from segue_service.session.deed import Deed
from segue_service.session.director import Director
from segue_service.session.heading import heading_for, in_transition
from segue_service.session.landing import Landed
from segue_service.session.library import Record
from segue_service.session.listening import Listening
from segue_service.session.parts import Parts
from segue_service.session.planning import Planning
from segue_service.session.resume_point import Keepsake, ResumePoint
from segue_service.session.resume_points import ResumePoints
from segue_service.session.rewinding import Rewinding
from segue_service.session.score import follows_score
from segue_service.session.shortfalls import has_places
from segue_service.session.steering import Steering
from segue_service.session.styles import Override
from segue_service.session.telling import Telling
from segue_service.session.transport import CLOSED, PAUSED, PLAYING, Transport
from segue_service.session.watching import Watching
from segue_service.session.ways import Ways
from segue_service.soundtrack import Input

_PIECE: Final = 200
"""Frames in a piece of a keepsake's continuation."""


class Session:
    """One soundtrack being generated. Made by the registry, which also knows its token."""

    def __init__(
        self,
        session_id: str,
        deed: Deed,
        record: Record,
        beginning: Beginning,
        parts: Parts,
        *,
        labels: Mapping[str, str],
    ) -> None:
        info = parts.engine.info
        self.session_id = session_id
        self.deed = deed
        self.controls = Bucket()
        """Of its tenant's quota of controls."""
        self.record = record
        self.labels = dict(labels)
        self.created = time.time()
        self.touched = time.monotonic()
        """When it was last steered, listened to or left (time.monotonic)."""
        self.warnings: list[stream_pb2.Warning] = []
        """What the first listener is to be told."""
        self._beginning, self._parts = beginning, parts
        self._ways = Ways(lambda: self.playhead)
        self._telling = Telling(
            *(parts, self._ways),
            frame=beginning.frame,
            lead_ms=beginning.lead_ms,
            on_planned=lambda: self._resume_points.changed(),
            on_follow=lambda: self._steering.follow(),
        )
        self.place, self._audience = self._telling.place, self._telling.audience
        parts.hub.expect(self.place, record.soundtrack.music, scored=follows_score(info.capabilities))
        parts.logs.begin(self.place, self._facts(beginning.frame))
        self._planning = Planning(
            Director(
                *(record.machine, beginning.state, beginning.state.head),
                guidance=beginning.guidance,
                reach=info.rewind_frames,
                done=beginning.done,
            ),
            *(record.styles, parts.hub, self.place, parts.executor, parts.metrics),
            reach=max(info.rewind_frames, REACH),
        )
        self._steering = Steering(
            *(self._planning, self._telling.events, parts.hub, self.place, parts.device, parts.metrics, self._telling),
            Rewinding(parts.settings, parts.hub.history.axis, info.rewind_frames),
            *(beginning.take, session_id),
        )
        self._placed = has_places(record.soundtrack)
        self._resume_points = ResumePoints(
            *(parts.seal, self._steering.axis, self._resume_point),
            *(self._audience.tell_keepers, lambda: self._audience.keeps),
        )
        self._transport = Transport(
            *(session_id, parts, self.place, beginning, self._steering, self._audience, self._telling.events),
            self._resume_points.changed,
        )
        self._watching = Watching(
            *(session_id, parts, self.place, self._steering, self._telling.events, self._audience),
            lambda cause, well: self._transport.renew(cause, None, well),
        )
        self.listening = Listening(
            *(session_id, parts, self.place, self._steering, self._transport, self._audience),
            *(self._resume_points, self._ways, self._touch),
        )
        self._watching.begin()
        if beginning.take:
            self._audience.began(self._steering.axis.audible(beginning.frame), beginning.take)

    async def open(self, *, paused: bool, prefill: NDArray[np.float32] | None = None) -> None:
        """Claim a slot and begin, going on from the sound `prefill` f32[n, 2] if given.

        Raises EngineFullError, ConditioningError, PromptError.
        """
        await self._transport.open(paused=paused, prefill=prefill)

    # Controls

    async def control(self, inputs: Sequence[Input], request: str) -> Landed:
        """Apply changes to the state machine, all or none. Raises ControlError, Refused."""
        self._check_live()
        if request in self._planning.director.done:  # at the server that had the session before this one
            landed = self._transport.landed(self._steering.head_frame(), changed=False)
            return replace(landed, reason="it was done before the session came here")
        try:
            landed = await self._steering.batching.apply(inputs, request)
        except asyncio.CancelledError:
            self._check_live()
            raise
        if landed.frame is not None and self._placed and not self._parts.hub.clock_trusted(self.place):
            said = "the beat is unsure: musical places go by the soundtrack's tempo, or at once if it names none"
            self._audience.warn(stream_pb2.Warning.CODE_CLOCK_UNSURE, said)
        return landed

    async def play(self) -> Landed:
        """Go on."""
        return await self._switch(PLAYING)

    async def pause(self) -> Landed:
        """Stop generating; the playhead stands still."""
        return await self._switch(PAUSED)

    async def stop(self) -> Landed:
        """End the music; listeners get what is there, then Goodbye."""
        self._touch()
        return await self._transport.stop()

    async def reset(self, seed: int | None) -> Landed:
        """Begin afresh with another seed, the old context fading out under the new one."""
        self._touch()
        self._watching.reset()
        return await self._transport.renew(stream_pb2.Refreshed.CAUSE_REQUESTED, seed)

    async def override(self, embedding: NDArray[np.float32] | None, fade_frames: int, guidance: float | None) -> Landed:
        """Play an embedding instead of the state's style, until the next transition; None: the state's style again."""
        self._check_live()

        def make(frame: int) -> Override | None:
            return None if embedding is None else Override(embedding, frame, frame + fade_frames, guidance)

        try:
            told = await self._steering.override(make)
        except asyncio.CancelledError:
            self._check_live()
            raise
        return self._transport.replanned(*told)

    async def exchange(self, record: Record) -> bool:
        """Go on by another text of the soundtrack, from where that can be heard soonest; what is under way and has a
        place there goes on. Gives False if the session is over. Raises what working out a plan does."""
        scored = follows_score(self._parts.engine.info.capabilities)

        def then() -> None:
            if record.soundtrack.music != self.record.soundtrack.music:
                self._parts.hub.expect(self.place, record.soundtrack.music, scored=scored)
            self.record, self._placed = record, has_places(record.soundtrack)

        return await self._steering.exchange(record.machine, record.styles, then)

    def follow(self, trace: Trace, landed: Landed) -> None:
        """Tell a trace where its control has landed, and follow it from there to its first audible sample."""
        trace.tell(
            session=self.session_id,
            take=landed.take,
            landing=control_pb2.Landing.Name(landed.landing).removeprefix("LANDING_").lower(),
            state=landed.state,
            head_sample=self._steering.axis.audible(landed.head_frame),
        )
        if landed.frame is not None and self.status != CLOSED:
            sample = self._steering.axis.audible(landed.frame)
            trace.tell(audible_at_sample=sample)
            self._ways.begin(trace, landed.frame, sample)
            self._parts.hub.follow_ways(self.place, self._ways)

    # What is known of it

    @property
    def status(self) -> session_pb2.SessionStatus.ValueType:
        """Its life."""
        return self._transport.status

    @property
    def seed(self) -> int:
        """What its music is drawn from."""
        return self._transport.seed

    @property
    def head_sample(self) -> int:
        """First sample not received from the engine."""
        return self._parts.hub.history.head_sample(self.place)

    @property
    def playhead(self) -> int:
        """First sample not heard, as estimated."""
        return self._steering.playhead()

    @property
    def underruns(self) -> int:
        """How often its music was late, here and at its listeners."""
        return self._telling.overtaken + self.listening.underruns

    @property
    def lead_ms(self) -> int:
        """How far it is generated ahead of its playhead."""
        return self._audience.lead_ms

    @property
    def listeners(self) -> int:
        """Open streams."""
        return len(self._audience)

    @property
    def encoded_chunks(self) -> int:
        """Audio messages encoded so far, each once for all its listeners."""
        return self._audience.chunks.encoded

    def describe(self) -> session_pb2.Session:
        """As it goes over the wire."""
        machine = self._planning.director.machine
        frame = self._steering.head_frame()
        state = self._planning.director.state_at(frame)
        names = machine.soundtrack.parameters
        values = [control_pb2.ParameterValue(name=n, value=machine.parameter(state, n, frame)) for n in names]
        return session_pb2.Session(
            session_id=self.session_id,
            soundtrack_id=self.record.name,
            soundtrack_version=self.record.version,
            soundtrack_hash=self.record.hash,
            seed=self.seed,
            status=self.status,
            state=heading_for(state),
            in_transition=in_transition(state),
            parameters=values,
            take=self._steering.take,
            head_sample=self.head_sample,
            playhead_sample=self.playhead,
            target_lead_ms=self.lead_ms,
            listeners=len(self._audience),
            underruns=self.underruns,
            created_unix_ms=int(self.created * 1000),
            labels=self.labels,
            bpm=self._parts.hub.bpm(self.place),
        )

    # Its end

    def close(self, goodbye: stream_pb2.Goodbye) -> None:
        """Free everything; streams end with this Goodbye. Idempotent."""
        if self.status == CLOSED:
            return
        self._resume_points.cancel()
        self._ways.end()
        self._transport.close()
        self._audience.end(goodbye)
        self._watching.end()
        self._parts.hub.detach(self.place)

    def bid(self, goodbye: stream_pb2.Goodbye) -> None:
        """End every stream now; the session stays."""
        self._resume_points.flush()
        self._audience.end(goodbye)

    def keepsake(self) -> Keepsake | None:
        """What it takes to go on from where the session is; None if its resume point is too large."""
        point = self._resume_points.now()
        if point is None:
            return None
        history, place = self._parts.hub.history, self.place
        first, codes, vitals = history.played(place, history.first_sample(place), self.head_sample)
        mark, take = fingerprint(self._parts.engine.info), self._steering.take
        pieces = tuple(
            pack(mark, first + at, take, codes[at : at + _PIECE], vitals[at : at + _PIECE][-1])
            for at in range(0, len(codes), _PIECE)
        )
        return Keepsake(point, pieces, self.head_sample)

    # Inner parts

    def _facts(self, frame: int) -> dict[str, Any]:
        """The first line of its log."""
        record = self.record
        soundtrack = {"name": record.name, "version": record.version, "hash": record.hash}
        begins = {"seed": self._beginning.seed, "first_frame": frame, "created": round(self.created, 3)}
        return {"session": self.session_id, "soundtrack": soundtrack, **begins}

    def _resume_point(self) -> ResumePoint:
        state, override = self._planning.director.state, self._planning.override
        under = self._planning.since(state.head - REACH)
        given = None
        if override is not None and override.until is None:
            given = (under[-1][1].style_codes, override.guidance)
        return described(
            *(self.record, self._parts.engine.info, self.session_id, self.deed),
            *(self.seed, self.lead_ms, self._beginning.guidance, self._steering.take),
            *(state, under, given, self._planning.director.done.marks),
        )

    def _touch(self) -> None:
        self.touched = time.monotonic()

    def _check_live(self) -> None:
        self._touch()
        self._transport.check()

    async def _switch(self, status: session_pb2.SessionStatus.ValueType) -> Landed:
        self._touch()
        return await self._transport.switch(status)
