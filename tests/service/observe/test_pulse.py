# SPDX-License-Identifier: Apache-2.0
"""Probes: who is alive, who takes sessions, and that a server which hangs is told from one that drains."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.observe import pulse as module
from segue_service.observe.pulse import Pulse
from segue_service.server import Server, running


def ask(port: int | None, path: str, method: str = "GET") -> tuple[int, str]:
    """Status and text; on a thread that is not the event loop's."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def asked(port: int | None, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(ask, port, path)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_alive_from_the_first_moment_to_the_last_and_ready_in_between(unused_port: int) -> None:
    seen: list[tuple[int, str]] = []

    class Slow(FakeEngine):
        def warm_up(self) -> None:
            seen.extend(ask(unused_port, path) for path in ("/healthz", "/readyz"))

    assembly: Any = SimpleNamespace(engine=Slow(slots=2), style_encoder=HashStyleEncoder())
    settings = Settings(port=0, web_port=0, metrics_port=unused_port, drain_ms=0, goodbye_ms=0)
    async with running(settings, assembly) as server:
        assert seen == [(200, "alive\n"), (503, "not ready\n")]
        assert await asked(unused_port, "/healthz") == (200, "alive\n")
        assert await asked(unused_port, "/readyz") == (200, "ready\n")
        for path in ("/healthz", "/readyz"):
            assert await asked(server.web_port, path) == (200, "ready\n")
        await server.registry.drain("an update")
        assert await asked(unused_port, "/healthz") == (200, "alive\n"), "or it would be killed before its last goodbye"
        assert await asked(unused_port, "/readyz") == (503, "not ready\n")
        for path in ("/healthz", "/readyz"):
            assert await asked(server.web_port, path) == (503, "not ready\n")
        assert (await asked(unused_port, "/metrics"))[1].startswith("# HELP")
        assert await asyncio.to_thread(ask, unused_port, "/healthz", "HEAD") == (200, "")
        assert (await asyncio.to_thread(ask, unused_port, "/healthz", "POST"))[0] == 405


async def test_an_event_loop_that_hangs_is_not_alive(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOP_SECONDS", 0.05)
    async with start(metrics_port=0) as rig:
        server: Server = rig.server
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(partial(ask, server.metrics_port), ("/healthz", "/readyz")))  # on the event loop
        assert both == [(503, "the event loop does not answer\n")] * 2
        assert (await asked(server.metrics_port, "/healthz"))[0] == 200


async def test_a_device_thread_that_hangs_is_not_alive_once_it_is_warm() -> None:
    pulse, warm, busy = Pulse(), [False], [300.0]
    pulse.follow(lambda: warm[0], lambda: warm[0], lambda: busy[0])

    async def alive() -> int:
        return (await asyncio.to_thread(pulse.alive))[0]

    assert await alive() == 200, "compiling takes minutes"
    warm[0] = True
    assert await alive() == 503
    assert await asyncio.to_thread(pulse.told, "/readyz") == (
        503,
        "the device thread has been at the same work for 300 s\n",
    )
    busy[0] = 1.0
    assert await alive() == 200
    assert pulse.told("/metrics") is None


async def test_the_device_thread_of_a_server_is_the_one_that_is_asked(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, over = threading.Event(), threading.Event()

    def hang(device: Any) -> None:
        began.set()
        over.wait(60)

    monkeypatch.setattr(module, "STUCK_SECONDS", 0.01)
    async with start(metrics_port=0) as rig:
        try:
            rig.server.registry.parts.device.post(hang)
            assert await asyncio.to_thread(began.wait, 60)
            await asyncio.sleep(0.05)
            assert (await asked(rig.server.metrics_port, "/healthz"))[0] == 503
        finally:
            over.set()
        monkeypatch.undo()
        assert (await asked(rig.server.metrics_port, "/healthz"))[0] == 200
