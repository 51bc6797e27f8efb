# SPDX-License-Identifier: Apache-2.0
"""How long something took, less the time for which a busy machine kept the processes in question waiting for a core."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

_FRESH: Final = 0.05
"""Seconds for which a look at the processes is good: each opens a file per thread."""


class Pace:
    """A clock in seconds that stands still while this process, or another one, could run and did not get to. Where
    /proc does not tell, it is the usual clock."""

    def __init__(self, pid: int | None = None) -> None:
        self._pids = [os.getpid()] if pid is None else [os.getpid(), pid]
        self._by_thread: dict[str, int] = {}
        self._waited = 0
        """Nanoseconds of all threads, also of those that have ended. Too much where several waited at once, so that
        what is told of a fault is on the safe side."""
        self._looked = float("-inf")

    def now(self) -> float:
        """Seconds since some time."""
        now = time.monotonic()
        if now - self._looked > _FRESH:
            self._looked = now
            self._look()
        return now - self._waited / 1e9

    def _look(self) -> None:
        found: dict[str, int] = {}
        for pid in self._pids:
            try:
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    found[thread.name] = int((thread / "schedstat").read_text(encoding="ascii").split()[1])
            except (OSError, ValueError, IndexError):
                continue
        self._waited += sum(max(0, waited - self._by_thread.get(name, 0)) for name, waited in found.items())
        self._by_thread = found
