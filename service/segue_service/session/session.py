# SPDX-License-Identifier: Apache-2.0
"""A session: its slot, its listeners, its life. Event loop only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.v1 import control_pb2, session_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_engine.contract import FRAME_SAMPLES
from segue_service.errors import unknown_session
from segue_service.observe.tracing import Trace
from segue_service.security.buckets import Bucket
from segue_service.session.audience import Audience, stopped
from segue_service.session.beginning import REACH, Beginning, described
from segue_service.session.continuation import fingerprint, pack
from segue_service.session.deed import Deed
from segue_service.session.director import Director
from segue_service.session.events import EventLog
from segue_service.session.heading import heading_for, in_transition
from segue_service.session.landing import Landed
from segue_service.session.library import Record
from segue_service.session.listeners import Listener, Wish
from segue_service.session.parts import Parts
from segue_service.session.resume_point import Keepsake, ResumePoint
from segue_service.session.resume_points import ResumePoints
from segue_service.session.rewinding import Rewinding
from segue_service.session.score import follows_score
from segue_service.session.shortfalls import has_places
from segue_service.session.steering import Steering
from segue_service.session.styles import Override
from segue_service.session.transport import CLOSED, PAUSED, PLAYING, STOPPED, Transport
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
        self.underruns = 0
        self.created = time.time()
        self.touched = time.monotonic()
        """When it was last steered, listened to or left (time.monotonic)."""
        self.warnings: list[stream_pb2.Warning] = []
        """What the first listener is to be told."""
        self.place = parts.hub.attach(self, beginning.frame)
        parts.hub.expect(self.place, record.soundtrack.music, scored=follows_score(info.capabilities))
        self._beginning = beginning
        parts.logs.begin(self.place, self._facts(beginning.frame))
        self._parts = parts
        self._events = EventLog(lambda event: parts.logs.note(self.place, "event", event=event))
        self._audience = Audience(
            *(parts.hub, self.place, self._events, parts.settings, parts.metrics, parts.codecs),
            lead_ms=beginning.lead_ms,
        )
        self._steering = Steering(
            Director(
                *(record.machine, beginning.state, beginning.state.head),
                guidance=beginning.guidance,
                reach=info.rewind_frames,
            ),
            record.styles,
            self._events,
            parts.hub,
            self.place,
            parts.device,
            parts.executor,
            parts.metrics,
            self,
            Rewinding(parts.settings, parts.hub.history.axis, info.rewind_frames),
            beginning.take,
            session_id,
        )
        self._ways = Ways(lambda: self.playhead)
        self._placed = has_places(record.soundtrack)
        self._resume_points = ResumePoints(
            *(parts.seal, self._steering.axis, self._resume_point),
            *(self._audience.tell_keepers, lambda: self._audience.keeps),
        )
        self._transport = Transport(
            *(session_id, parts, self.place, beginning, self._steering, self._audience, self._events),
            self._resume_points.changed,
        )
        self._watching = Watching(
            *(session_id, parts, self.place, self._steering, record.styles, self._events, self._audience),
            lambda cause, well: self._transport.renew(cause, None, well),
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
        try:
            landed = await self._steering.apply(inputs, request)
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
        self.touched = time.monotonic()
        return await self._transport.stop()

    async def reset(self, seed: int | None) -> Landed:
        """Begin afresh with another seed, the old context fading out under the new one."""
        self.touched = time.monotonic()
        self._watching.reset()
        return await self._transport.renew(stream_pb2.Refreshed.CAUSE_REQUESTED, seed)

    async def override(self, embedding: NDArray[np.float32] | None, fade_frames: int, guidance: float | None) -> Landed:
        """Play an embedding instead of the state's style, until the next transition; None: the state's style again."""
        self._check_live()

        def make(frame: int) -> Override | None:
            return None if embedding is None else Override(embedding, frame, frame + fade_frames, guidance)

        return self._transport.replanned(*await self._steering.override(make))

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

    def report(
        self, listener_id: str, playhead: int | None, underruns: int = 0, round_trip: float | None = None
    ) -> int:
        """Book what a listener has heard; a lone one's playhead paces the session. Gives the playhead believed.

        round_trip: in seconds, as the listener has measured it.
        """
        self.touched = time.monotonic()
        if round_trip:
            self._steering.rewinding.measured(round_trip)
        if underruns > 0:
            self.underruns += underruns
            self._parts.metrics.underruns.labels("listener").inc(underruns)
        listener = self._audience.get(listener_id)
        if listener is None or playhead is None:
            return self.playhead
        first = self._parts.hub.history.first_sample(self.place)
        believed = listener.playhead = min(max(playhead, first), listener.position)
        if self._audience.lone is listener:
            self._transport.believe(believed)
        return believed

    def ask_lead(self, listener_id: str, lead_ms: int) -> None:
        """A listener would like this lead, within the server's limits, for as long as it listens."""
        settings = self._parts.settings
        if self._audience.ask_lead(listener_id, min(max(lead_ms, settings.min_lead_ms), settings.max_lead_ms)):
            self._transport.lead(self.lead_ms)

    # Listening

    def listen(self, wish: Wish, begin: int | None, held: int | None = None) -> Listener:
        """Open a stream; begin is its first sample, None the playhead; held the take of what is before it. Raises
        Refused."""
        if self.status == CLOSED:
            raise unknown_session(self.session_id)
        listener = self._audience.join(wish, begin, self.playhead, self._steering.take, held)
        listener.on_first = self._on_first
        listener.ways = self._ways
        point = self._resume_points.now() if wish.continuation else None
        if point is not None:
            listener.tell(StreamAudioResponse(resume_point=point))
        if self.status == STOPPED:
            listener.end(stopped(), self.head_sample)
        return listener

    def leave(self, listener: Listener) -> None:
        """The stream is over. The playhead stands still when nobody listens."""
        if self._audience.leave(listener):
            self.touched = time.monotonic()
            if listener.lead_ms:
                self._transport.lead(self.lead_ms)
            if not len(self._audience):
                self._transport.play_head(moves=False)

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

    # What steering tells

    def furthest(self) -> int:
        """The first sample that nobody has heard."""
        return self._audience.furthest(self.playhead)

    def on_event(self, event: stream_pb2.Event, frame: int) -> None:
        """Something is going to happen; whoever has got its place already is told now."""
        if self._events.add(event, frame):
            self._audience.tell_late(event)

    def on_planned(self) -> None:
        """What is going to be played has been planned anew."""
        self._resume_points.changed()

    def on_traced(self) -> None:
        """The engine has taken up a control that is traced."""
        self._ways.arm()
        self._parts.hub.follow_ways(self.place, self._ways)

    def on_limited(self) -> None:
        """A control landed at the head because of the limits of rewinding."""
        self._audience.warn(
            stream_pb2.Warning.CODE_REWIND_LIMITED, "too many rewinds: a control landed at the head instead"
        )

    def on_rewound(self, first: int, head: int) -> None:
        """A new take begins at frame `first`: whoever has got more of the old one gets it anew from there."""
        axis, take = self._steering.axis, self._steering.take
        sample = axis.audible(first)
        self._events.cut(sample)
        rewound = stream_pb2.Rewound(replaced_until_sample=axis.audible(head))
        event = stream_pb2.Event(sample=sample, take=take, rewound=rewound)
        self._audience.rewound(sample, take)
        self._events.add(event)

    # What the hub tells

    def on_audio(self, head_sample: int) -> None:
        """The head has reached what a listener waits for."""
        self._audience.on_audio(head_sample)

    def on_follow(self) -> None:
        """The head has come near the end of what is planned."""
        if self._steering.bound is not None:
            self._steering.nudge()

    def on_beat(
        self, frame: float, beat: int, bar: int, bpm: float, beats_per_bar: int, phrase_bars: int, confidence: float
    ) -> None:
        """Tell a beat, and a bar where one begins."""
        sample = round(FRAME_SAMPLES * frame)
        if beat == 0:
            told = stream_pb2.Bar(
                bar=bar, phrase_bars=phrase_bars, bpm=bpm, beats_per_bar=beats_per_bar, confidence=confidence
            )
            self._events.add(stream_pb2.Event(sample=sample, bar=told), is_clock=True)
        event = stream_pb2.Beat(beat=beat, bar=bar, bpm=bpm, beats_per_bar=beats_per_bar, confidence=confidence)
        self._events.add(stream_pb2.Event(sample=sample, beat=event), is_clock=True)

    def on_overtaken(self) -> None:
        """The server could not keep its lead: count it, and say so now and then."""
        self.underruns += 1
        self._parts.metrics.underruns.labels("server").inc()
        self._audience.warn(stream_pb2.Warning.CODE_LEAD_LOST, "the server could not keep its lead")

    # Facts

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
        bound = self._steering.bound
        if bound is None:
            return self.head_sample
        return max(0, self._parts.device.pacer.playhead(bound.handle.index, time.monotonic()))

    def describe(self) -> session_pb2.Session:
        """As it goes over the wire."""
        machine = self.record.machine
        frame = self._steering.head_frame()
        state = self._steering.director.state_at(frame)
        names = self.record.soundtrack.parameters
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
        steering = self._steering
        state, override = steering.director.state, steering.overridden
        under = steering.planned(state.head - REACH)
        given = None
        if override is not None and override.until is None:
            given = (under[-1][1].style_codes, override.guidance)
        return described(
            *(self.record, self._parts.engine.info, self.session_id, self.deed),
            *(self.seed, self.lead_ms, self._beginning.guidance, steering.take),
            *(state, under, given),
        )

    def _check_live(self) -> None:
        self.touched = time.monotonic()
        self._transport.check()

    async def _switch(self, status: session_pb2.SessionStatus.ValueType) -> Landed:
        self.touched = time.monotonic()
        return await self._transport.switch(status)

    def _on_first(self, listener: Listener) -> None:
        if self.status == PLAYING:
            is_lone = self._audience.lone is listener
            self._transport.play_head(moves=True, begin=listener.wish.begin if is_lone else None)
