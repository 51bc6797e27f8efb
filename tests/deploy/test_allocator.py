# SPDX-License-Identifier: Apache-2.0
"""The allocator of examples/: Agones' allocations as Agones makes them, real servers on the fake engine, the bridge."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import jsonschema
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from prometheus_client import generate_latest

import segue
from segue.aio import connect
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.security.keys import new_key
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "examples" / "agones-allocator"
MANIFEST: Final[dict[str, Any]] = json.loads((FOLDER / "allocation.json").read_text(encoding="utf-8"))
TEXT: Final = (
    "soundtrack: quiet\nversion: 1\ninitial: a\nstyles: { a: { prompts: { calm: 1 } } }\nstates: { a: { style: a } }\n"
)
AT_ONCE: Final = (0.0,) * 3
SCHEMA: Final = json.loads((Path(__file__).parent / "allocation.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def allocator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("allocator", FOLDER / "allocator.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["allocator"] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Api:
    """Kubernetes' API server with Agones behind it, as far as allocations go. sides: game servers, by gRPC port."""

    sides: dict[int, Any] = field(default_factory=dict)
    token: str | None = None
    fails: list[int] = field(default_factory=list)
    asked: int = 0
    given: list[int] = field(default_factory=list)
    url: str = ""

    def allocate(self, path: str, authorization: str | None, manifest: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """HTTP status and answer."""
        self.asked += 1
        if self.fails:
            return self.fails.pop(0), {"message": "not now"}
        if self.token is not None and authorization != f"Bearer {self.token}":
            return 401, {"message": "Unauthorized"}
        assert path == "/apis/allocation.agones.dev/v1/namespaces/segue/gameserverallocations"
        assert (manifest["apiVersion"], manifest["kind"]) == ("allocation.agones.dev/v1", "GameServerAllocation")
        jsonschema.validate(manifest["spec"], SCHEMA)
        [priority] = manifest["spec"]["priorities"]
        assert (priority["type"], priority["key"], priority["order"]) == ("Counter", "sessions", "Ascending")
        for selector in manifest["spec"]["selectors"]:
            least = selector["counters"]["sessions"]["minAvailable"]
            fits = [
                (side.capacity - side.count, port)
                for port, side in self.sides.items()
                if selector["matchLabels"].items() <= side.labels.items()
                and not any(one["key"] in side.labels for one in selector.get("matchExpressions", ()))
                and side.state == selector["gameServerState"]
                and side.capacity - side.count >= least
            ]
            if fits:
                port = min(fits)[1]
                self.sides[port].state = "Allocated"
                self.sides[port].count += manifest["spec"]["counters"]["sessions"]["amount"]
                self.given.append(port)
                ports = [{"name": "web", "port": 1}, {"name": "grpc", "port": port}]
                return 201, manifest | {"status": {"state": "Allocated", "address": "127.0.0.1", "ports": ports}}
        return 201, manifest | {"status": {"state": "UnAllocated", "gameServerName": ""}}


@contextlib.contextmanager
def answering(api: Api, certificate: Path | None = None) -> Iterator[Api]:
    """The API at api.url; by TLS with this certificate and key, if any."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, answer = api.allocate(self.path, self.headers.get("authorization"), body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        api.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Pod:
    """A server, its game server, and the bridge between them."""

    server: Server
    side: Any
    bridge: Any
    script: ModuleType

    def look(self, now: float) -> None:
        """What the bridge does once a second."""
        metrics = generate_latest(self.server.metrics.registry).decode()
        self.bridge.look(self.script.server_of(metrics), now)


class Cluster:
    """Servers of one slot each, with a key that opens them."""

    def __init__(self, allocator: ModuleType, key: str) -> None:
        self.api, self.pods, self.key, self.allocator = Api(), list[Pod](), key, allocator

    async def ticket(self, soundtrack: str = "quiet", **more: Any) -> Any:
        """What the allocator gives a match."""
        key = more.pop("key", self.key)
        return await asyncio.to_thread(
            self.allocator.ticket_for,
            more.pop("kubernetes", None) or self.allocator.Kubernetes(self.api.url),
            MANIFEST,
            lambda address: segue.connect(address, key, timeout=5),
            lambda music: music.play(soundtrack),
            more.pop("pauses", AT_ONCE),
        )


@pytest.fixture
async def cluster(
    allocator: ModuleType, script: Any, agones: Callable[[], Any], tmp_path: Path
) -> AsyncIterator[Cluster]:
    key = new_key()
    tenants = tmp_path / "tenants.yaml"
    tenants.write_text(f"tenants:\n  - id: studio\n    api_keys: [{{ id: {key.id}, sha256: {key.sha256} }}]\n")
    module = script("docker/agones_bridge.py")
    one = Cluster(allocator, key.key)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(answering(one.api))
        for _ in range(2):
            assembly: Any = SimpleNamespace(engine=FakeEngine(slots=1), style_encoder=HashStyleEncoder())
            given = Settings(port=0, drain_ms=0, goodbye_ms=0, tenants_file=tenants)
            server = await stack.enter_async_context(running(given, assembly, [parse_soundtrack(TEXT)]))
            side = agones()
            bridge = module.Bridge(module.Agones(side.port), module.Promises(seconds=30))
            one.pods.append(Pod(server, side, bridge, module))
            one.api.sides[server.port] = side
            one.pods[-1].look(0)
        yield one


async def test_a_match_gets_a_session_and_its_players_hear_it_by_the_token_alone(cluster: Cluster) -> None:
    ticket = await cluster.ticket()
    [port] = cluster.api.given
    [pod] = [pod for pod in cluster.pods if pod.server.port == port]
    assert (ticket.address, ticket.port, ticket.web_port) == ("127.0.0.1", port, 1)
    assert (pod.side.state, pod.side.count) == ("Allocated", 1), "promised"
    pod.look(1)
    assert pod.side.count == 1, "the session has taken the promised place, and no second one"

    async with connect(f"{ticket.address}:{ticket.port}") as player:
        session = player.attach(ticket.session_id, ticket.token)
        async for block in session.audio():
            if np.any(block.pcm):
                break
        pod.look(32)
        assert pod.side.count == 1, "by now a promise would have been taken back; the session is there"
        await session.close()
    pod.look(33)
    assert pod.side.count == 0


async def test_a_full_server_is_passed_over_for_the_next(cluster: Cluster) -> None:
    first = await cluster.ticket()
    second = await cluster.ticket()
    assert {first.port, second.port} == {pod.server.port for pod in cluster.pods}
    assert cluster.api.given == [first.port, second.port], "the counter said so"

    with pytest.raises(cluster.allocator.NoPlaceError, match="UnAllocated"):
        await cluster.ticket()
    assert cluster.api.asked == 2 + len(AT_ONCE), "not for ever"


async def test_a_server_that_shall_go_is_the_last_choice(cluster: Cluster) -> None:
    new, old = cluster.pods
    old.side.state, old.side.labels["segue-overflow"] = "Allocated", "true"
    assert (await cluster.ticket()).port == new.server.port
    assert (await cluster.ticket()).port == old.server.port


async def test_a_server_that_is_full_after_all_is_left_for_the_next(cluster: Cluster) -> None:
    first = await cluster.ticket()
    cluster.api.sides[first.port].count = 0  # Agones has not heard of its session
    second = await cluster.ticket()
    assert cluster.api.given == [first.port, first.port, second.port]
    assert second.port != first.port


async def test_a_server_that_is_gone_is_left_for_the_next(cluster: Cluster, agones: Callable[[], Any]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        side = agones()
        side.state, side.capacity = "Allocated", 1
        cluster.api.sides[closed.getsockname()[1]] = side
        ticket = await cluster.ticket()
        assert cluster.api.given == [closed.getsockname()[1], ticket.port]


async def test_what_no_other_server_would_do_is_said_at_once(cluster: Cluster) -> None:
    with pytest.raises(segue.NotFound):
        await cluster.ticket("loud")
    with pytest.raises(segue.PermissionDenied):
        await cluster.ticket(key="sgk_wrong")
    cluster.api.token = "t"
    with pytest.raises(cluster.allocator.RefusedError, match=r"HTTP 401.*Unauthorized"):
        await cluster.ticket()
    assert cluster.api.asked == 3


async def test_a_tenants_own_quota_is_no_reason_to_ask_others(cluster: Cluster) -> None:
    def refused(_: Any) -> Any:
        error = segue.ResourceExhausted("sessions", code="RESOURCE_EXHAUSTED", reason="QUOTA")
        error.quota = "sessions"
        raise error

    kubernetes = cluster.allocator.Kubernetes(cluster.api.url)
    with pytest.raises(segue.ResourceExhausted):
        await asyncio.to_thread(cluster.allocator.ticket_for, kubernetes, MANIFEST, segue.connect, refused, AT_ONCE)
    assert cluster.api.asked == 1


async def test_in_a_cluster_by_the_service_account(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify(tmp_path)
    cluster.api.token = "first"
    (tmp_path / "token").write_text("first\n")
    with answering(cluster.api, tmp_path / "server.pem"):
        host, port = cluster.api.url.removeprefix("https://").split(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        kubernetes = cluster.allocator.Kubernetes.here(tmp_path)
        await cluster.ticket(kubernetes=kubernetes)
        cluster.api.token = "second"
        (tmp_path / "token").write_text("second\n")  # as the kubelet does
        cluster.api.fails = [503, 429]
        await cluster.ticket(kubernetes=kubernetes)
        stranger = cluster.allocator.Kubernetes(cluster.api.url, tmp_path / "token")
        with pytest.raises(cluster.allocator.NoPlaceError, match="CERTIFICATE_VERIFY_FAILED"):
            await cluster.ticket(kubernetes=stranger)


async def test_the_command(cluster: Cluster, tmp_path: Path) -> None:
    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(FOLDER / "allocator.py"), *arguments]
        environment = {"PATH": "", "PYTHONPATH": str(ROOT / "sdk" / "python")}
        return await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, env=environment, timeout=60
        )

    (tmp_path / "key").write_text(cluster.key + "\n")
    options = [f"--key-file={tmp_path / 'key'}", f"--kubernetes={cluster.api.url}"]
    runs = run("quiet", "--seed=7", *options), run("loud", *options), run("quiet")
    done, refused, nowhere = await asyncio.gather(*runs)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).keys() == {"address", "port", "web_port", "session_id", "token"}
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("no session: ")
    assert nowhere.returncode == 2
    assert "kubectl proxy" in nowhere.stderr


def certify(folder: Path) -> None:
    """ca.crt, and server.pem of 127.0.0.1, in a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(Encoding.PEM)
    (folder / "ca.crt").write_bytes(text)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(private + text)
