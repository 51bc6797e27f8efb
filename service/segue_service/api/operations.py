# SPDX-License-Identifier: Apache-2.0
"""OperationsService: what an operator or an orchestrator calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from segue.v1 import operations_service_pb2 as pb
from segue.v1 import session_pb2, stream_pb2
from segue_service.api import requests as check
from segue_service.api.caller import Caller, check_operator
from segue_service.errors import invalid
from segue_service.observe.log import logger
from segue_service.session.deed import Deed
from segue_service.session.registry import Registry
from segue_service.session.session import Session

_MOST_IDS: Final = 500
_log = logger("operations")


def _check_reason(reason: str) -> None:
    if len(reason) > 256:
        raise invalid("reason", f"expected at most 256 characters, got {len(reason)}")


def _described(session: Session) -> session_pb2.Session:
    """As operators see it: whose it is, too."""
    described = session.describe()
    described.tenant = session.deed.tenant
    return described


class OperationsHandlers:
    """One per server. Every call needs the operator's token where there is one."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._settings = registry.parts.settings
        self._draining: asyncio.Task[None] | None = None

    async def list_sessions(self, request: pb.ListSessionsRequest, caller: Caller) -> pb.ListSessionsResponse:
        """The sessions of this server, by id."""
        check_operator(caller, self._settings)
        first, size = check.page(request.page_size, request.page_token, 100, 500)
        sessions = list(self._registry)
        return pb.ListSessionsResponse(
            sessions=[_described(session) for session in sessions[first : first + size]],
            next_page_token=str(first + size) if first + size < len(sessions) else "",
            slots=self._registry.slots,
            free_slots=self._registry.free,
        )

    async def watch_sessions(self, request: pb.WatchSessionsRequest, caller: Caller) -> AsyncIterator[bytes]:
        """All sessions, then what changes."""
        check_operator(caller, self._settings)
        every_ms = request.every_ms or 1000
        check.within("every_ms", every_ms, 100, 60_000)
        registry, told = self._registry, dict[str, session_pb2.Session]()
        while True:
            now = {session.session_id: _described(session) for session in registry}
            changed = [session for key, session in now.items() if told.get(key) != session]
            yield pb.WatchSessionsResponse(
                sessions=changed,
                closed_session_ids=sorted(told.keys() - now.keys()),
                slots=registry.slots,
                free_slots=registry.free,
                draining=registry.draining,
            ).SerializeToString()
            told = now
            try:
                async with asyncio.timeout(every_ms / 1000), registry.changed:
                    await registry.changed.wait()
            except TimeoutError:
                continue

    async def drain(self, request: pb.DrainRequest, caller: Caller) -> pb.DrainResponse:
        """Stop admitting; close the sessions after the grace period."""
        check_operator(caller, self._settings)
        check.within("grace_ms", request.grace_ms, 0, 600_000)
        _check_reason(request.reason)
        message = request.reason or "the server is going down"
        _log.info("draining", sessions=len(self._registry), grace_ms=request.grace_ms)
        sessions = await self._registry.drain(message)
        audit, who = self._registry.parts.security.audit, caller.who
        audit.note("drain", key=who.key, peer=caller.peer, detail=f"{sessions} sessions: {message}")

        async def finish() -> None:
            await asyncio.sleep(request.grace_ms / 1000)
            await self._registry.close_all(message)

        if self._draining is None:
            self._draining = asyncio.get_running_loop().create_task(finish())
        return pb.DrainResponse(sessions=sessions)

    async def close_sessions(self, request: pb.CloseSessionsRequest, caller: Caller) -> pb.CloseSessionsResponse:
        """Close a tenant's sessions, or those that are named."""
        check_operator(caller, self._settings)
        if not request.tenant and not request.session_ids:
            raise invalid("tenant", "expected a tenant, session_ids or both; Drain closes all")
        if len(request.session_ids) > _MOST_IDS:
            raise invalid("session_ids", f"expected at most {_MOST_IDS}, got {len(request.session_ids)}")
        _check_reason(request.reason)
        message, asked = request.reason or "the session was closed", set(request.session_ids)
        goodbye = stream_pb2.Goodbye(reason=stream_pb2.Goodbye.REASON_CLOSED, message=message, retry_after_ms=-1)

        def chosen(session_id: str, deed: Deed) -> bool:
            return request.tenant in ("", deed.tenant) and (not asked or session_id in asked)

        kept = [(session_id, deed) for session_id, deed in self._registry.kept().items() if chosen(session_id, deed)]
        for session_id, deed in kept:
            self._registry.forget(session_id)
            self._told_close(session_id, deed.tenant, caller, message)
        closed = [session for session in self._registry if chosen(session.session_id, session.deed)]
        for session in closed:
            await self._registry.close(session, goodbye)
            self._told_close(session.session_id, session.deed.tenant, caller, message)
        _log.info("sessions closed", tenant=request.tenant, sessions=len(closed), suspended=len(kept))
        return pb.CloseSessionsResponse(closed=len(closed), suspended=len(kept))

    def _told_close(self, session_id: str, tenant: str, caller: Caller, why: str) -> None:
        told = {"tenant": tenant, "key": caller.who.key, "peer": caller.peer, "session": session_id}
        self._registry.parts.security.audit.note("close", **told, detail=f"by an operator: {why}")

    async def close(self) -> None:
        """The server ends; a drain that waits needn't go on."""
        if self._draining is not None:
            self._draining.cancel()
            await asyncio.gather(self._draining, return_exceptions=True)
