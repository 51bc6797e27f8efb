# SPDX-License-Identifier: Apache-2.0
"""When a session's resume point is made: when it changes and somebody wants it, but not for each step of a fader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from segue.v1 import stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_service.observe.log import logger
from segue_service.session.resume_point import MOST_BYTES, ResumePoint, Seal
from segue_service.session.timeline import Axis

EVERY: Final = 0.25
"""Seconds between two resume points of a session."""
_log = logger("resume")


class ResumePoints:
    """One session's. `describe` says what the session is now; `tell` hands a message to whoever wants resume points.
    Event loop only."""

    def __init__(
        self,
        seal: Seal,
        axis: Axis,
        describe: Callable[[], ResumePoint],
        tell: Callable[[StreamAudioResponse], None],
        wanted: Callable[[], bool],
    ) -> None:
        self._seal, self._axis, self._describe, self._tell, self._wanted = seal, axis, describe, tell, wanted
        self._made: stream_pb2.ResumePoint | None = None
        self._stale = True
        self._too_large = False
        self._timer: asyncio.TimerHandle | None = None
        self._last = -EVERY

    def changed(self) -> None:
        """The session is another one now."""
        self._stale = True
        if self._timer is not None or not self._wanted():
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(max(loop.time(), self._last + EVERY), self.flush)

    def flush(self) -> None:
        """Tell it now, if it has changed since."""
        self.cancel()
        if not self._stale or not self._wanted():
            return
        self._last = asyncio.get_running_loop().time()
        now = self.now()
        if now is not None:
            self._tell(StreamAudioResponse(resume_point=now))

    def now(self) -> stream_pb2.ResumePoint | None:
        """The resume point as of now; None if it does not fit into what may be sent."""
        if self._stale:
            self._stale = False
            point = self._describe()
            token = self._seal.close(point)
            if token is None:
                self._made = None
                if not self._too_large:
                    self._too_large = True
                    _log.warning("a resume point is too large to be sent", session=point.session, most=MOST_BYTES)
            else:
                sample = self._axis.audible(point.frame)
                self._made = stream_pb2.ResumePoint(token=token, sample=sample, take=point.take)
        return self._made

    def cancel(self) -> None:
        """Make none later on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
