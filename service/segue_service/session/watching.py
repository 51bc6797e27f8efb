# SPDX-License-Identifier: Apache-2.0
"""One session under the guard's eye and at the ear: what they ask of it, and what follows from what they find."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.v1 import stream_pb2
from segue_service.observe.log import logger
from segue_service.session.adherence import Asked, steady
from segue_service.session.audience import Audience
from segue_service.session.events import EventLog
from segue_service.session.liveness import OVER_RANGE_SPAN, PERIOD, Cause, said
from segue_service.session.parts import Parts
from segue_service.session.steering import Steering

_FAULTS: Final = {
    stream_pb2.Refreshed.CAUSE_SILENCE: "is silent",
    stream_pb2.Refreshed.CAUSE_LOOP: "repeats itself",
    stream_pb2.Refreshed.CAUSE_OVER_RANGE: "is over range",
    stream_pb2.Refreshed.CAUSE_DRIFT: "plays another style",
}
_log = logger("liveness")


class Watching:
    """Fulfils `liveness.Watched` and `adherence.Heard` for a session. Event loop only."""

    def __init__(
        self,
        session_id: str,
        parts: Parts,
        place: int,
        steering: Steering,
        events: EventLog,
        audience: Audience,
        refresh: Callable[[Cause, NDArray[np.int16] | None], Awaitable[object]],
    ) -> None:
        """refresh: has the model begin afresh, given vitals int16[VITALS] from before the fault if the loudness that it
        was heard with can't be trusted; may fail if the session is over by then."""
        self._session_id, self._place, self._refresh = session_id, place, refresh
        self._steering, self._events, self._audience = steering, events, audience
        self._guard, self._adherence, self._logs = parts.hub.guard, parts.adherence, parts.logs
        self._history = parts.hub.history
        self._refreshing: asyncio.Task[object] | None = None

    def begin(self) -> None:
        """The session has got its place."""
        self._guard.watch(self._place, self)
        self._adherence.attach(self._place, self)

    def end(self) -> None:
        """The session is over."""
        self._guard.leave(self._place)
        self._adherence.detach(self._place)
        if self._refreshing is not None:
            self._refreshing.cancel()

    def reset(self) -> None:
        """Somebody wished to begin afresh: what the guard holds against the session is forgotten."""
        self._guard.reset(self._place)
        self._adherence.attach(self._place, self)

    # What the guard asks and tells

    def asked_gain_db(self, frame: int) -> float:
        """See Watched."""
        held = self._steering.planning.since(frame)
        return held[0][1].gain_db if held else 0.0

    def on_verdict(self, cause: Cause) -> None:
        """See Watched."""
        _log.warning("the model begins afresh", session=self._session_id, cause=said(cause))
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._renew(cause))

    def on_given_up(self, cause: Cause) -> None:
        """See Watched."""
        _log.warning("beginning afresh did not help", session=self._session_id, cause=said(cause))
        self._audience.warn(
            stream_pb2.Warning.CODE_STILL_FAULTY, f"the model {_FAULTS[cause]}, also after it began afresh"
        )

    async def _renew(self, cause: Cause) -> None:
        try:
            await self._refresh(cause, self._well(cause))
            self._adherence.attach(self._place, self)  # what was heard before is not what plays now
        except Exception as error:  # the session may be over, or its device busy: the guard asks again if it must
            _log.warning("the model could not begin afresh", session=self._session_id, error=repr(error))
        finally:
            self._refreshing = None

    def _well(self, cause: Cause) -> NDArray[np.int16] | None:
        """Vitals from before a fault that is loud; silence and another style are no harm to the measured loudness."""
        lasted = {
            stream_pb2.Refreshed.CAUSE_LOOP: self._guard.limits.loop + PERIOD,
            stream_pb2.Refreshed.CAUSE_OVER_RANGE: OVER_RANGE_SPAN,
        }.get(cause)
        head = int(self._history.head[self._place])
        return None if lasted is None else self._history.vitals_of(self._place, head - 1 - lasted)

    # What the ear asks and tells

    def asked(self, first: int, end: int) -> Asked | None:
        """See Heard."""
        codes = steady(self._steering.planning.since(first), end)
        if codes is None:
            return None
        director = self._steering.director
        (point,) = director.machine.plan(director.state_at(end - 1), end - 1, end - 1).points
        embedding = self._steering.planning.styles.asked(point, self._steering.planning.override)
        return None if embedding is None else Asked(embedding, codes)

    def on_adherence(self, frame: int, similarity: float) -> None:
        """See Heard."""
        event = stream_pb2.Event(
            sample=self._steering.axis.audible(frame),
            take=self._steering.take,
            adherence=stream_pb2.Adherence(similarity=similarity),
        )
        self._logs.note(self._place, "event", event=event)
        self._events.add(event)
        self._audience.tell_late(event)
