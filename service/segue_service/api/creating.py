# SPDX-License-Identifier: Apache-2.0
"""CreateSession: whose the session is to be, what it begins with, and what is checked before a slot is claimed."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_engine.contract import PromptError
from segue_service.api import requests as check
from segue_service.api import resume_requests as returned
from segue_service.api.caller import Caller, identified
from segue_service.api.facts import warnings_of
from segue_service.api.routed_token import with_route
from segue_service.errors import invalid, not_here
from segue_service.recordings import RecordingError, read_recording
from segue_service.security.access import ANYBODY, Identity
from segue_service.security.prompt_filter import prompts_of
from segue_service.session.beginning import fresh
from segue_service.session.deed import Deed
from segue_service.session.library import Library
from segue_service.session.registry import Registry
from segue_service.session.resuming import Resuming
from segue_service.session.session import Session


class Creating:
    """Of one server. Event loop only."""

    def __init__(self, registry: Registry, library: Library, resuming: Resuming) -> None:
        self._registry, self._library, self._resuming = registry, library, resuming
        self._parts = registry.parts
        self._settings, self._security = registry.parts.settings, registry.parts.security

    def who(self, request: pb.CreateSessionRequest, caller: Caller) -> Identity:
        """Whose the session is to be. What its own token brings back needs nobody's leave: its tenant is in the resume
        point. Raises Refused."""
        if request.resume.session_token:
            return ANYBODY
        return identified(caller, self._security.access)

    async def create(self, request: pb.CreateSessionRequest, who: Identity, caller: Caller) -> pb.CreateSessionResponse:
        """A new session, or one that is brought back. Raises Refused; nothing is claimed then."""
        self._registry.check_open()  # before anything is looked up that may not be loaded yet
        self._check_here(request, caller)
        self._security.usage.create(who.name)
        is_return = request.HasField("resume")
        session, token = await (self._resume if is_return else self._begin)(request, who)
        told = {"tenant": session.deed.tenant, "key": caller.who.key, "peer": caller.peer}
        told |= {"session": session.session_id, "soundtrack": session.record.name}
        self._security.audit.note("create", **told, detail="by a resume point" if is_return else "")
        token = with_route(token, session.session_id, self._settings.session_route)
        return pb.CreateSessionResponse(session=session.describe(), session_token=token, warnings=session.warnings)

    def _check_here(self, request: pb.CreateSessionRequest, caller: Caller) -> None:
        """Raises Refused if the session was here, is not, and a front door can ask others. All who bring a session back
        are sent away by the process that they had it from: whether they come before another one has taken its place or
        after, they meet at the same one of the others."""
        label = caller.label if request.resume.session_token and caller.attempt == 1 else None
        if label is None or label.route != self._settings.session_route or self._resuming.knows(label.session_id):
            return
        raise not_here(label.session_id, self._settings.retry_after_ms)

    async def _begin(self, request: pb.CreateSessionRequest, who: Identity) -> tuple[Session, str]:
        check.name("soundtrack_id", request.soundtrack_id)
        check.within("soundtrack_version", request.soundtrack_version, 0, 2**31 - 1)
        labels = check.labels(request.labels)
        lead_ms = self._lead(request.target_lead_ms, who.name)
        parameters = check.parameters("parameters", request.parameters)
        record = self._library.get(request.soundtrack_id, request.soundtrack_version, who.may_use)
        if record.owner is not None:  # what is not allowed may have changed since it was uploaded
            await self._security.prompts.check(prompts_of(record.soundtrack), who.name)
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
        deed, token = Deed.new(who.name, self._settings.token_hours)
        try:
            session = await self._registry.create(
                *(record, beginning), paused=request.paused, labels=labels, deed=deed, prefill=prefill
            )
        except PromptError as error:
            raise invalid("prefill_audio", str(error)) from None
        session.warnings = warnings_of(record, info, guidance)
        return session, token

    async def _resume(self, request: pb.CreateSessionRequest, who: Identity) -> tuple[Session, str]:
        return await self._resuming.resume(returned.resume(request, self._settings), who)

    def _lead(self, asked_ms: int, tenant: str) -> int:
        """The lead of a new session. Raises Refused."""
        settings, usage = self._settings, self._security.usage
        if asked_ms:
            check.within("target_lead_ms", asked_ms, settings.min_lead_ms, settings.max_lead_ms)
            usage.check_lead(tenant, asked_ms)
            return asked_ms
        usual, most = settings.default_lead_ms, usage.lead(tenant)
        return usual if most is None else max(settings.min_lead_ms, min(usual, most))

    async def _recording(self, data: bytes) -> NDArray[np.float32]:
        if self._parts.engine.tokenizer is None:
            model = self._parts.engine.info.model
            raise invalid("prefill_audio", f"the model {model} can't go on from audio (Capabilities.audio_prefill)")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._parts.slow, read_recording, data)
        except RecordingError as error:
            raise invalid("prefill_audio", str(error)) from None
