# SPDX-License-Identifier: Apache-2.0
"""The scripts that the images carry beside the server: health check, soundtrack sync, Agones bridge."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


async def test_soundtracks_come_in_while_it_runs(script: Any, tmp_path: Path, capsys: Any) -> None:
    sync = script("docker/soundtrack_sync.py")
    token, file = tmp_path / "token", tmp_path / "quiet.soundtrack.yaml"
    token.write_text("a" * 32 + "\n")
    file.write_text(TEXT)
    async with served(operator_token="a" * 32) as server:
        uploader = sync.Uploader(server.web_port, token, None)
        known = sync.digests(tmp_path)

        async def look() -> int:
            await asyncio.to_thread(sync.look, tmp_path, known, uploader)
            return server.library.get("quiet").version

        assert await look() == 1
        file.write_text(TEXT.replace("version: 1", "version: 2"))
        assert await look() == 2
        file.write_text(TEXT.replace("version: 1", "version: 3").replace("style: a", "style: b"))
        assert await look() == 2
        assert "refused, the server keeps what it has" in capsys.readouterr().err
        await look()
        assert capsys.readouterr().err == "", "what was refused is not tried again until it changes"
        file.write_text(TEXT.replace("version: 1", "version: 4") + "# " + "x" * 20_000)
        assert await look() == 4
        file.write_text(TEXT.replace("version: 1", "version: 5"))
        token.write_text("b" * 32)
        assert await look() == 4
    await asyncio.to_thread(sync.look, tmp_path, known, uploader)
    file.write_text(TEXT.replace("version: 1", "version: 6"))
    await asyncio.to_thread(sync.look, tmp_path, known, uploader)
    assert "the server is away, later again" in capsys.readouterr().out
    assert sync.changed(known, sync.digests(tmp_path)) == [file]


class FakeAgones(BaseHTTPRequestHandler):
    """Agones' side container, as far as the bridge knows it."""

    state, count, capacity, calls = "Starting", 0, 0, list[str]()

    def _answer(self) -> None:
        kind = type(self)
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        kind.calls.append(self.path)
        answer: dict[str, Any] = {}
        if self.path == "/ready":
            kind.state = "Ready"
        elif self.path == "/gameserver":
            answer = {"status": {"state": kind.state}}
        elif self.path.startswith("/v1beta1/counters/"):
            assert self.path.endswith("/sessions")
            kind.capacity = int(body.get("capacity", kind.capacity))
            kind.count += int(body.get("countDiff", 0))
            answer = {"name": "sessions", "count": str(kind.count), "capacity": str(kind.capacity)}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def agones() -> Iterator[tuple[int, type[FakeAgones]]]:
    kind = type("One", (FakeAgones,), {"calls": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, kind
        server.shutdown()
        thread.join()


def test_the_counter_holds_sessions_and_promises(script: Any, agones: tuple[int, type[FakeAgones]]) -> None:
    module = script("docker/agones_bridge.py")
    port, fake = agones
    bridge = module.Bridge(module.Agones(port), module.Promises(seconds=30), idle_seconds=60)

    def look(now: float, *, sessions: int = 0, created: int = 0, ready: bool = True) -> int:
        bridge.look(module.Server(ready=ready, slots=4, sessions=sessions, created=created), now)
        return fake.count

    look(0, ready=False)
    assert fake.calls == [], "a server that warms up is not ready, and Agones waits"
    assert look(1) == 0
    assert (fake.state, fake.capacity) == ("Ready", 4)

    fake.count, fake.state = 2, "Allocated"  # two allocations
    assert look(2) == 2
    assert look(3, sessions=1, created=1) == 2, "one of them has become a session"
    assert look(31.5, sessions=1, created=1) == 2
    assert look(32.5, sessions=1, created=1) == 1, "the other has not, for too long"
    assert look(33, sessions=3, created=3) == 3, "sessions that nobody allocated count too"
    fake.count += 3
    assert look(34, sessions=3, created=3) == 4, "never more than there are slots"
    assert look(80, sessions=0, created=3) == 0
    assert fake.state == "Allocated"
    look(93, created=3)
    assert fake.state == "Allocated"
    look(94, created=3)
    assert fake.state == "Ready", "idle, so the Fleet may take it away"

    told = len(fake.calls)
    look(95, ready=False)
    assert fake.calls[told:] == ["/health"], "a server that drains is healthy to its end"


async def test_the_bridge_reads_the_servers_own_metrics(script: Any) -> None:
    from prometheus_client import generate_latest

    module = script("docker/agones_bridge.py")
    async with served() as server:
        said = module.server_of(generate_latest(server.metrics.registry).decode())
    assert said == module.Server(ready=True, slots=2, sessions=0, created=0)
