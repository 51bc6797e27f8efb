# SPDX-License-Identifier: Apache-2.0
"""Brings sessions back: from a client's resume point, whoever began them, or after a long pause. Event loop only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from segue_service.errors import not_back, resume_refused, token_wrong
from segue_service.observe.log import logger
from segue_service.security.access import ANYBODY, Identity
from segue_service.security.grants import Right
from segue_service.session.beginning import record_of, resumed
from segue_service.session.continuation import ContinuationError
from segue_service.session.deed import Deed
from segue_service.session.library import Library
from segue_service.session.registry import Registry, Suspended
from segue_service.session.resume_point import ResumeError, ResumePoint
from segue_service.session.session import Session

_log = logger("resume")


@dataclass(frozen=True, slots=True)
class Wish:
    """How to go on: signed point, continuation, first sample wanted. session_token: of the session, if it is to go on
    as the same one; else it goes on as another. lead_ms: None for the lead that it had."""

    point: bytes
    continuation: Sequence[bytes]
    from_sample: int
    session_token: str | None = None
    lead_ms: int | None = None
    paused: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


class Resuming:
    """Of one server. A session is brought back once, however many ask for it: the others join."""

    def __init__(self, registry: Registry, library: Library) -> None:
        self._registry, self._library = registry, library
        self._under_way: dict[str, asyncio.Future[Session]] = {}

    async def resume(self, wish: Wish, who: Identity = ANYBODY) -> tuple[Session, str]:
        """The session and the token that opens it for whoever asks: a new one if another session is to begin, which
        is `who`'s, else the one that was shown, which proves enough. Raises Refused."""
        parts, point = self._registry.parts, self._open(wish.point)
        if wish.session_token is None:
            if point.tenant not in ("", who.name):
                raise token_wrong("the session of this resume point: it is another tenant's")
            deed, token = Deed.new(who.name, parts.settings.token_hours)
            return await self._begin(wish, point, None, deed, who), token
        token, deed = wish.session_token, Deed.of(point)
        what = "the session of this resume point"
        opened = deed.open(point.session, token, parts.security.grants, Right.LISTEN, what)
        if self._registry.alive(point.session):
            parts.metrics.resumes.labels("joined").inc()
            return self._registry.get(point.session, token, Right.LISTEN), token
        if opened.right < Right.STEER:  # which point and continuation come back decides what is played
            raise not_back(point.session, parts.settings.retry_after_ms)
        return await self._once(point.session, lambda: self._begin(wish, point, point.session, deed)), token

    async def wake(self, session_id: str, suspended: Suspended, token: str) -> Session:
        """A suspended session, paused as it was. Raises Refused."""
        kept = suspended.keepsake
        wish = Wish(kept.point.token, kept.continuation, kept.from_sample, token, paused=True, labels=suspended.labels)
        point = self._open(wish.point)
        return await self._once(session_id, lambda: self._begin(wish, point, session_id, suspended.deed))

    def knows(self, session_id: str) -> bool:
        """Whether the session is here, suspended too, or on its way here."""
        return self._registry.holds(session_id) or session_id in self._under_way

    def _open(self, token: bytes) -> ResumePoint:
        try:
            return self._registry.parts.seal.open(token)
        except ResumeError as error:
            self._registry.parts.metrics.resumes.labels("refused").inc()
            raise resume_refused(str(error)) from None

    async def _once(self, session_id: str, begin: Callable[[], Awaitable[Session]]) -> Session:
        under_way = self._under_way.get(session_id)
        if under_way is None:
            under_way = self._under_way[session_id] = asyncio.ensure_future(begin())
            under_way.add_done_callback(lambda done: self._settle(session_id, done))
        else:
            self._registry.parts.metrics.resumes.labels("joined").inc()
        return await asyncio.shield(under_way)

    def _settle(self, session_id: str, done: asyncio.Future[Session]) -> None:
        self._under_way.pop(session_id, None)
        if not done.cancelled():
            done.exception()  # whoever asked may be gone: nobody need hear of it

    async def _begin(
        self, wish: Wish, point: ResumePoint, session_id: str | None, deed: Deed, who: Identity = ANYBODY
    ) -> Session:
        parts = self._registry.parts
        self._registry.admit()
        try:
            record = record_of(point, self._library, who.may_use)
            axis = parts.hub.history.axis
            beginning = resumed(point, record, parts.engine.info, axis, wish.from_sample, wish.continuation)
        except (ResumeError, ContinuationError) as error:
            parts.metrics.resumes.labels("refused").inc()
            raise resume_refused(str(error)) from None
        lead_ms, most = wish.lead_ms or beginning.lead_ms, parts.security.usage.lead(deed.tenant)
        beginning = replace(beginning, lead_ms=lead_ms if most is None else min(lead_ms, most))
        session = await self._registry.create(
            *(record, beginning),
            paused=wish.paused,
            labels=wish.labels,
            session_id=session_id,
            deed=deed,
        )
        parts.metrics.resumes.labels("resumed").inc()
        frames = 0 if beginning.prefill is None else len(beginning.prefill)
        _log.info("session resumed", session=session.session_id, was=point.session, history_frames=frames)
        return session
