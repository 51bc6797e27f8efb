# SPDX-License-Identifier: Apache-2.0
"""LiveSoundtrackService: what a running game calls."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version

import numpy as np

from segue.v1 import audio_pb2, session_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_engine.contract import FRAME_RATE, Prompt
from segue_service.api import requests as check
from segue_service.api.caller import Caller, open_session
from segue_service.api.controlling import Controlling
from segue_service.api.creating import Creating
from segue_service.api.facts import audio_format, capabilities_of, model_info
from segue_service.api.memory import RequestMemory
from segue_service.api.routed_token import way_to, with_route
from segue_service.errors import invalid, lacking, unknown
from segue_service.security.grants import Right
from segue_service.session.encoding import name_of, resolve
from segue_service.session.library import Library
from segue_service.session.listeners import Wish
from segue_service.session.registry import Registry
from segue_service.session.resuming import Resuming
from segue_service.session.session import Session
from segue_service.soundtrack.diagnostics import near_misses

_MS_PER_FRAME = 1000 // FRAME_RATE
_CREATES_REMEMBERED = 1024
_USUAL_GRANT = 4 * 3600
_LONGEST_GRANT = 30 * 86_400


class LiveHandlers:
    """One per server. Handlers take an unchecked request and its caller; they raise what errors.status_of knows."""

    def __init__(self, registry: Registry, library: Library) -> None:
        self._registry = registry
        self._library = library
        self._parts = registry.parts
        self._settings = registry.parts.settings
        self._security = registry.parts.security
        self._creates: RequestMemory[pb.CreateSessionResponse] = RequestMemory(_CREATES_REMEMBERED)
        self._resuming = Resuming(registry, library)
        self._creating = Creating(registry, library, self._resuming)
        self._controlling = Controlling(registry)

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
        who = self._creating.who(request, caller)
        fingerprint = request.SerializeToString(deterministic=True)
        name = request.request_id and f"{who.name} {request.request_id}"  # one tenant's never answers another's
        response = await self._creates.once(name, fingerprint, lambda: self._creating.create(request, who, caller))
        if not self._registry.alive(response.session.session_id):
            self._creates.forget(name)
            response = await self._creates.once(name, fingerprint, lambda: self._creating.create(request, who, caller))
        return response

    async def stream_audio(self, request: pb.StreamAudioRequest, caller: Caller) -> AsyncIterator[bytes]:
        """SessionReady, then events and chunks, then Goodbye; every message serialised."""
        session, opened = open_session(caller, request.session_id, self._registry, Right.LISTEN)
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
        with self._security.usage.listening(session.deed.tenant, session.listeners):
            listener = session.listening.join(wish, begin, request.take if request.HasField("take") else None)
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            if task is not None:
                listener.on_end = lambda: loop.call_later(self._settings.goodbye_ms / 1000, task.cancel)
            left = None if opened.until is None else opened.until - time.time()
            expiry = None if left is None else loop.call_later(left, listener.end, _expired())
            try:
                ready = stream_pb2.SessionReady(
                    session=session.describe(),
                    format=audio_format(encoding),
                    listener_id=listener.name,
                    first_sample=listener.wish.begin,
                    capabilities=capabilities_of(self._parts.engine, self._library.encoder),
                    report_every_ms=self._settings.report_every_ms,
                    session_token=way_to(caller.token, session.session_id, self._settings.session_route),
                )
                yield pb.StreamAudioResponse(ready=ready).SerializeToString()
                warnings, session.warnings = session.warnings, []
                for warning in warnings:
                    yield pb.StreamAudioResponse(warning=warning).SerializeToString()
                async for message in listener.messages():
                    yield message
            finally:
                listener.on_end = None
                if expiry is not None:
                    expiry.cancel()
                session.listening.leave(listener)

    async def post_event(self, request: pb.PostEventRequest, caller: Caller) -> pb.PostEventResponse:
        """A game event."""

        async def do(session: Session) -> pb.PostEventResponse:
            inputs = check.post_event(request)
            return pb.PostEventResponse(outcome=await self._controlling.steer(session, request.control, inputs))

        return await self._controlling.once(request, caller, do)

    async def set_state(self, request: pb.SetStateRequest, caller: Caller) -> pb.SetStateResponse:
        """A state by name."""

        async def do(session: Session) -> pb.SetStateResponse:
            inputs = check.set_state(request)
            return pb.SetStateResponse(outcome=await self._controlling.steer(session, request.control, inputs))

        return await self._controlling.once(request, caller, do)

    async def set_parameters(self, request: pb.SetParametersRequest, caller: Caller) -> pb.SetParametersResponse:
        """Parameters, together."""

        async def do(session: Session) -> pb.SetParametersResponse:
            inputs = check.set_parameters(request)
            return pb.SetParametersResponse(outcome=await self._controlling.steer(session, request.control, inputs))

        return await self._controlling.once(request, caller, do)

    async def post_trigger(self, request: pb.PostTriggerRequest, caller: Caller) -> pb.PostTriggerResponse:
        """A stinger."""

        async def do(session: Session) -> pb.PostTriggerResponse:
            inputs = check.post_trigger(request)
            return pb.PostTriggerResponse(outcome=await self._controlling.steer(session, request.control, inputs))

        return await self._controlling.once(request, caller, do)

    async def play(self, request: pb.PlayRequest, caller: Caller) -> pb.PlayResponse:
        """Go on."""

        await self._wake(request.control, caller)

        async def do(session: Session) -> pb.PlayResponse:
            check.bare(request.control)
            return pb.PlayResponse(outcome=self._controlling.outcome(session, request.control, await session.play()))

        return await self._controlling.once(request, caller, do)

    async def pause(self, request: pb.PauseRequest, caller: Caller) -> pb.PauseResponse:
        """Stop generating."""

        async def do(session: Session) -> pb.PauseResponse:
            check.bare(request.control)
            return pb.PauseResponse(outcome=self._controlling.outcome(session, request.control, await session.pause()))

        return await self._controlling.once(request, caller, do)

    async def stop(self, request: pb.StopRequest, caller: Caller) -> pb.StopResponse:
        """End the music."""

        async def do(session: Session) -> pb.StopResponse:
            check.bare(request.control)
            return pb.StopResponse(outcome=self._controlling.outcome(session, request.control, await session.stop()))

        return await self._controlling.once(request, caller, do)

    async def reset_context(self, request: pb.ResetContextRequest, caller: Caller) -> pb.ResetContextResponse:
        """Begin afresh."""

        async def do(session: Session) -> pb.ResetContextResponse:
            check.bare(request.control)
            landed = await session.reset(request.seed if request.HasField("seed") else None)
            return pb.ResetContextResponse(outcome=self._controlling.outcome(session, request.control, landed))

        return await self._controlling.once(request, caller, do)

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
                embedding, notes = await self._blend(session, request.prompts)
            landed = await session.override(embedding, request.fade_ms // _MS_PER_FRAME, guidance)
            outcome = self._controlling.outcome(session, request.control, landed)
            return pb.SetWeightedPromptsResponse(outcome=outcome, notes=notes)

        return await self._controlling.once(request, caller, do)

    async def report_playback(self, request: pb.ReportPlaybackRequest, caller: Caller) -> pb.ReportPlaybackResponse:
        """What has been heard."""
        session, _ = open_session(caller, request.session_id, self._registry, Right.LISTEN)
        check.within("playhead_sample", request.playhead_sample, 0, 2**62)
        check.within("underruns", request.underruns, 0, 1_000_000)
        check.within("round_trip_ms", request.round_trip_ms, 0, 600_000)
        check.within("target_lead_ms", request.target_lead_ms, 0, 600_000)
        playhead = session.listening.report(
            request.listener_id, request.playhead_sample, request.underruns, request.round_trip_ms / 1000
        )
        if request.target_lead_ms:
            most = self._security.usage.lead(session.deed.tenant)
            session.listening.ask_lead(request.listener_id, min(request.target_lead_ms, most or request.target_lead_ms))
        return pb.ReportPlaybackResponse(
            head_sample=session.head_sample,
            playhead_sample=playhead,
            report_every_ms=self._settings.report_every_ms,
            target_lead_ms=session.lead_ms,
        )

    async def get_session(self, request: pb.GetSessionRequest, caller: Caller) -> pb.GetSessionResponse:
        """The session as it is now."""
        suspended = self._registry.suspended(request.session_id, caller.token, Right.LISTEN)
        if suspended is not None:
            return pb.GetSessionResponse(session=suspended.described)
        session, _ = open_session(caller, request.session_id, self._registry, Right.LISTEN)
        return pb.GetSessionResponse(session=session.describe())

    async def close_session(self, request: pb.CloseSessionRequest, caller: Caller) -> pb.CloseSessionResponse:
        """Free the slot, and forget what is kept of a suspended session."""
        suspended = self._registry.suspended(request.session_id, caller.token)
        if suspended is not None:
            self._registry.forget(request.session_id)
            self._told("close", caller, request.session_id)
            return pb.CloseSessionResponse(session=suspended.described)
        session, _ = open_session(caller, request.session_id, self._registry, Right.OWN)
        described = session.describe()
        goodbye = stream_pb2.Goodbye(
            reason=stream_pb2.Goodbye.REASON_CLOSED, message="the session was closed", retry_after_ms=-1
        )
        await self._registry.close(session, goodbye)
        self._controlling.forget(session.session_id)
        described.status = session_pb2.SESSION_STATUS_CLOSED
        self._told("close", caller, session.session_id)
        return pb.CloseSessionResponse(session=described)

    async def grant_token(self, request: pb.GrantTokenRequest, caller: Caller) -> pb.GrantTokenResponse:
        """A token that may do less, and ends."""
        session, opened = open_session(caller, request.session_id, self._registry, Right.OWN)
        check.within("valid_seconds", request.valid_seconds, 0, _LONGEST_GRANT)
        now = math.ceil(time.time())
        until = now + (request.valid_seconds or _USUAL_GRANT)
        if opened.until is not None:
            until = min(until, int(opened.until))
        right = Right.STEER if request.may_steer else Right.LISTEN
        token = self._security.grants.make(session.session_id, session.deed.digest, right, until)
        self._told("grant", caller, session.session_id, detail=f"{right.name.lower()}, {until - now} s")
        token = with_route(token, session.session_id, self._settings.session_route)
        return pb.GrantTokenResponse(session_token=token, expires_unix_ms=1000 * until)

    # Inner parts

    def _told(self, action: str, caller: Caller, session: str, soundtrack: str = "", detail: str = "") -> None:
        """Tell the audit log."""
        who = {"tenant": caller.who.tenant, "key": caller.who.key, "peer": caller.peer}
        self._security.audit.note(action, **who, session=session, soundtrack=soundtrack, detail=detail)

    async def _wake(self, control: check.Header, caller: Caller) -> None:
        """Bring a suspended session back before it is told to play."""
        suspended = self._registry.suspended(control.session_id, caller.token, Right.STEER)
        if suspended is not None:
            await self._resuming.wake(control.session_id, suspended, caller.token or "")

    async def _blend(
        self, session: Session, given: Sequence[pb.WeightedPrompt]
    ) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], list[str]]:
        weights, record = np.asarray(check.weights(given), np.float32), session.record
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
        texts = [(f"prompts[{place}].text", item.text) for place, item in enumerate(given) if item.text]
        await self._security.prompts.check(texts, session.deed.tenant)
        return await self._library.blend(rows, prompts, weights)


def _expired() -> stream_pb2.Goodbye:
    reason, message = stream_pb2.Goodbye.REASON_TOKEN_EXPIRED, "the token of this stream has expired"
    return stream_pb2.Goodbye(reason=reason, message=message, retry_after_ms=-1)
