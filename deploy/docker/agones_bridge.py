# SPDX-License-Identifier: Apache-2.0
"""Tells Agones what the server of this pod is: ready, healthy, and how many of its slots are taken.

It reads the server's metrics and speaks to Agones' side container, both on loopback. The counter `sessions` holds the
sessions that there are and those that allocations have promised: an allocation adds one to it, and a promise that has
not become a session after a while is taken back. Only the standard library, so that it stays small beside the server.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

COUNTER: Final = "sessions"
_SAMPLE: Final = re.compile(r"^(segue_[a-z_]+) ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """What the metrics say. created: sessions since it began."""

    ready: bool
    slots: int
    sessions: int
    created: int


def server_of(metrics: str) -> Server:
    """Raises KeyError if one is missing."""
    found = {name: float(value) for name, value in _SAMPLE.findall(metrics)}
    return Server(
        ready=found["segue_ready"] == 1,
        slots=int(found["segue_slots"]),
        sessions=int(found["segue_sessions"]),
        created=int(found["segue_sessions_created_total"]),
    )


@dataclass(slots=True)
class Promises:
    """Slots that allocations have promised, each until some time; and what the counter should be changed by."""

    seconds: float
    _open: deque[float] = field(default_factory=deque)
    _told: int | None = None
    _created: int | None = None

    def difference(self, counted: int, server: Server, now: float) -> int:
        """What to add to Agones' counter, which stands at `counted`."""
        if self._created is not None:
            for _ in range(min(len(self._open), max(0, server.created - self._created))):
                self._open.popleft()
        self._created = server.created
        while self._open and self._open[0] <= now:
            self._open.popleft()
        if self._told is not None:
            self._open.extend([now + self.seconds] * max(0, counted - self._told))
        wanted = min(server.slots, server.sessions + len(self._open))
        self._told = wanted
        return wanted - counted

    @property
    def none(self) -> bool:
        """Whether nobody is expected."""
        return not self._open


class Agones:
    """The REST interface of Agones' side container."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def ready(self) -> None:
        """Take allocations."""
        self._ask("POST", "/ready", {})

    def healthy(self) -> None:
        """Still here."""
        self._ask("POST", "/health", {})

    def state(self) -> str:
        """Such as Ready or Allocated."""
        return str(self._ask("GET", "/gameserver")["status"]["state"])

    def counted(self) -> int:
        """Where the counter stands."""
        return int(self._ask("GET", f"/v1beta1/counters/{COUNTER}").get("count", 0))

    def capacity(self, slots: int) -> None:
        """How far the counter may go."""
        self._ask("PATCH", f"/v1beta1/counters/{COUNTER}", {"capacity": str(slots)})

    def count(self, difference: int) -> None:
        """Add to the counter; a difference, so that what allocations add meanwhile is not lost."""
        self._ask("PATCH", f"/v1beta1/counters/{COUNTER}", {"countDiff": str(difference)})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self._base + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=2) as answer:
            found: dict[str, Any] = json.loads(answer.read() or b"{}")
            return found


class Bridge:
    """What is known between two looks. idle_seconds: so long without sessions and promises, and an allocated server is
    Ready again, so that the Fleet may take it away."""

    def __init__(self, agones: Agones, promises: Promises, idle_seconds: float = 60.0) -> None:
        self._agones, self._promises, self._idle_seconds = agones, promises, idle_seconds
        self._announced = False
        self._busy_at = 0.0

    def look(self, server: Server, now: float) -> None:
        """Tell Agones what has changed. Raises OSError if it does not answer."""
        if not server.ready:
            # Warming up: Agones waits. Draining: no health any more would have the pod shot before its last goodbye.
            if self._announced:
                self._agones.healthy()
            return
        if not self._announced:
            self._agones.capacity(server.slots)
            self._agones.ready()
            self._announced, self._busy_at = True, now
        self._agones.healthy()
        difference = self._promises.difference(self._agones.counted(), server, now)
        if difference:
            self._agones.count(difference)
        if server.sessions or not self._promises.none:
            self._busy_at = now
        elif now - self._busy_at >= self._idle_seconds:
            self._busy_at = now
            if self._agones.state() == "Allocated":
                self._agones.ready()


def main() -> None:
    """Look once a second until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics-port", type=int, default=9464)
    parser.add_argument("--reservation-seconds", type=float, default=30.0)
    options = parser.parse_args()
    agones = Agones(int(os.environ.get("AGONES_SDK_HTTP_PORT", "9358")))
    bridge = Bridge(agones, Promises(options.reservation_seconds))
    address, said = f"http://127.0.0.1:{options.metrics_port}/metrics", ""
    while True:
        time.sleep(1.0)
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                server = server_of(answer.read().decode())
            bridge.look(server, time.monotonic())
            trouble = ""
        except (OSError, urllib.error.URLError, KeyError, ValueError) as error:
            trouble = repr(error)
        if trouble != said:  # once, not every second
            print(f"agones bridge: {trouble or 'all well'}", file=sys.stderr, flush=True)
            said = trouble


if __name__ == "__main__":
    main()
