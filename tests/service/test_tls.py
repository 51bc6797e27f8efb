# SPDX-License-Identifier: Apache-2.0
"""TLS on both ports: who gets in, and certificates that are replaced, spoilt or out of date while a server runs."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

import segue
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_service.config import Settings
from segue_service.observe.log import configure
from segue_service.observe.metrics import Metrics
from segue_service.server import ServeError
from segue_service.tls import Certificates, TlsError, TlsFiles, read_material

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def pem(key: ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


class Authority:
    """A certificate authority for one test."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.root = self._signed(self._name, self._key.public_key(), NOW - DAY, NOW + 30 * DAY, is_ca=True)

    def issue(self, begin: datetime = NOW - DAY, end: datetime = NOW + 10 * DAY) -> tuple[bytes, bytes]:
        """Certificate for this machine, or for a client, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        return self._signed(name, key.public_key(), begin, end, is_ca=False), pem(key)

    def _signed(self, name: x509.Name, public: Any, begin: datetime, end: datetime, *, is_ca: bool) -> bytes:
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=name,
            public_key=public,
            serial_number=x509.random_serial_number(),
            not_valid_before=begin,
            not_valid_after=end,
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


class Place:
    """The three files of a server."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key, self.client_ca = folder / "tls.crt", folder / "tls.key", folder / "ca.crt"

    def hold(self, pair: tuple[bytes, bytes], client_ca: bytes | None = None) -> None:
        self.cert.write_bytes(pair[0])
        self.key.write_bytes(pair[1])
        if client_ca is not None:
            self.client_ca.write_bytes(client_ca)

    @property
    def files(self) -> TlsFiles:
        return TlsFiles(self.cert, self.key, self.client_ca if self.client_ca.exists() else None)

    @property
    def settings(self) -> dict[str, Any]:
        client_ca = self.client_ca if self.client_ca.exists() else None
        named = {"tls_cert": self.cert, "tls_key": self.key, "tls_client_ca": client_ca}
        return {"host": "localhost", "web_port": 0, "tls_reload_ms": 50, **named}


@pytest.fixture(autouse=True)
def _uvicorn_has_nothing_to_say(caplog: Any) -> Any:
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("uvicorn")] == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def client(rig: Any, root: bytes | None, pair: tuple[bytes, bytes] | None = None, timeout: float = 2.0) -> Any:
    return segue.aio.connect(
        f"localhost:{rig.server.port}", root_certificates=root, client_certificate=pair, timeout=timeout
    )


async def native(rig: Any, root: bytes | None, pair: tuple[bytes, bytes] | None = None) -> bool:
    """Whether native gRPC answers a client that trusts this root and shows this certificate."""
    async with client(rig, root, pair) as music:
        try:
            return bool((await music.info()).model)
        except segue.SegueError:
            return False


