# SPDX-License-Identifier: Apache-2.0
"""A `segue serve` in a process of its own, and what can be seen of it from outside; for servers that are there already
only their address."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from prometheus_client.parser import text_string_to_metric_families

import segue
from segue.channel import OPTIONS

START_SECONDS: Final = 900.0
"""A first start compiles the model."""


class BenchError(Exception):
    """Ends the bench with a sentence."""


@dataclass(frozen=True, slots=True)
class Serve:
    """How servers are to be started. settings: as in the file that `segue serve --config` takes. port: 0 is a free one.
    log: where it writes its log, None is a file of its own. environment: on top of this process's."""

    soundtrack: Path
    model: str = "starter"
    models_dir: Path | None = None
    slots: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    port: int = 0
    log: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Served:
    """A server. What needs a process of ours is None for one that was there already."""

    address: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None

    def cpu_seconds(self) -> float | None:
        """Time that the server has computed so far, on all cores; None where /proc does not tell."""
        try:
            fields = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        except (OSError, ValueError):
            return None
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))

    def resident_megabytes(self) -> float | None:
        """Memory that the server holds; None where /proc does not tell."""
        try:
            pages = int(Path(f"/proc/{self._pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError):
            return None
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    async def counted(self, name: str, **labels: str) -> float | None:
        """Sum of a metric's samples that have these labels; None without metrics."""
        port = self.facts.get("metrics_port")
        if port is None:
            return None

        def read() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                return str(answer.read().decode())

        total = 0.0
        for family in text_string_to_metric_families(await asyncio.to_thread(read)):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    total += sample.value
        return total

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)

    @property
    def _pid(self) -> int:
        return 0 if self.process is None else self.process.pid


@contextlib.asynccontextmanager
async def serving(wish: Serve, say: Any = print) -> AsyncIterator[Served]:
    """A server of its own on a free port for as long as the block runs. Raises BenchError if it does not start."""
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as folder:
        announce, log, config = (Path(folder) / name for name in ("ready.json", "server.log", "settings.json"))
        log = log if wish.log is None else wish.log
        config.write_text(json.dumps(dict(wish.settings)), encoding="utf-8")
        command = [sys.executable, "-m", "segue_service", "serve", str(wish.soundtrack), "--model", wish.model]
        command += ["--port", str(wish.port), "--metrics-port", "0", "--log", "json"]
        command += ["--announce", str(announce), "--config", str(config)]
        command += [] if wish.models_dir is None else ["--models-dir", str(wish.models_dir)]
        command += [] if wish.slots is None else ["--slots", str(wish.slots)]
        say(f" starting {wish.model} (the first time compiles it and keeps that) …")
        with log.open("wb") as output:
            # a session of its own, so that Ctrl-C reaches the bench alone, which then stops the server in order
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=output,
                stderr=output,
                env={**os.environ, **wish.environment},
                start_new_session=os.name != "nt",
            )
        try:
            facts = await _announced(process, announce, log)
            yield Served(facts["address"], facts, process)
        finally:
            if process.returncode is None:
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 30)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _announced(process: asyncio.subprocess.Process, announce: Path, log: Path) -> dict[str, Any]:
    async with asyncio.timeout(START_SECONDS):
        while (facts := _read(announce)) is None:
            if process.returncode is not None:
                raise BenchError("the server did not start:\n" + "\n".join(_tail(log)))
            await asyncio.sleep(0.1)
    return facts


def _read(announce: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads(announce.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return facts


def _tail(log: Path) -> list[str]:
    if not log.is_file():  # a device has no end
        return [f"what it said went to {log}"]
    return log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-15:]


def connect(address: str) -> segue.aio.Client:
    """A client with a TCP connection of its own: channels to one address share theirs otherwise."""
    options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    return segue.aio.Client(grpc.aio.insecure_channel(address, options=options))
