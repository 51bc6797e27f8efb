# SPDX-License-Identifier: Apache-2.0
"""Whether a server is alive, and whether it takes sessions: what probes of either port are answered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

ALIVE: Final = "/healthz"
READY: Final = "/readyz"
LOOP_SECONDS: Final = 1.0
"""For which the event loop is waited for."""
STUCK_SECONDS: Final = 15.0
"""After which a device thread that is still at the same work, once it is warm, is taken to hang."""

Told = tuple[int, str]
"""HTTP status, and a line."""


class Pulse:
    """Of one server. Made on its event loop, before there is anything to follow: alive, and not ready."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._is_warm: Callable[[], bool] = lambda: False
        self._admits: Callable[[], bool] = lambda: False
        self._busy_for: Callable[[], float] = lambda: 0.0

    def follow(self, is_warm: Callable[[], bool], admits: Callable[[], bool], busy_for: Callable[[], float]) -> None:
        """From now on these say whether it has warmed up, takes sessions, and for how many seconds the device thread
        has been at the same work. Each is asked on any thread: quick, and it only reads."""
        self._is_warm, self._admits, self._busy_for = is_warm, admits, busy_for

    def ready(self) -> Told:
        """Whether it takes sessions: 200 or 503. Any thread."""
        return (200, "ready\n") if self._admits() else (503, "not ready\n")

    def alive(self) -> Told:
        """Whether event loop and device thread come back to what they are asked: 200, also while it warms up or drains,
        or 503. Waits for up to LOOP_SECONDS, so on any thread but the event loop's."""
        if not self._loop_answers():
            return 503, "the event loop does not answer\n"
        busy = self._busy_for() if self._is_warm() else 0.0
        if busy > STUCK_SECONDS:
            return 503, f"the device thread has been at the same work for {busy:.0f} s\n"
        return 200, "alive\n"

    def told(self, path: str) -> Told | None:
        """The answer to a probe of this path, which is never ready without being alive; None: it is none. Waits as
        `alive` does."""
        if path not in (ALIVE, READY):
            return None
        alive = self.alive()
        return self.ready() if path == READY and alive[0] == 200 else alive

    def _loop_answers(self) -> bool:
        answered = threading.Event()
        try:
            self._loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # it is closed
            return False
        return answered.wait(LOOP_SECONDS)
