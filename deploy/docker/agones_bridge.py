# SPDX-License-Identifier: Apache-2.0
"""Tells Agones what the server of this pod is: ready, healthy, and how many of its slots are taken.

It reads the server's metrics and speaks to Agones' side container, both on loopback. The counter `sessions` holds the
sessions that there are and those that allocations have promised: an allocation adds one to it, and a promise that has
not become a session after a while is taken back. Only the standard library, so that it stays small beside the server.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final

COUNTER: Final = "sessions"
_SAMPLE: Final = re.compile(r"^(segue_[a-z_]+) ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Server:
    """What the metrics say. ready: warm, and not draining. created: sessions since it began."""

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
    """Slots that allocations have promised, each until some time; and where the counter should stand."""

    seconds: float
    _open: deque[float] = field(default_factory=deque)
    _told: int | None = None
    _created: int | None = None

    def wanted(self, counted: int, server: Server, now: float) -> int:
        """Where Agones' counter should stand, which stands at `counted`."""
        # First what was promised, then what has become of it: an allocator is often done with both between two looks.
        if self._told is not None:
            self._open.extend([now + self.seconds] * max(0, counted - self._told))
        if self._created is not None:
            for _ in range(min(len(self._open), max(0, server.created - self._created))):
                self._open.popleft()
        self._created = server.created
        while self._open and self._open[0] <= now:
            self._open.popleft()
        return min(server.slots, server.sessions + len(self._open))

    def told(self, count: int) -> None:
        """The counter has been brought to `count`: what is more the next time, allocations have added."""
        self._told = count

    @property
    def none(self) -> bool:
        """Whether nobody is expected."""
        return not self._open


class Agones:
    """The REST interface of Agones' side container."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def ready(self) -> None:
        """Take allocations; the Fleet may take the server away."""
        self._ask("POST", "/ready", {})

    def allocate(self) -> None:
        """In use: the Fleet leaves the server alone."""
        self._ask("POST", "/allocate", {})

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
        self._capacity: int | None = None
        self._busy_at = 0.0

    def look(self, server: Server | None, now: float) -> None:
        """Tell Agones what has changed; None: the server does not answer. Raises OSError, HTTPException."""
        if self._capacity is None:
            # Until it is ready for the first time, the kubelet's startup probe says how long that may take, and weights
            # may have to come first. Agones would count that time too.
            self._agones.healthy()
            if server is None or not server.ready:
                return
            self._agones.capacity(server.slots)
            if self._agones.state() not in ("Ready", "Allocated"):  # else it is the bridge that has begun anew
                self._agones.ready()
            self._capacity, self._busy_at = server.slots, now
        elif server is None:
            return  # no health: Agones takes it away
        else:
            # Also while it drains: no health any more would have the pod shot before its last goodbye.
            self._agones.healthy()
        # One that drains, or warms up again after a crash, has no room beyond its sessions.
        server = server if server.ready else replace(server, slots=server.sessions)
        self._count(server, now)
        self._keep_or_yield(busy=server.sessions > 0 or not self._promises.none, now=now)

    def _count(self, server: Server, now: float) -> None:
        # Agones refuses a count beyond the capacity: that is raised first, and lowered last.
        if server.slots > (self._capacity or 0):
            self._set_capacity(server.slots)
        counted = self._agones.counted()
        wanted = self._promises.wanted(counted, server, now)
        if wanted != counted:
            self._agones.count(wanted - counted)
        self._promises.told(wanted)
        if server.slots != self._capacity:
            self._set_capacity(server.slots)

    def _set_capacity(self, slots: int) -> None:
        self._agones.capacity(slots)
        self._capacity = slots

    def _keep_or_yield(self, *, busy: bool, now: float) -> None:
        if busy:
            self._busy_at = now
            # Sessions that nobody allocated, or an allocation while the server was being made Ready.
            if self._agones.state() == "Ready":
                self._agones.allocate()
        elif now - self._busy_at >= self._idle_seconds:
            self._busy_at = now
            if self._agones.state() == "Allocated":
                self._agones.ready()


def asked(address: str) -> Server | None:
    """The server behind this address of metrics; None where it does not answer, or not as one."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return server_of(answer.read().decode())
    except (OSError, http.client.HTTPException, KeyError, ValueError):
        return None


def main() -> None:
    """Look once a second until SIGTERM, which the kubelet sends when the server is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--metrics-port", type=int, default=9464)
    parser.add_argument("--reservation-seconds", type=float, default=30.0)
    options = parser.parse_args()
    # Left alone, the first process of a container does not hear SIGTERM, and would keep the pod until SIGKILL.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    agones = Agones(int(os.environ.get("AGONES_SDK_HTTP_PORT", "9358")))
    bridge = Bridge(agones, Promises(options.reservation_seconds))
    address, said = f"http://127.0.0.1:{options.metrics_port}/metrics", ""
    while True:
        time.sleep(1.0)
        server = asked(address)
        try:
            bridge.look(server, time.monotonic())
            trouble = "" if server else "the server does not answer"
        except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
            trouble = f"Agones: {error!r}"
        if trouble != said:  # once, not every second
            print(f"agones bridge: {trouble or 'all well'}", file=sys.stderr, flush=True)
            said = trouble


if __name__ == "__main__":
    main()