class Web:
    """One HTTP/1.1 connection over TLS, by hand."""

    def __init__(self, folder: Path, root: bytes, pair: tuple[bytes, bytes] | None = None) -> None:
        self.context = ssl.create_default_context(cadata=root.decode())
        if pair is not None:
            files = folder / "client.crt", folder / "client.key"
            for file, content in zip(files, pair, strict=True):
                file.write_bytes(content)
            self.context.load_cert_chain(*files)

    async def ask(self, rig: Any, head: str, body: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("localhost", rig.server.web_port, ssl=self.context)
        writer.write(f"{head}\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        return reader, writer

    async def answers(self, rig: Any) -> bool:
        try:
            reader, writer = await self.ask(rig, "GET /healthz HTTP/1.1")
            line = await asyncio.wait_for(reader.readline(), 5)
            writer.close()
        except (OSError, ssl.SSLError):
            return False
        return line.startswith(b"HTTP/1.1 200")


async def test_both_ports_speak_tls_and_nothing_else(start: Any, place: Place, tmp_path: Path) -> None:
    ours, others = Authority("ours"), Authority("others")
    place.hold(ours.issue())
    async with start(**place.settings) as rig:
        assert rig.server.web_address == f"https://localhost:{rig.server.web_port}"
        assert await native(rig, ours.root)
        assert not await native(rig, others.root)
        assert await Web(tmp_path, ours.root).answers(rig)
        assert not await Web(tmp_path, others.root).answers(rig)
        async with segue.aio.connect(f"localhost:{rig.server.port}", timeout=2) as plain:
            with pytest.raises(segue.SegueError):
                await plain.info()
        _, writer = await asyncio.open_connection("localhost", rig.server.web_port)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        writer.close()
        assert await native(rig, ours.root)
    assert rig.server.metrics.tls_not_after.labels(str(place.cert))._value.get() == pytest.approx(
        (NOW + 10 * DAY).timestamp(), abs=1
    )


async def test_a_client_that_sleeps_does_not_hold_up_the_end(start: Any, place: Place, tmp_path: Path) -> None:
    """TLS says goodbye and waits for an answer, which one that doesn't read never gives."""
    ours = Authority("ours")
    place.hold(ours.issue())
    context = Web(tmp_path, ours.root).context

    def ask(port: int) -> ssl.SSLSocket:
        sleeper = context.wrap_socket(socket.create_connection(("localhost", port)), server_hostname="localhost")
        sleeper.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert sleeper.recv(12) == b"HTTP/1.1 200"
        return sleeper

    async with start(**place.settings) as rig:
        sleeper = await asyncio.to_thread(ask, rig.server.web_port)
    with sleeper:
        assert rig.server.registry.draining


async def test_the_blocking_client_speaks_tls_as_well(start: Any, place: Place) -> None:
    ours = Authority("ours")
    pair = ours.issue()
    place.hold(ours.issue(), ours.root)

    def ask(port: int) -> str:
        with segue.connect(f"localhost:{port}", root_certificates=ours.root, client_certificate=pair) as music:
            return music.info().model.name or "named nowhere"

    async with start(**place.settings) as rig:
        assert await asyncio.to_thread(ask, rig.server.port)


async def test_a_client_certificate_is_demanded_where_an_authority_is_named(
    start: Any, place: Place, tmp_path: Path
) -> None:
    servers, players, others = Authority("servers"), Authority("players"), Authority("others")
    place.hold(servers.issue(), players.root)
    async with start(**place.settings) as rig:
        for pair, welcome in ((players.issue(), True), (others.issue(), False), (None, False)):
            assert await native(rig, servers.root, pair) == welcome
            assert await Web(tmp_path, servers.root, pair).answers(rig) == welcome


def now_served(rig: Any, place: Place) -> bool:
    """Whether what is in the files was taken into use."""
    metrics = rig.server.metrics
    loaded, stale = metrics.tls_reloads.labels("loaded"), metrics.tls_stale.labels(str(place.cert))
    return bool(loaded._value.get() >= 1 and stale._value.get() == 0)


async def test_a_new_certificate_is_taken_while_streams_go_on(
    start: Any, place: Place, tmp_path: Path, wait_until: Any
) -> None:
    old, new = Authority("old"), Authority("new")
    before, after = old.issue(), new.issue()
    place.hold(old.issue(), old.root)
    async with start(**place.settings) as rig, client(rig, old.root, before) as music:
        session = await music.play("dungeon", seed=1)
        blocks, audio = 0, session.audio(resume=False)
        request = pb.StreamAudioRequest(session_id=session.session_id).SerializeToString()
        head = (
            "POST /segue.v1.LiveSoundtrackService/StreamAudio HTTP/1.1\r\ncontent-type: application/grpc-web+proto\r\n"
            f"segue-session-token: {session.token}"
        )
        framed = b"\0" + len(request).to_bytes(4, "big") + request
        reader, writer = await Web(tmp_path, old.root, before).ask(rig, head, framed)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        async for _ in audio:
            blocks += 1
            if blocks == 3:
                place.hold(new.issue(), new.root)
                await wait_until(lambda: now_served(rig, place))
                assert await native(rig, new.root, after)
                assert not await native(rig, old.root, before)
                assert not await native(rig, new.root, before)
                assert await Web(tmp_path, new.root, after).answers(rig)
                assert not await Web(tmp_path, old.root, before).answers(rig)
                assert not await Web(tmp_path, new.root, before).answers(rig)
            if blocks == 20:
                break
        assert session.stats.reconnects == 0
        await asyncio.wait_for(reader.readexactly(40_000), 20)
        await asyncio.wait_for(reader.readexactly(200_000), 20)
        writer.transport.abort()


def spoilt(place: Place, how: str) -> str:
    """Spoil the files of a server; what is said of it."""
    ours = Authority("ours")
    pair = ours.issue()
    if how == "missing":
        place.cert.unlink()
        return f"tls_cert: {place.cert}: no such file"
    if how == "text":
        place.hold((b"hush", pair[1]))
        return f"tls_cert: {place.cert}: expected certificates in PEM"
    if how == "no key":
        place.hold((pair[0], b"hush"))
        return f"tls_key: {place.key}: expected a private key in PEM"
    if how == "password":
        place.hold((pair[0], pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"hush"))))
        return f"tls_key: {place.key}: expected a key without a password"
    if how == "no pair":
        place.hold((pair[0], ours.issue()[1]))
        return f"tls_key: {place.key}: is not the key of the first certificate"
    if how == "no authority":
        place.hold(pair, b"hush")
        return f"tls_client_ca: {place.client_ca}: expected certificates in PEM"
    if how == "expired":
        place.hold(ours.issue(NOW - 2 * DAY, NOW - DAY))
        return f"tls_cert: {place.cert}: expired at "
    assert how == "early"
    place.hold(ours.issue(NOW + DAY, NOW + 2 * DAY))
    return f"tls_cert: {place.cert}: not valid before "


