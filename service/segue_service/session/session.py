# SPDX-License-Identifier: Apache-2.0
"""A session: its slot, its listeners, its life. Event loop only."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from segue.v1 import control_pb2, session_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_engine.contract import FRAME_SAMPLES, SAMPLE_RATE, PromptError
from segue_service.errors import unknown_session, wrong_status
from segue_service.session import slot_work
from segue_service.session.audience import Audience, stopped
from segue_service.session.device_thread import Device
from segue_service.session.director import Director
from segue_service.session.events import EventLog
from segue_service.session.guidance import guidance_of
from segue_service.session.heading import heading_for, in_transition
from segue_service.session.landing import Bound, Entries, Landed
from segue_service.session.library import Record
from segue_service.session.listeners import Listener, Wish
from segue_service.session.parts import Parts
from segue_service.session.rewinding import Rewinding
from segue_service.session.steering import Steering
from segue_service.session.styles import Override
from segue_service.soundtrack import Guidance, Input

PLAYING, PAUSED = session_pb2.SESSION_STATUS_PLAYING, session_pb2.SESSION_STATUS_PAUSED
STOPPED, CLOSED = session_pb2.SESSION_STATUS_STOPPED, session_pb2.SESSION_STATUS_CLOSED


class Session:
    """One soundtrack being generated. Made by the registry, which also knows its token."""

    def __init__(
        self,
        session_id: str,
        record: Record,
        seed: int,
        parts: Parts,
        *,
        state: str | None = None,
        parameters: Mapping[str, float] | None = None,
        lead_ms: int,
        labels: Mapping[str, str],
        guidance: Guidance | None = None,
    ) -> None:
        """guidance: of styles that name none; None: the model's own."""
        machine = record.machine
        begun = machine.start(frame=0, state=state, parameters=dict(parameters or {}))
        info = parts.engine.info
        director = Director(machine, begun, guidance=guidance or guidance_of(info), reach=info.rewind_frames)
        self.session_id = session_id
        self.record = record
        self.seed = seed
        self.lead_ms = lead_ms
        self.labels = dict(labels)
        self.status: session_pb2.SessionStatus.ValueType = PLAYING
        self.underruns = 0
        self.created = time.time()
        self.touched = time.monotonic()
        """When it was last steered, listened to or left (time.monotonic)."""
        self.warnings: list[stream_pb2.Warning] = []
        """What the first listener is to be told."""
        self.place = parts.hub.attach(self)
        self._parts = parts
        self._events = EventLog()
        self._audience = Audience(
            parts.hub, self.place, self._events, parts.settings, parts.metrics, parts.codecs, lead_ms=lead_ms
        )
        self._steering = Steering(
            director,
            record.styles,
            self._events,
            parts.hub,
            self.place,
            parts.device,
            parts.executor,
            parts.metrics,
            self,
            Rewinding(parts.settings, parts.hub.history.axis, info.rewind_frames),
        )

    async def open(self, *, paused: bool, prefill: NDArray[np.float32] | None = None) -> None:
        """Claim a slot and begin, going on from `prefill` f32[n, 2] if given.

        Raises EngineFullError, ConditioningError, PromptError.
        """
        history = None if prefill is None else await self._tokenise(prefill)
        placement, entries = await self._steering.first()
        axis = self._steering.axis
        target = self.lead_ms * SAMPLE_RATE // 1000
        self.status = PAUSED if paused else PLAYING

        def claim(device: Device) -> Bound:
            return slot_work.claim(
                *(device, self.seed, entries, axis),
                target=target,
                limit=placement.limit,
                active=not paused,
                prefill=history,
            )

        def then(bound: Bound) -> None:
            if self.status == CLOSED:
                self._parts.device.post(lambda device: device.release(bound.handle))
                return
            self._steering.bound = bound
            self._parts.hub.bind(self.place, bound.handle)
            self._steering.commit(placement)

        await self._parts.device.submit(claim, then)

    # Controls

    async def control(self, inputs: Sequence[Input], request: str) -> Landed:
        """Apply changes to the state machine, all or none. Raises ControlError, Refused."""
        self._check_live()
        try:
            return await self._steering.apply(inputs, request)
        except asyncio.CancelledError:
            self._check_live()
            raise

    async def play(self) -> Landed:
        """Go on."""
        return await self._switch(PLAYING)

    async def pause(self) -> Landed:
        """Stop generating; the playhead stands still."""
        return await self._switch(PAUSED)

    async def stop(self) -> Landed:
        """End the music; listeners get what is there, then Goodbye."""
        async with self._steering.lock:
            bound = self._bound()
            frame = await self._parts.device.submit(lambda device: slot_work.end(device, bound))
            self._steering.bound = None
            self._parts.hub.unbind(self.place)
            self._tell_status(STOPPED, frame)
            self._audience.end(stopped(), self.head_sample)
            return self._landed(frame)

    async def reset(self, seed: int | None) -> Landed:
        """Begin afresh at the head with another seed, the old context fading out under the new one."""
        fresh = secrets.randbits(63) if seed is None else seed
        async with self._steering.lock:
            bound, hub, axis = self._bound(), self._parts.hub, self._steering.axis
            renewed: list[tuple[Bound, int, NDArray[np.int16]]] = []

            def renew(device: Device, frame: int, entries: Entries, limit: int) -> bool:
                new, tail = slot_work.renew(device, bound, fresh, frame, entries, limit, axis)
                renewed.append((new, frame, tail))
                return True

            def then() -> None:
                new, frame, tail = renewed[0]
                self._steering.bound = new
                hub.bind(self.place, new.handle, new.offset, floor=frame)
                hub.crossfade(self.place, frame, tail)

            frame = await self._steering.replan(renew, then)
            self.seed = fresh
            refreshed = stream_pb2.Refreshed(cause=stream_pb2.Refreshed.CAUSE_REQUESTED, seed=fresh)
            self._events.add(stream_pb2.Event(sample=axis.audible(frame), refreshed=refreshed))
            return self._landed(frame)

    async def override(self, embedding: NDArray[np.float32] | None, fade_frames: int, guidance: float | None) -> Landed:
        """Play an embedding instead of the state's style, until the next transition; None: the state's style again."""
        self._check_live()

        def make(frame: int) -> Override | None:
            return None if embedding is None else Override(embedding, frame, frame + fade_frames, guidance)

        return self._landed(await self._steering.override(make))

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
        listener, bound = self._audience.get(listener_id), self._steering.bound
        if listener is None or playhead is None:
            return self.playhead
        first = self._parts.hub.history.first_sample(self.place)
        believed = listener.playhead = min(max(playhead, first), listener.position)
        if bound is not None and self._audience.lone is listener:
            self._parts.device.post(lambda device: slot_work.believe(device, bound, believed))
        return believed

    # Listening

    def listen(self, wish: Wish, begin: int | None) -> Listener:
        """Open a stream; begin is its first sample, None the playhead. Raises Refused."""
        if self.status == CLOSED:
            raise unknown_session(self.session_id)
        listener = self._audience.join(wish, begin, self.playhead, self._steering.take)
        listener.on_first = self._on_first
        if self.status == STOPPED:
            listener.end(stopped(), self.head_sample)
        return listener

    def leave(self, listener: Listener) -> None:
        """The stream is over. The playhead stands still when nobody listens."""
        if self._audience.leave(listener):
            self.touched = time.monotonic()
            if not len(self._audience):
                self._play(playing=False)

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

    def on_beat(self, frame: int, beat: int, bar: int, bpm: float, beats_per_bar: int, phrase_bars: int) -> None:
        """Tell a beat, and a bar where one begins."""
        sample = FRAME_SAMPLES * frame
        if beat == 0:
            told = stream_pb2.Bar(
                bar=bar, phrase_bars=phrase_bars, bpm=bpm, beats_per_bar=beats_per_bar, confidence=1.0
            )
            self._events.add(stream_pb2.Event(sample=sample, bar=told), is_clock=True)
        event = stream_pb2.Beat(beat=beat, bar=bar, bpm=bpm, beats_per_bar=beats_per_bar, confidence=1.0)
        self._events.add(stream_pb2.Event(sample=sample, beat=event), is_clock=True)

    def on_overtaken(self) -> None:
        """The server could not keep its lead: count it, and say so now and then."""
        self.underruns += 1
        self._parts.metrics.underruns.labels("server").inc()
        self._audience.warn(stream_pb2.Warning.CODE_LEAD_LOST, "the server could not keep its lead")

    # Facts

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
        self.status = CLOSED
        bound, self._steering.bound = self._steering.bound, None
        self._steering.cancel()
        if bound is not None:
            self._parts.device.post(lambda device: device.release(bound.handle))
        self._audience.end(goodbye)
        self._parts.hub.detach(self.place)

    def bid(self, goodbye: stream_pb2.Goodbye) -> None:
        """End every stream now; the session stays."""
        self._audience.end(goodbye)

    # Inner parts

    async def _tokenise(self, audio: NDArray[np.float32]) -> NDArray[np.int32]:
        def begin(device: Device) -> Iterator[NDArray[np.int32]]:
            if device.engine.tokenizer is None:
                raise PromptError("the model has no audio encoder here")
            return device.engine.tokenizer.pieces(audio)

        return np.concatenate(await self._parts.device.drain(begin))

    def _check_live(self) -> None:
        self.touched = time.monotonic()
        if self.status == CLOSED:
            raise unknown_session(self.session_id)
        if self.status == STOPPED:
            raise wrong_status("the session is stopped: create another one")

    def _bound(self) -> Bound:
        self._check_live()
        if self._steering.bound is None:
            raise wrong_status("the session has no slot yet")
        return self._steering.bound

    async def _switch(self, status: session_pb2.SessionStatus.ValueType) -> Landed:
        async with self._steering.lock:
            bound = self._bound()
            active = status == PLAYING
            playing = active and len(self._audience) > 0
            frame = await self._parts.device.submit(
                lambda device: slot_work.switch(device, bound, active=active, playing=playing)
            )
            changed = self.status != status
            if changed:
                self._tell_status(status, frame)
            return self._landed(frame, changed=changed)

    def _tell_status(self, status: session_pb2.SessionStatus.ValueType, frame: int) -> None:
        self.status = status
        changed = stream_pb2.StatusChanged(status=status)
        event = stream_pb2.Event(sample=self._steering.axis.audible(frame), status_changed=changed)
        self._audience.tell(StreamAudioResponse(event=event))

    def _landed(self, frame: int, *, changed: bool = True) -> Landed:
        state = self._steering.director.state_at(frame)
        return Landed(
            frame=frame if changed else None,
            state=heading_for(state),
            in_transition=in_transition(state),
            head_frame=frame,
            reason="" if changed else "already there",
            take=self._steering.take,
        )

    def _on_first(self, listener: Listener) -> None:
        if self.status == PLAYING:
            self._play(playing=True, begin=listener.wish.begin if self._audience.lone is listener else None)

    def _play(self, *, playing: bool, begin: int | None = None) -> None:
        bound = self._steering.bound
        if bound is not None:
            self._parts.device.post(lambda device: slot_work.play(device, bound, playing=playing, begin=begin))
