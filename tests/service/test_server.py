# SPDX-License-Identifier: Apache-2.0
"""The server as a process sees it: health, reflection, metrics, taken ports, signals, what it imports."""

from __future__ import annotations

import asyncio
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import urllib.request
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pydantic import ValidationError

import segue_service
from segue import StreamEnded
from segue.aio import connect
from segue.v1 import stream_pb2
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import ServeError, Server, running, serve
from segue_service.soundtrack import parse_soundtrack


def assembly(engine: Any = None) -> Any:
    return SimpleNamespace(engine=engine or FakeEngine(slots=2), style_encoder=HashStyleEncoder())


async def test_health_and_reflection(rig: Any) -> None:
    health = health_pb2_grpc.HealthStub(rig.channel)
    for name in ("", "segue.v1.LiveSoundtrackService"):
        assert (await health.Check(health_pb2.HealthCheckRequest(service=name))).status == 1
    stub = reflection_pb2_grpc.ServerReflectionStub(rig.channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    async for answer in call:
        names = {service.name for service in answer.list_services_response.service}
    assert {"segue.v1.LiveSoundtrackService", "segue.v1.SoundtrackAuthoringService", "grpc.health.v1.Health"} <= names


async def test_it_is_not_ready_until_a_warm_step_has_run() -> None:
    seen: list[int] = []

    class Slow(FakeEngine):
        warm = False
        ask: Any = None

        def warm_up(self) -> None:
            assert asyncio.run_coroutine_threadsafe(self.ask(), loop).result(20) is None
            self.warm = True

        def step(self, due: Any = None) -> Any:
            assert self.warm
            return super().step(due)

    loop, engine = asyncio.get_running_loop(), Slow(slots=2)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def ask() -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            seen.append(answer.status)

    engine.ask = ask
    async with running(Settings(port=port), assembly(engine)):
        await ask()
    assert seen == [health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING]


async def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for settings in (
            Settings(port=port),
            Settings(port=0, metrics_port=port),
            Settings(port=0, web_port=port),
        ):
            with pytest.raises(ServeError, match=str(port)) as caught:
                async with running(settings, assembly()):
                    pass
            assert "\n" not in str(caught.value)


async def test_metrics_are_served(start: Any) -> None:
    async with start(metrics_port=0) as rig:
        opened = await rig.create()
        await opened.hear(10 * 1920)
        await opened.call("PostEvent", event="enemy_spotted")
        await rig.refused(opened.call("PostEvent", event="nope"))
        url = f"http://127.0.0.1:{rig.server.metrics_port}/metrics"
        text = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())
    for line in (
        "segue_sessions 1.0",
        'segue_controls_total{kind="PostEvent",landing="rewound"} 1.0',
        "segue_rewinds_total 1.0",
        'segue_refused_total{code="not_found",method="PostEvent",reason="unknown_name"} 1.0',
        'segue_underruns_total{by="server"} 0.0',
        'segue_underruns_total{by="listener"} 0.0',
        "segue_free_slots 3.0",
        "segue_ready 1.0",
    ):
        assert line in text.splitlines()
    assert "segue_step_seconds_bucket" in text
    assert "segue_lead_seconds_bucket" in text


@pytest.mark.skipif(sys.platform == "win32", reason="signals are delivered otherwise there")
async def test_a_signal_ends_it_with_goodbyes(soundtrack_text: str) -> None:
    ready: asyncio.Future[Server] = asyncio.get_running_loop().create_future()
    settings = Settings(port=0, drain_ms=2000, goodbye_ms=200)
    soundtrack = parse_soundtrack(soundtrack_text)
    task = asyncio.create_task(serve(settings, assembly(), [soundtrack], on_ready=ready.set_result))
    server = await ready
    async with connect(server.address) as music:
        session = await music.play("dungeon", seed=1)
        blocks = 0
        try:
            async for _ in session.audio(resume=False):
                blocks += 1
                if blocks == 5:
                    os.kill(os.getpid(), signal.SIGTERM)
        except StreamEnded as ended:
            goodbye = ended.goodbye
    assert goodbye.reason == stream_pb2.Goodbye.REASON_DRAINING
    assert "going down" in goodbye.message
    await asyncio.wait_for(task, 20)


def test_the_service_never_imports_jax() -> None:
    names = [module.name for module in pkgutil.walk_packages(segue_service.__path__, "segue_service.")]
    names = [name for name in names if not name.startswith(("segue_service.cli.", "segue_service.__main__"))]
    assert "segue_service.session.device_thread" in names
    code = (
        "import importlib, json, sys\n"
        "from segue_engine.batch.fake import FakeEngine\n"
        "from segue_engine.batch.fake_styles import HashStyleEncoder\n"
        "import segue\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "FakeEngine(slots=1)\n"
        "print(json.dumps(sorted(name for name in sys.modules if name.split('.')[0] in ('jax', 'jaxlib'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_settings_refuse_what_they_do_not_know() -> None:
    with pytest.raises(ValidationError, match="prot"):
        Settings.model_validate({"prot": 7470})
    with pytest.raises(ValidationError, match="default_lead_ms"):
        Settings(default_lead_ms=90)
    with pytest.raises(ValidationError, match="history_ms"):
        Settings(history_ms=5000)
    assert "hunter2" not in repr(Settings(operator_token="hunter2"))