HOWS = ["missing", "text", "no key", "password", "no pair", "no authority", "expired", "early"]


@pytest.fixture
def log() -> Any:
    stream = io.StringIO()
    configure("json", "info", stream)
    yield stream
    configure()


@pytest.mark.parametrize("how", HOWS)
def test_files_that_are_no_good_change_nothing_and_are_said_once(place: Place, how: str, log: Any) -> None:
    place.hold(Authority("first").issue(), Authority("clients").root)
    metrics = Metrics()
    certificates = Certificates(place.files, metrics)
    first = certificates.material
    said = spoilt(place, how)
    for _ in range(3):
        certificates.look()
    assert certificates.material is first
    assert metrics.tls_reloads.labels("refused")._value.get() == 1
    assert metrics.tls_stale.labels(str(place.cert))._value.get() == 1
    lines = log.getvalue().splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert "hush" not in lines[0]

    place.hold(Authority("second").issue(), Authority("clients").root)
    certificates.look()
    assert certificates.material is not first
    assert metrics.tls_stale.labels(str(place.cert))._value.get() == 0
    assert "new certificate in use" in log.getvalue()


WHOLE = Authority("ours").issue()


@given(st.sampled_from([0, 1]), st.integers(0, 1_200), st.binary(min_size=1, max_size=3))
def test_damaged_files_are_refused_or_as_good_as_before(
    tmp_path_factory: pytest.TempPathFactory, which: int, at: int, noise: bytes
) -> None:
    spoilt = bytearray(WHOLE[which])
    spoilt[at % len(spoilt) : at % len(spoilt) + len(noise)] = noise
    place = Place(tmp_path_factory.mktemp("tls"))
    place.hold((bytes(spoilt), WHOLE[1]) if which == 0 else (WHOLE[0], bytes(spoilt)))
    with contextlib.suppress(TlsError):
        assert read_material(place.files, NOW).not_after > NOW


@pytest.mark.parametrize("how", HOWS)
async def test_files_that_are_no_good_are_an_error_at_the_start(start: Any, place: Place, how: str) -> None:
    place.hold(Authority("first").issue(), Authority("clients").root)
    said = spoilt(place, how)
    with pytest.raises(ServeError) as caught:
        async with start(**place.settings):
            pass
    assert str(caught.value).startswith(said)
    assert "hush" not in str(caught.value)


def test_a_certificate_that_runs_out_is_said_beforehand_and_then_once(place: Place, log: Any) -> None:
    place.hold(Authority("ours").issue(end=NOW + 10 * DAY))
    now = [NOW]
    certificates = Certificates(place.files, Metrics(), clock=lambda: now[0])
    certificates.look()
    assert log.getvalue() == ""
    for day in (4, 5, 11, 12):
        now[0] = NOW + day * DAY
        certificates.look()
    lines = log.getvalue().splitlines()
    assert ["expires soon" in lines[0], "has expired" in lines[1], len(lines)] == [True, True, 2]
    with pytest.raises(TlsError, match="expired"):
        read_material(place.files, now[0])


async def test_a_public_server_without_callers_it_knows_does_not_start(start: Any, log: Any) -> None:
    with pytest.raises(ServeError, match=r"0\.0\.0\.0 can be reached .*--allow-anonymous"):
        async with start(host="0.0.0.0"):
            pass
    assert log.getvalue() == ""
    async with start(host="0.0.0.0", allow_anonymous=True):
        pass
    assert log.getvalue().count("no TLS on 0.0.0.0") == 1


def test_no_tls_without_files() -> None:
    assert TlsFiles.of(Settings()) is None
