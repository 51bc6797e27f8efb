# SPDX-License-Identifier: Apache-2.0
"""The disk of the logs is full, and a certificate runs out, while a server plays."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from network.link import Path as Way
from network.outcome import console, progress
from network.player import Player
from network.proxy import Proxy
from network.serving import BenchError, Serve, Served, connect, serving

import segue
from faulty.departing import EXIT_SECONDS, terminate
from faulty.games import Ear, Fault, Scene, loss, play, steers, undisturbed
from segue.channel import OPTIONS, credentials

FULL: Final = Path("/dev/full")
SHORT_SECONDS: Final = 4.0
"""How long the certificate is good that runs out."""
PASSING: Final = 40
RENEWED_AFTER: Final = 2.0
ANSWER_SECONDS: Final = 1.5
RELOAD_MS: Final = 200
RENEWAL_SECONDS: Final = 15.0


async def disk(scene: Scene) -> Fault:
    """A full disk: no line of the server's log, its audit log and its session logs can be written; it plays on."""
    fault = Fault("disk", {})
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_small_disk(fault))
        wish = replace(scene.serve(), log=FULL)
        await _on_full(scene, fault, wish, "standard error")
        if folder is not None:
            (folder / "ballast").write_bytes(b"")
            await _on_full(scene, fault, scene.serve(**_logs(folder)), "audit and session logs", folder)
            (folder / "ballast").unlink()
    fault.heard = f"silence of {max(row['silence_ms_max'] for row in fault.rows)} ms at most"
    fault.lost = "the lines that did not fit; segue_audit_lost_total counts those of the audit log"
    return fault


def _logs(folder: Path) -> dict[str, Any]:
    (folder / "sessions").mkdir(exist_ok=True)
    return {"audit_log": str(folder / "audit.jsonl"), "session_log_dir": str(folder / "sessions")}


async def _on_full(scene: Scene, fault: Fault, wish: Serve, what: str, folder: Path | None = None) -> None:
    row: dict[str, Any] = {"full": what}
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(wish, console.print))
        before = await play(stack, server.address, scene)
        if folder is not None:
            await asyncio.to_thread(_fill, folder / "ballast")
            await _chatter(server, scene)
        games = [before]
        try:
            games.append(await play(stack, server.address, scene, 1))
        except segue.SegueError as error:
            fault.law(holds=False, otherwise=f"{what}: no session could be made: {error}")
        await progress(what, scene.seconds)
        for game in games:
            undisturbed(fault, {f"{what}, {who}": ear for who, ear in zip(("owner", "friend"), game.ears, strict=True)})
            await steers(fault, game, what)
        await game.owner.session.close()
        lost = await server.counted("segue_audit_lost_total", cause="disk")
        if folder is not None:
            fault.law(bool(lost), f"{what}: segue_audit_lost_total is {lost}: the disk was not full, or nobody counts")
        silence = loss([before])["silence_ms_max"]
        terminate(server)
        assert server.process is not None
        code = await asyncio.wait_for(server.process.wait(), EXIT_SECONDS)
        fault.law(code == 0, f"{what}: the server's exit code: expected 0, got {code}")
        row |= {"sessions": len(games), "silence_ms_max": silence, "audit_lines_lost": lost, "exit_code": code}
    fault.rows.append(row)


async def _chatter(server: Served, scene: Scene) -> None:
    """Sessions that come and go: more lines than the last page of a file has room for."""
    async with connect(server.address) as music:
        for number in range(PASSING):
            await (await music.play(scene.name, seed=number)).close()


@contextlib.contextmanager
def _small_disk(fault: Fault) -> Iterator[Path | None]:
    """A disk of 256 KB in memory; None where this process may not mount one."""
    with tempfile.TemporaryDirectory(prefix="segue-bench-disk-") as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", name]
        try:
            subprocess.run(mount, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            console.print(f" NOT TRIED, audit and session logs on a full disk: {error}", style="yellow", markup=False)
            fault.notes.append("audit and session logs: not tried, it takes the right to mount a disk")
            yield None
            return
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=False)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


