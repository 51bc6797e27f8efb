# SPDX-License-Identifier: Apache-2.0
"""Every session of a server: admission, tokens, grace periods, draining. Event loop only."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue.v1 import session_pb2, stream_pb2
from segue_service.errors import (
    draining,
    not_ready,
    server_full,
    token_missing,
    unknown_session,
    wrong_status,
)
from segue_service.observe.log import logger
from segue_service.observe.tracing import current
from segue_service.security.grants import Opened, Right
from segue_service.session.beginning import Beginning
from segue_service.session.deed import Deed
from segue_service.session.library import Record
from segue_service.session.parts import Parts
from segue_service.session.resume_point import Keepsake
from segue_service.session.session import Session
from segue_service.session.transport import PAUSED, PLAYING

Goodbye = stream_pb2.Goodbye
_SWEEP_SECONDS = 0.25
_log = logger("sessions")


@dataclass(frozen=True, slots=True)
class Suspended:
    """What is kept of a session whose slot was freed."""

    keepsake: Keepsake
    deed: Deed
    labels: Mapping[str, str]
    described: session_pb2.Session


class Registry:
    """Sessions by id. A session's own token is an unguessable capability, kept only as its SHA-256."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.ready = False
        self.draining = False
        self.changed = asyncio.Condition()
        """Notified when a session comes or goes."""
        self._sessions: dict[str, Session] = {}
        self._suspended: OrderedDict[str, Suspended] = OrderedDict()
        self._claims = 0
        self._sweeper: asyncio.Task[None] | None = None
        self.slots = min(parts.engine.info.slots, parts.settings.max_sessions or parts.engine.info.slots)
        parts.metrics.slots.set(self.slots)
        parts.metrics.look_at(
            {
                parts.metrics.free_slots: lambda: self.free if self.ready and not self.draining else 0,
                parts.metrics.suspended: lambda: len(self._suspended),
                parts.metrics.device_busy: parts.device.busy_for,
                parts.metrics.short_of_lead: lambda: parts.device.pacer.short(time.monotonic()),
            }
        )

    def __iter__(self) -> Iterator[Session]:
        return iter(sorted(self._sessions.values(), key=lambda session: session.session_id))

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def free(self) -> int:
        """Sessions that fit now."""
        return max(0, self.slots - len(self._sessions) - self._claims)

    def start(self) -> None:
        """Admit sessions, and sweep out those that nobody wants any more."""
        self.ready = True
        self.parts.metrics.ready.set(1)
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def check_open(self) -> None:
        """Raises Refused while the server is not ready yet, or not any more."""
        retry_ms = self.parts.settings.retry_after_ms
        if self.draining:
            raise draining(retry_ms)
        if not self.ready:
            raise not_ready(retry_ms)

    def admit(self) -> None:
        """Raises Refused unless one more session fits."""
        self.check_open()
        if self.free < 1:
            raise server_full(self.slots, self.parts.settings.retry_after_ms)

    async def create(
        self,
        record: Record,
        beginning: Beginning,
        *,
        paused: bool,
        labels: Mapping[str, str],
        deed: Deed,
        prefill: NDArray[np.float32] | None = None,
        session_id: str | None = None,
    ) -> Session:
        """A session of this deed, with a new id unless one is given. Raises Refused, PromptError; nothing is claimed
        then, of its tenant's quota neither."""
        self.admit()
        usage = self.parts.security.usage
        usage.claim_session(deed.tenant)
        self._claims += 1
        name = session_id or f"s-{secrets.token_hex(8)}"
        try:
            session = Session(name, deed, record, beginning, self.parts, labels=labels)
            try:
                await session.open(paused=paused, prefill=prefill)
            except BaseException:
                session.close(Goodbye(reason=Goodbye.REASON_FAULT))
                raise
        except BaseException:
            usage.free_session(deed.tenant)
            raise
        finally:
            self._claims -= 1
        self._sessions[session.session_id] = session
        self._suspended.pop(session.session_id, None)
        self.parts.metrics.created.inc()
        current().tell(session=session.session_id, soundtrack=record.name)
        self._count()
        _log.info(
            "session created",
            session=session.session_id,
            soundtrack=record.name,
            seed=session.seed,
            frame=beginning.frame,
        )
        await self._notify()
        return session

    def get(self, session_id: str, token: str | None, need: Right = Right.OWN) -> Session:
        """The session that the token opens for as much as is needed. Raises Refused."""
        return self.open(session_id, token, need)[0]

    def open(self, session_id: str, token: str | None, need: Right) -> tuple[Session, Opened]:
        """As `get`, and what the token may do. Raises Refused."""
        if not token:
            raise token_missing("the session's token")
        session = self._sessions.get(session_id)
        if session is None:
            if self.suspended(session_id, token, Right.LISTEN) is not None:
                raise wrong_status("the session is suspended, since it was paused for long: Play brings it back")
            raise unknown_session(session_id)
        return session, session.deed.open(session_id, token, self.parts.security.grants, need)

    def suspended(self, session_id: str, token: str | None, need: Right = Right.OWN) -> Suspended | None:
        """The suspended session that the token opens for as much as is needed, if it is one. Raises Refused."""
        found = self._suspended.get(session_id)
        if found is not None:
            found.deed.open(session_id, token or "", self.parts.security.grants, need)
        return found

    async def suspend(self, session: Session) -> None:
        """Free the slot of a session that was paused for long, and keep what it takes to go on."""
        keepsake = session.keepsake()
        if keepsake is None:
            message = "it was paused for too long, and is too large to be kept"
            await self.close(session, Goodbye(reason=Goodbye.REASON_IDLE, message=message, retry_after_ms=-1))
            return
        described = session.describe()
        described.status = session_pb2.SESSION_STATUS_SUSPENDED
        self._suspended[session.session_id] = Suspended(keepsake, session.deed, session.labels, described)
        while len(self._suspended) > self.parts.settings.max_suspended:
            self._suspended.popitem(last=False)
        message = "it was paused for long: Play brings it back, or its resume point"
        await self.close(session, Goodbye(reason=Goodbye.REASON_SUSPENDED, message=message, retry_after_ms=-1))

    def kept(self) -> dict[str, Deed]:
        """Deeds of the suspended sessions, by id."""
        return {session_id: suspended.deed for session_id, suspended in self._suspended.items()}

    def forget(self, session_id: str) -> None:
        """Drop what is kept of a suspended session."""
        self._suspended.pop(session_id, None)

    def alive(self, session_id: str) -> bool:
        """Whether there is such a session."""
        return session_id in self._sessions

    def holds(self, session_id: str) -> bool:
        """Whether there is such a session, or it is suspended."""
        return session_id in self._sessions or session_id in self._suspended

    async def close(self, session: Session, goodbye: stream_pb2.Goodbye) -> None:
        """Free a session. Idempotent."""
        if self._sessions.pop(session.session_id, None) is None:
            return
        security, tenant = self.parts.security, session.deed.tenant
        security.usage.free_session(tenant)
        session.bid(goodbye)
        session.close(goodbye)
        reason = Goodbye.Reason.Name(goodbye.reason).removeprefix("REASON_").lower()
        self.parts.metrics.closed.labels(reason).inc()
        if goodbye.reason != Goodbye.REASON_CLOSED:  # else whoever asked for it is told of
            security.audit.note("close", tenant=tenant, session=session.session_id, detail=reason)
        self._count()
        _log.info("session closed", session=session.session_id, reason=reason, underruns=session.underruns)
        await self._notify()

    async def exchange(self, record: Record) -> int:
        """Have the sessions of this version of a soundtrack go on by this text of it; gives how many do."""
        version, count = (record.name, record.version), 0
        for session in list(self):
            if (session.record.name, session.record.version) != version or session.record.hash == record.hash:
                continue
            try:
                count += await session.exchange(record)
            except asyncio.CancelledError:  # of the session, which is over, or of whoever called
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
            except Exception as error:
                told = "a session can't go on by the changed soundtrack, and keeps what it has"
                _log.error(told, session=session.session_id, error=repr(error), exc_info=error)
        return count

    async def drain(self, message: str) -> int:
        """Stop admitting and tell every listener Goodbye; gives the number of sessions."""
        self.draining = True
        self.parts.metrics.ready.set(0)
        self.parts.metrics.draining.set(1)
        retry_ms = self.parts.settings.retry_after_ms
        for session in self._sessions.values():
            session.bid(Goodbye(reason=Goodbye.REASON_DRAINING, message=message, retry_after_ms=retry_ms))
        await self._notify()
        return len(self._sessions)

    async def close_all(self, message: str) -> None:
        """Close every session, and stop sweeping."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
            self._sweeper = None
        for session in list(self):
            await self.close(session, Goodbye(reason=Goodbye.REASON_DRAINING, message=message, retry_after_ms=1000))

    def _expired(self, session: Session, now: float) -> bool:
        settings, idle_ms = self.parts.settings, (now - session.touched) * 1000
        if session.listeners == 0:
            paused = session.status == PAUSED
            return idle_ms > (settings.pause_ms if paused else settings.grace_ms)
        return session.status != PLAYING and idle_ms > settings.pause_ms

    async def sweep_once(self, now: float) -> None:
        """Close what nobody wants any more at this time (time.monotonic), and suspend what was paused for long."""
        for session in [session for session in self if self._expired(session, now)]:
            if session.status == PAUSED:
                await self.suspend(session)
                continue
            message = "nobody listened or steered for too long"
            await self.close(session, Goodbye(reason=Goodbye.REASON_IDLE, message=message, retry_after_ms=-1))

    async def _sweep(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(_SWEEP_SECONDS)
            self.parts.metrics.loop_lag.observe(max(0.0, time.monotonic() - began - _SWEEP_SECONDS))
            await self.sweep_once(time.monotonic())

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _count(self) -> None:
        self.parts.metrics.sessions.set(len(self._sessions))
