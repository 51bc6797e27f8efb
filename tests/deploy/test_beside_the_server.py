# SPDX-License-Identifier: Apache-2.0
"""The scripts that the images carry beside the server: health check, Agones bridge."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

DOCKER = Path(__file__).resolve().parents[2] / "deploy" / "docker"
TEXT = (
    "soundtrack: quiet\nversion: 1\ninitial: a\nstyles: { a: { prompts: { calm: 1 } } }\nstates: { a: { style: a } }\n"
)


@contextlib.asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Server]:
    assembly: Any = SimpleNamespace(engine=FakeEngine(slots=2), style_encoder=HashStyleEncoder())
    given = Settings(port=0, web_port=0, drain_ms=0, goodbye_ms=0, **settings)
    async with running(given, assembly, [parse_soundtrack(TEXT)]) as server:
        yield server


async def health(port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(DOCKER / "health.py"), "--port", str(port)]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)


async def test_health() -> None:
    async with served() as server:
        port = server.web_port or 0
        assert (await health(port)).returncode == 0
        await server.registry.drain("going down")
        draining = await health(port)
    gone = await health(port)
    assert (draining.returncode, gone.returncode) == (1, 1)
    assert "not serving (HTTP 503)" in draining.stderr
    assert "ConnectionRefused" in gone.stderr


def test_the_counter_holds_sessions_and_promises(script: Any, agones: Callable[[], Any]) -> None:
    module = script("docker/agones_bridge.py")
    fake = agones()
    bridge = module.Bridge(module.Agones(fake.port), module.Promises(seconds=30), idle_seconds=60)

    def look(now: float, *, sessions: int = 0, created: int = 0) -> int:
        bridge.look(module.Server(ready=True, slots=4, sessions=sessions, created=created), now)
        return int(fake.count)

    assert look(1) == 0
    assert (fake.state, fake.capacity) == ("Ready", 4)

    fake.count, fake.state = 2, "Allocated"  # two allocations
    assert look(2) == 2
    assert look(3, sessions=1, created=1) == 2, "one of them has become a session"
    assert look(31.5, sessions=1, created=1) == 2
    assert look(32.5, sessions=1, created=1) == 1, "the other has not, for too long"
    fake.count += 1
    assert look(33, sessions=2, created=2) == 2, "promised and taken between two looks"
    assert look(34, sessions=3, created=3) == 3, "sessions that nobody allocated count too"
    fake.count += 1
    assert look(35, sessions=3, created=3) == 4
    fake.count, fake.refuses = 3, True  # and something is wrong with Agones
    with pytest.raises(OSError, match="500"):
        look(36, sessions=3, created=3)
    fake.refuses = False
    assert look(37, sessions=3, created=3) == 4, "never more than there are slots"
    assert look(80, sessions=0, created=3) == 0
    assert fake.state == "Allocated"
    look(96, created=3)
    assert fake.state == "Allocated"
    look(97, created=3)
    assert fake.state == "Ready", "idle, so the Fleet may take it away"
    look(98, sessions=1, created=4)
    assert fake.state == "Allocated", "a session that came without an allocation is kept too"


def test_health_until_it_is_ready_and_while_it_drains(script: Any, agones: Callable[[], Any]) -> None:
    module = script("docker/agones_bridge.py")
    fake = agones()

    def bridge() -> Any:
        return module.Bridge(module.Agones(fake.port), module.Promises(seconds=30), idle_seconds=60)

    def said(one: Any, now: float, *, ready: bool = True, sessions: int = 0, created: int = 1) -> set[str]:
        fake.calls.clear()
        one.look(module.Server(ready=ready, slots=4, sessions=sessions, created=created), now)
        return set(fake.calls)

    first = bridge()
    first.look(None, 0)
    assert fake.calls == ["/health"], "weights are being brought, say"
    assert said(first, 1, ready=False, created=0) == {"/health"}, "it warms up"
    assert "/ready" in said(first, 2, created=0)
    fake.count, fake.state = 2, "Allocated"
    said(first, 3, sessions=1)
    assert (fake.count, fake.capacity) == (2, 4), "a session, and a promise"

    assert "/health" in said(first, 4, ready=False, sessions=1), "a server that drains is healthy to its end"
    assert (fake.count, fake.capacity) == (1, 1), "nothing more is allocated to it"
    said(first, 5, ready=False)
    assert (fake.count, fake.capacity) == (0, 0)
    said(first, 40, sessions=3)
    assert (fake.count, fake.capacity) == (3, 4), "it was only for a while"

    fake.state = "Allocated"
    assert "/ready" not in said(bridge(), 41, sessions=3), "a bridge that begins anew puts nobody's session at risk"
    fake.calls.clear()
    first.look(None, 42)
    assert fake.calls == [], "a server that is gone is not healthy"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nsegue_ready 1",  # IncompleteRead
        b"what?\r\n\r\n",  # BadStatusLine
        b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nsegue_ready 1",
        b"",
    ],
)
def test_an_answer_that_is_cut_off_is_none(script: Any, answer: bytes) -> None:
    module = script("docker/agones_bridge.py")
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve() -> None:
            connection, _ = door.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        assert module.asked(f"http://127.0.0.1:{door.getsockname()[1]}/metrics") is None
        thread.join()


def test_the_bridge_outlives_what_goes_wrong_and_ends_when_told(agones: Callable[[], Any]) -> None:
    fake = agones()
    fake.garbles = True
    command = [sys.executable, "-I", str(DOCKER / "agones_bridge.py"), "--metrics-port", "1"]
    with subprocess.Popen(command, env={"AGONES_SDK_HTTP_PORT": str(fake.port)}, stderr=subprocess.PIPE) as bridge:
        assert bridge.stderr is not None
        assert b"agones bridge: Agones: " in bridge.stderr.readline()
        fake.garbles = False
        assert b"agones bridge: the server does not answer" in bridge.stderr.readline()
        bridge.terminate()
        assert bridge.wait(timeout=30) == 0
    assert set(fake.calls) == {"/health"}


async def test_the_bridge_reads_the_servers_own_metrics(script: Any) -> None:
    from prometheus_client import generate_latest

    module = script("docker/agones_bridge.py")
    async with served() as server:
        warm = module.server_of(generate_latest(server.metrics.registry).decode())
        await server.registry.drain("over")
        drains = module.server_of(generate_latest(server.metrics.registry).decode())
    assert warm == module.Server(ready=True, slots=2, sessions=0, created=0)
    assert not drains.ready