async def certificate(scene: Scene) -> Fault:
    """A certificate runs out while a server plays: open streams go on, nobody new gets in, a new one is taken up by
    itself; a server that is started with one that has run out says so."""
    fault = Fault("certificate", {"tls_reload_ms": RELOAD_MS})
    authority = Authority()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-bench-tls-")))
        cert, key = folder / "tls.crt", folder / "tls.key"

        def hold(seconds: float) -> datetime:
            end = datetime.now(UTC) + timedelta(seconds=seconds)
            for path, data in zip((cert, key), authority.issue(end), strict=True):
                path.with_suffix(".part").write_bytes(data)
                path.with_suffix(".part").replace(path)
            return end

        hold(86_400)
        wish = scene.serve(host="localhost", tls_cert=str(cert), tls_key=str(key), tls_reload_ms=RELOAD_MS)
        server = await stack.enter_async_context(serving(wish, console.print))
        music = await stack.enter_async_context(_client(server.address, authority.root))
        session = await music.play(scene.name, seed=scene.seed, lead_ms=round(scene.buffer * 1000))
        steady = Ear(session, await stack.enter_async_context(Player(session, scene.buffer).running()))
        proxy = await stack.enter_async_context(Proxy(server.address, Way(), 1).running())
        far = await stack.enter_async_context(_client(proxy.address, authority.root))
        other = far.attach(session.session_id, session.token)
        broken = Ear(other, await stack.enter_async_context(Player(other, scene.buffer).running()))
        end = hold(SHORT_SECONDS)
        await progress("runs out", (end - datetime.now(UTC)).total_seconds() + 1.2)
        refusal = await _answers(server, authority.root)
        fault.law(bool(refusal), "a client got in by a certificate that has run out")
        waiting, breaks = time.perf_counter(), broken.breaks()
        proxy.cut()
        back = asyncio.create_task(broken.comes_back(waiting, breaks))
        await progress("run out", RENEWED_AFTER)
        fault.law(not back.done(), "a stream that broke came back by a certificate that has run out")
        hold(86_400)
        renewed = time.perf_counter()
        while await _answers(server, authority.root) and time.perf_counter() - renewed < RENEWAL_SECONDS:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        took = time.perf_counter() - renewed
        fault.law(took < RENEWAL_SECONDS, "nobody got in by the new certificate")
        await asyncio.wait((back,), timeout=RENEWAL_SECONDS)
        back.cancel()
        await asyncio.sleep(1.0)
        undisturbed(fault, {"a stream that stayed open": steady})
        fault.law(broken.back_after is not None, f"the stream that broke did not go on: {broken.player.error!r}")
        fault.law(other.stats.gaps == 0, f"the stream that broke has {other.stats.gaps} gaps in its timeline")
        hold(-60)
        said = await _does_not_start(wish)
        fault.law(
            "expired" in said or "ended" in said or "until" in said, f"started with one that has run out: {said!r}"
        )
    row = {"new_clients": "refused" if refusal else "let in", "let_in_after_renewal_ms": round(took * 1000)}
    row |= {"open_stream_silence_ms": steady.player.gap_ms, "broken_stream_silence_ms": broken.player.gap_ms}
    fault.rows.append(row | {"broken_stream_gaps": other.stats.gaps})
    fault.notes.append(f"started with a certificate that has run out: {said}")
    fault.heard = (
        f"open streams: silence of {steady.player.gap_ms} ms; one whose connection broke: {broken.player.gap_ms} ms, "
        f"as the certificate was renewed {RENEWED_AFTER:g} s later"
    )
    fault.lost = "nothing that played; new clients, until there was a new certificate"
    return fault


@contextlib.asynccontextmanager
async def _client(address: str, root: bytes) -> Any:
    """Over a connection of its own."""
    options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1), ("grpc.ssl_target_name_override", "localhost"))
    async with segue.aio.Client(grpc.aio.secure_channel(address, credentials(root), options=options)) as music:
        yield music


async def _answers(server: Served, root: bytes) -> str:
    """Empty if the server answers a new client, else why not."""
    async with _client(server.address, root) as music:
        try:
            await asyncio.wait_for(music.info(), ANSWER_SECONDS)
        except (segue.SegueError, TimeoutError) as error:
            return str(error) or "no answer"
    return ""


async def _does_not_start(wish: Serve) -> str:
    try:
        async with serving(wish, lambda _: None):
            return ""
    except BenchError as error:
        return " ".join(str(error).split()).rpartition("/")[2]


class Authority:
    """A certificate authority for one run."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a bench")])
        now = datetime.now(UTC)
        self.root = self._signed(self._name, self._key.public_key(), now + timedelta(days=2), is_ca=True)

    def issue(self, end: datetime) -> tuple[bytes, bytes]:
        """A certificate of this machine that is good until then, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return self._signed(name, key.public_key(), end, is_ca=False), private

    def _signed(self, name: x509.Name, public: Any, end: datetime, *, is_ca: bool) -> bytes:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = x509.CertificateBuilder(self._name, name, public, x509.random_serial_number())
        builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1)).not_valid_after(end)
        builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)
