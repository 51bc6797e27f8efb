# SPDX-License-Identifier: Apache-2.0
"""LiveSoundtrackService: what a running game calls."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from segue.v1 import audio_pb2, control_pb2, session_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_engine.contract import FRAME_RATE, SAMPLE_RATE, Prompt, PromptError
from segue_service.api import requests as check
from segue_service.api import resume_requests as returned
from segue_service.api.caller import Caller
from segue_service.api.facts import audio_format, capabilities_of, model_info, warnings_of
from segue_service.api.memory import RequestMemory
from segue_service.errors import invalid, lacking, unknown
from segue_service.recordings import RecordingError, read_recording
from segue_service.session.beginning import fresh
from segue_service.session.encoding import name_of, resolve
from segue_service.session.landing import Landed
from segue_service.session.library import Library, Record
from segue_service.session.listeners import Wish
from segue_service.session.registry import Registry
from segue_service.session.resuming import Resuming
from segue_service.session.session import Session
from segue_service.soundtrack import Input
from segue_service.soundtrack.diagnostics import near_misses

R = TypeVar("R")
Warning_ = stream_pb2.Warning
_MS_PER_FRAME = 1000 // FRAME_RATE
_CREATES_REMEMBERED = 1024


class LiveHandlers:
    """One per server. Handlers take an unchecked request and its caller; they raise what errors.status_of knows."""

    def __init__(self, registry: Registry, library: Library) -> None:
        self._registry = registry
        self._library = library
        self._parts = registry.parts
        self._settings = registry.parts.settings
        self._creates: RequestMemory[pb.CreateSessionResponse] = RequestMemory(_CREATES_REMEMBERED)
        self._controls: dict[str, RequestMemory[Any]] = {}
        self._resuming = Resuming(registry, library)

    async def get_server_info(self, request: pb.GetServerInfoRequest, caller: Caller) -> pb.GetServerInfoResponse:
        """Facts about the server."""
        settings, registry, codecs = self._settings, self._registry, self._parts.codecs
        return pb.GetServerInfoResponse(
            version=version("segue"),
            ready=registry.ready and not registry.draining,
            draining=registry.draining,
            model=model_info(self._parts.engine, self._library.encoder),
            format=audio_format(audio_pb2.AUDIO_ENCODING_S16),
            encodings=codecs.encodings,
            slots=registry.slots,
            free_slots=registry.free,
            not_built=[f"AudioEncoding.{name_of(encoding)}" for encoding in codecs.missing],
            limits=session_pb2.Limits(
                max_request_bytes=settings.max_request_bytes,
                max_listeners=settings.max_listeners,
                min_lead_ms=settings.min_lead_ms,
                max_lead_ms=settings.max_lead_ms,
                history_ms=settings.history_ms,
                grace_ms=settings.grace_ms,
            ),
        )

    async def create_session(self, request: pb.CreateSessionRequest, caller: Caller) -> pb.CreateSessionResponse:
        """Claim a slot and begin to generate."""
        if request.request_id and not 16 <= len(request.request_id) <= 64:
            raise invalid("request_id", f"expected 16 to 64 characters, got {len(request.request_id)}")
        fingerprint = request.SerializeToString(deterministic=True)
        response = await self._creates.once(request.request_id, fingerprint, lambda: self._create(request))
        if not self._registry.alive(response.session.session_id):
            self._creates.forget(request.request_id)
            response = await self._creates.once(request.request_id, fingerprint, lambda: self._create(request))
        return response

    async def _create(self, request: pb.CreateSessionRequest) -> pb.CreateSessionResponse:
        self._registry.check_open()  # before anything is looked up that may not be loaded yet
        if request.HasField("resume"):
            return await self._resume(request)
        check.name("soundtrack_id", request.soundtrack_id)
        check.within("soundtrack_version", request.soundtrack_version, 0, 2**31 - 1)
        labels = check.labels(request.labels)
        lead_ms = request.target_lead_ms or self._settings.default_lead_ms
        check.within("target_lead_ms", lead_ms, self._settings.min_lead_ms, self._settings.max_lead_ms)
        parameters = check.parameters("parameters", request.parameters)
        record = self._library.get(request.soundtrack_id, request.soundtrack_version)
        self._registry.admit()
        prefill = await self._recording(request.prefill_audio) if request.prefill_audio else None
        guidance = check.guidance("guidance", request.guidance) if request.HasField("guidance") else None
        info = self._parts.engine.info
        beginning = fresh(
            *(record, info, request.seed if request.HasField("seed") else secrets.randbits(63), lead_ms),
            state=request.initial_state or None,
            parameters=parameters,
            guidance=guidance,
        )
        beginning = replace(beginning, prefill=returned.prefill(request, info))
        try:
            session, token = await self._registry.create(
                *(record, beginning), paused=request.paused, labels=labels, prefill=prefill
            )
        except PromptError as error:
            raise invalid("prefill_audio", str(error)) from None
        session.warnings = warnings_of(record, info, guidance)
        return pb.CreateSessionResponse(session=session.describe(), session_token=token, warnings=session.warnings)

    async def _resume(self, request: pb.CreateSessionRequest) -> pb.CreateSessionResponse:
        wish = returned.resume(request, self._settings)
        session, token = await self._resuming.resume(wish)
        return pb.CreateSessionResponse(session=session.describe(), session_token=token, warnings=session.warnings)

    async def _recording(self, data: bytes) -> NDArray[np.float32]:
        if self._parts.engine.tokenizer is None:
            model = self._parts.engine.info.model
            raise invalid("prefill_audio", f"the model {model} can't go on from audio (Capabilities.audio_prefill)")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._parts.slow, read_recording, data)
        except RecordingError as error:
            raise invalid("prefill_audio", str(error)) from None

    async def stream_audio(self, request: pb.StreamAudioRequest, caller: Caller) -> AsyncIterator[bytes]:
        """SessionReady, then events and chunks, then Goodbye; every message serialised."""
        session = self._session(request.session_id, caller)
        self._registry.check_open()  # what goes down has said goodbye already
        if request.encoding not in audio_pb2.AudioEncoding.values():
            raise invalid("encoding", f"expected a value of AudioEncoding, got {request.encoding}")
        encoding = resolve(request.encoding)
        if encoding not in self._parts.codecs.encodings:
            raise lacking(f"AudioEncoding.{name_of(encoding)}", self._parts.codecs.missing[encoding])
        chunk_ms = request.chunk_ms or self._settings.chunk_ms
        check.within("chunk_ms", chunk_ms, _MS_PER_FRAME, 1000)
        begin = request.from_sample if request.HasField("from_sample") else None
        if begin is not None and begin < 0:
            raise invalid("from_sample", f"expected 0 or more, got {begin}")
        wish = Wish(encoding, 0, chunk_ms // _MS_PER_FRAME, not request.without_clock, request.with_continuation)
        listener = session.listen(wish, begin, request.take if request.HasField("take") else None)
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        if task is not None:
            listener.on_end = lambda: loop.call_later(self._settings.goodbye_ms / 1000, task.cancel)
        try:
            ready = stream_pb2.SessionReady(
                session=session.describe(),
                format=audio_format(encoding),
                listener_id=listener.name,
                first_sample=listener.wish.begin,
                capabilities=capabilities_of(self._parts.engine, self._library.encoder),
                report_every_ms=self._settings.report_every_ms,
            )
            yield pb.StreamAudioResponse(ready=ready).SerializeToString()
            warnings, session.warnings = session.warnings, []
            for warning in warnings:
                yield pb.StreamAudioResponse(warning=warning).SerializeToString()
            async for message in listener.messages():
                yield message
        finally:
            listener.on_end = None
            session.leave(listener)

    async def post_event(self, request: pb.PostEventRequest, caller: Caller) -> pb.PostEventResponse:
        """A game event."""

        async def do(session: Session) -> pb.PostEventResponse:
            return pb.PostEventResponse(outcome=await self._steer(session, request.control, check.post_event(request)))

        return await self._once(request, caller, do)

    async def set_state(self, request: pb.SetStateRequest, caller: Caller) -> pb.SetStateResponse:
        """A state by name."""

        async def do(session: Session) -> pb.SetStateResponse:
            return pb.SetStateResponse(outcome=await self._steer(session, request.control, check.set_state(request)))

        return await self._once(request, caller, do)

    async def set_parameters(self, request: pb.SetParametersRequest, caller: Caller) -> pb.SetParametersResponse:
        """Parameters, together."""

        async def do(session: Session) -> pb.SetParametersResponse:
            inputs = check.set_parameters(request)
            return pb.SetParametersResponse(outcome=await self._steer(session, request.control, inputs))

        return await self._once(request, caller, do)

    async def post_trigger(self, request: pb.PostTriggerRequest, caller: Caller) -> pb.PostTriggerResponse:
        """A stinger."""

        async def do(session: Session) -> pb.PostTriggerResponse:
            inputs = check.post_trigger(request)
            return pb.PostTriggerResponse(outcome=await self._steer(session, request.control, inputs))

        return await self._once(request, caller, do)

    async def play(self, request: pb.PlayRequest, caller: Caller) -> pb.PlayResponse:
        """Go on."""

        await self._wake(request.control, caller)

        async def do(session: Session) -> pb.PlayResponse:
            check.bare(request.control)
            return pb.PlayResponse(outcome=self._outcome(session, request.control, await session.play(), "play"))

        return await self._once(request, caller, do)

    async def pause(self, request: pb.PauseRequest, caller: Caller) -> pb.PauseResponse:
        """Stop generating."""

        async def do(session: Session) -> pb.PauseResponse:
            check.bare(request.control)
            return pb.PauseResponse(outcome=self._outcome(session, request.control, await session.pause(), "pause"))

        return await self._once(request, caller, do)

    async def stop(self, request: pb.StopRequest, caller: Caller) -> pb.StopResponse:
        """End the music."""

        async def do(session: Session) -> pb.StopResponse:
            check.bare(request.control)
            return pb.StopResponse(outcome=self._outcome(session, request.control, await session.stop(), "stop"))

        return await self._once(request, caller, do)

    async def reset_context(self, request: pb.ResetContextRequest, caller: Caller) -> pb.ResetContextResponse:
        """Begin afresh."""

        async def do(session: Session) -> pb.ResetContextResponse:
            check.bare(request.control)
            landed = await session.reset(request.seed if request.HasField("seed") else None)
            return pb.ResetContextResponse(outcome=self._outcome(session, request.control, landed, "reset"))

        return await self._once(request, caller, do)

    async def set_weighted_prompts(
        self, request: pb.SetWeightedPromptsRequest, caller: Caller
    ) -> pb.SetWeightedPromptsResponse:
        """Prompts instead of the state's style."""

        async def do(session: Session) -> pb.SetWeightedPromptsResponse:
            check.bare(request.control)
            check.within("fade_ms", request.fade_ms, 0, 30_000)
            guidance = None
            if request.HasField("guidance"):
                guidance = check.within("guidance", request.guidance, -1, 7)
            embedding, notes = None, list[str]()
            if request.prompts:
                embedding, notes = await self._blend(session.record, request.prompts)
            landed = await session.override(embedding, request.fade_ms // _MS_PER_FRAME, guidance)
            outcome = self._outcome(session, request.control, landed, "prompts")
            return pb.SetWeightedPromptsResponse(outcome=outcome, notes=notes)

        return await self._once(request, caller, do)

    async def report_playback(self, request: pb.ReportPlaybackRequest, caller: Caller) -> pb.ReportPlaybackResponse:
        """What has been heard."""
        session = self._session(request.session_id, caller)
        check.within("playhead_sample", request.playhead_sample, 0, 2**62)
        check.within("underruns", request.underruns, 0, 1_000_000)
        check.within("round_trip_ms", request.round_trip_ms, 0, 600_000)
        check.within("target_lead_ms", request.target_lead_ms, 0, 600_000)
        playhead = session.report(
            request.listener_id, request.playhead_sample, request.underruns, request.round_trip_ms / 1000
        )
        if request.target_lead_ms:
            session.ask_lead(request.listener_id, request.target_lead_ms)
        return pb.ReportPlaybackResponse(
            head_sample=session.head_sample,
            playhead_sample=playhead,
            report_every_ms=self._settings.report_every_ms,
            target_lead_ms=session.lead_ms,
        )

    async def get_session(self, request: pb.GetSessionRequest, caller: Caller) -> pb.GetSessionResponse:
        """The session as it is now."""
        suspended = self._registry.suspended(request.session_id, caller.token)
        if suspended is not None:
            return pb.GetSessionResponse(session=suspended.described)
        return pb.GetSessionResponse(session=self._session(request.session_id, caller).describe())

    async def close_session(self, request: pb.CloseSessionRequest, caller: Caller) -> pb.CloseSessionResponse:
        """Free the slot, and forget what is kept of a suspended session."""
        suspended = self._registry.suspended(request.session_id, caller.token)
        if suspended is not None:
            self._registry.forget(request.session_id)
            return pb.CloseSessionResponse(session=suspended.described)
        session = self._session(request.session_id, caller)
        described = session.describe()
        goodbye = stream_pb2.Goodbye(
            reason=stream_pb2.Goodbye.REASON_CLOSED, message="the session was closed", retry_after_ms=-1
        )
        await self._registry.close(session, goodbye)
        self._controls.pop(session.session_id, None)
        described.status = session_pb2.SESSION_STATUS_CLOSED
        return pb.CloseSessionResponse(session=described)

    # Inner parts

    def _session(self, session_id: str, caller: Caller) -> Session:
        check.name("session_id", session_id)
        return self._registry.get(session_id, caller.token)

    async def _wake(self, control: check.Header, caller: Caller) -> None:
        """Bring a suspended session back before it is told to play."""
        suspended = self._registry.suspended(control.session_id, caller.token)
        if suspended is not None:
            await self._resuming.wake(control.session_id, suspended, caller.token or "")

    async def _once(self, request: Any, caller: Caller, do: Callable[[Session], Awaitable[R]]) -> R:
        control: check.Header = request.control
        session = self._session(control.session_id, caller)
        check.header(control)
        if len(self._controls) > 2 * self._registry.slots + 16:
            self._controls = {key: memory for key, memory in self._controls.items() if self._registry.alive(key)}
        memory = self._controls.get(session.session_id)
        if memory is None:
            memory = self._controls[session.session_id] = RequestMemory(self._settings.remembered_requests)
        bare = type(request)()
        bare.CopyFrom(request)
        bare.control.ClearField("playhead_sample")
        fingerprint = request.DESCRIPTOR.full_name.encode() + bare.SerializeToString(deterministic=True)
        found: R = await memory.once(control.request_id, fingerprint, lambda: self._noted(session, request, do))
        return found

    async def _noted(self, session: Session, request: Any, do: Callable[[Session], Awaitable[R]]) -> R:
        response: Any = await do(session)
        kind = request.DESCRIPTOR.name.removesuffix("Request")
        self._parts.logs.note(session.place, kind, request=request, response=response)
        answered: R = response
        return answered

    async def _steer(
        self, session: Session, control: check.Header, inputs: Sequence[Input]
    ) -> control_pb2.ControlOutcome:
        if control.HasField("playhead_sample"):
            session.report(control.listener_id, control.playhead_sample)
        landed = await session.control(inputs, control.request_id)
        return self._outcome(session, control, landed, type(inputs[0]).__name__)

    def _outcome(
        self, session: Session, control: check.Header, landed: Landed, kind: str
    ) -> control_pb2.ControlOutcome:
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
        landing = control_pb2.Landing.Name(landed.landing).removeprefix("LANDING_").lower()
        self._parts.metrics.controls.labels(kind, landing).inc()
        if landed.frame is not None:
            outcome.audible_at_sample = axis.audible(landed.frame)
            self._parts.metrics.audible_seconds.observe(max(0, outcome.audible_at_sample - playhead) / SAMPLE_RATE)
        return outcome

    async def _blend(
        self, record: Record, given: Sequence[pb.WeightedPrompt]
    ) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], list[str]]:
        weights = np.asarray(check.weights(given), np.float32)
        rows: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None] = []
        prompts: list[Prompt] = []
        for place, item in enumerate(given):
            if item.WhichOneof("prompt") == "style":
                names = record.styles.names
                if item.style not in names:
                    raise unknown("style", item.style, near_misses(item.style, names), names)
                rows.append(record.styles.embeddings[names.index(item.style)])
            else:
                prompts.append(check.prompt(f"prompts[{place}]", item))
                rows.append(None)
        return await self._library.blend(rows, prompts, weights)
