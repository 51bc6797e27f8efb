# SPDX-License-Identifier: Apache-2.0
"""Does every query of the dashboard find its series? A real Prometheus scrapes a real server that plays.

Starts `segue serve` and Prometheus, plays sessions that steer, underrun and are refused, and asks Prometheus for every
query of the dashboard and every alert's. Exit code 1 if one finds nothing, or nothing but NaN, where it should; 2 if
nothing could be tried.

    python3 deploy/monitoring/prometheus.py --install
    python bench/monitoring.py                       # the fake engine, 15 s
    python bench/monitoring.py --model starter --seconds 30
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import os
import signal
import socket
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from network.serving import BenchError, Serve, Served, serving

import segue
from segue.errors import SegueError

ROOT: Final = Path(__file__).resolve().parents[1]
DASHBOARD: Final = ROOT / "deploy" / "monitoring" / "dashboards" / "segue.json"
RULES: Final = ROOT / "deploy" / "monitoring" / "alerts" / "segue.rules.yaml"
WINDOW: Final = "6s"
SETTINGS: Final = {"adherence_every_ms": 500, "guard_silence_ms": 0, "max_sessions": 3, "web_port": 0}
ENCODINGS: Final[Sequence[Any]] = ("s16", "qoa", "f32")
SILENT: Final[Mapping[str, str]] = {
    "segue_faults_total": "there is a series once a call has failed by a fault of ours",
    "segue_tls_not_after_seconds": "the server of this run has no certificate",
}
"""Metrics of which this run has no series, and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus said to a query: values of its series, or what is wrong with it."""

    panel: str
    query: str
    values: Sequence[float]
    error: str = ""

    @property
    def excuse(self) -> str:
        """Why it may find nothing; empty if it may not."""
        return next((why for name, why in SILENT.items() if name in self.query), "")

    @property
    def is_good(self) -> bool:
        """Whether it found something that is a number, or has an excuse."""
        return not self.error and (bool(self.excuse) or any(math.isfinite(value) for value in self.values))


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._address = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:
        """`data` of an API's answer. Raises BenchError with what Prometheus says."""
        url = f"{self._address}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer).get("data")
        except urllib.error.HTTPError as error:
            raise BenchError(f"{path}: {error.read().decode(errors='replace')[:300]}") from None

    def ask(self, panel: str, query: str) -> Answer:
        """An instant query."""
        try:
            data = self.get("/api/v1/query", query=query)
        except BenchError as error:
            return Answer(panel, query, (), str(error))
        rows = [data["result"]] if data["resultType"] == "scalar" else [row["value"] for row in data["result"]]
        return Answer(panel, query, [float(value) for _, value in rows])


@contextlib.asynccontextmanager
async def scraping(program: str, metrics_port: int) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes a port twice a second, for as long as the block runs. Raises BenchError."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="segue-prometheus-") as name:
        folder = Path(name)
        config = {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [
                {"job_name": "segue", "static_configs": [{"targets": [f"127.0.0.1:{metrics_port}"]}]},
            ],
        }
        (folder / "prometheus.yaml").write_text(json.dumps(config), encoding="utf-8")
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                program,
                f"--config.file={folder / 'prometheus.yaml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                stdout=log,
                stderr=log,
            )
        try:
            found = Prometheus(port)
            await _until_ready(found, process, folder / "log")
            yield found
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _until_ready(found: Prometheus, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(60):
        while process.returncode is None:
            with contextlib.suppress(OSError, BenchError):
                up = await asyncio.to_thread(found.get, "/api/v1/query", query="up == 1")
                if up and up["result"]:
                    return
            await asyncio.sleep(0.2)
    said = await asyncio.to_thread(log.read_text, errors="replace")
    raise BenchError(f"Prometheus did not start:\n{said[-2000:]}")


async def play(server: Served, seconds: float) -> None:
    """Three sessions on a server with room for three: two are steered all the time, one comes and goes."""
    end = time.monotonic() + seconds
    async with segue.aio.connect(server.address) as music, asyncio.TaskGroup() as group:
        sessions = [await music.play("dungeon", seed=seed) for seed in range(3)]
        listening = [group.create_task(_listen(*pair)) for pair in zip(sessions, ENCODINGS, strict=True)]
        try:
            for turn in itertools.count():
                if time.monotonic() > end:
                    return
                await _steer(music, sessions[turn % 2], turn)
                if turn == 6:
                    await _hold_up(server)
                if turn % 12 == 11:
                    await sessions[2].close()
                    listening[2].cancel()
                    sessions[2] = await music.play("dungeon", seed=turn)
                    listening[2] = group.create_task(_listen(sessions[2], ENCODINGS[2]))
                await asyncio.sleep(0.15)
        finally:
            for task in listening:
                task.cancel()


async def _steer(music: segue.aio.Client, session: segue.aio.Session, turn: int) -> None:
    await session.set_state(("combat", "explore")[turn // 2 % 2])
    await session.set(danger=turn % 5 / 4)
    await session.heard((await session.get()).playhead_sample, underruns=turn % 2)
    for refused in (music.play("dungeon"), session.post("nobody_knows_this"), music.attach("s-0", "no").get()):
        with contextlib.suppress(SegueError):
            await refused


async def _hold_up(server: Served) -> None:
    """Stop the server's process for a while, so that playheads overtake their heads."""
    if server.process is not None:
        server.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(0.8)
        server.process.send_signal(signal.SIGCONT)


async def _listen(session: segue.aio.Session, encoding: Any) -> None:
    async for _ in session.audio(encoding=encoding):
        pass


def questions(dashboard: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(panel, query) of a dashboard, its variables filled in as "All"."""
    filled: list[tuple[str, str]] = []
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"].replace("$__rate_interval", WINDOW)
            for variable in dashboard["templating"]["list"]:
                query = query.replace(f"${variable['name']}", variable.get("allValue", ""))
            filled.append((panel["title"], query))
    return filled


def answers(found: Prometheus, dashboard: Mapping[str, Any]) -> list[Answer]:
    """To all the queries, the values that variables may take, and the alerts."""
    given = [found.ask(panel, query) for panel, query in questions(dashboard)]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        series, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
        for other in dashboard["templating"]["list"]:
            series = series.replace(f"${other['name']}", other.get("allValue", ""))
        known = found.get(f"/api/v1/label/{label}/values", **{"match[]": series})
        given.append(Answer(f"variable {variable['name']}", variable["definition"], [0.0] * len(known)))
    for group in found.get("/api/v1/rules")["groups"]:
        for rule in group["rules"]:
            said = "" if rule["health"] == "ok" else f"{rule['health']}: {rule.get('lastError')}"
            given.append(Answer(f"alert {rule['name']}", rule["query"], [0.0], said))
    return given


async def measure(program: str, model: str, seconds: float, models_dir: Path | None = None) -> list[Answer]:
    """Play, scrape and ask. Raises BenchError."""
    wish = Serve(ROOT / "examples" / "dungeon", model, models_dir, 4, SETTINGS)
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    async with (
        serving(wish) as server,
        scraping(program, server.facts["metrics_port"]) as found,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(play(server, seconds))
        await asyncio.sleep(seconds - 1.0)
        return await asyncio.to_thread(answers, found, dashboard)


def prometheus_program() -> str | None:
    """Where it is; None if it is not."""
    sys.path.append(str(ROOT / "deploy" / "monitoring"))
    from prometheus import tool

    path: str | None = tool("prometheus")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fake", help="as in `segue serve`")
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0, help="of play")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = parser.parse_args()
    program = prometheus_program()
    if program is None or os.name == "nt":
        print("Prometheus is not there: python3 deploy/monitoring/prometheus.py --install")
        sys.exit(2)
    try:
        given = asyncio.run(measure(program, options.model, options.seconds, options.models_dir))
    except (BenchError, SegueError, TimeoutError) as error:
        print(f"monitoring.py: {error}")
        sys.exit(2)
    for one in given:
        values = ", ".join(f"{value:.4g}" for value in one.values[:6])
        mark = "ok  " if one.is_good and one.values else "none" if one.is_good else "FAIL"
        print(f"{mark} {one.panel:32} {len(one.values):3} {values or one.error or one.excuse or one.query}")
    bad = [one for one in given if not one.is_good]
    print(f"{len(given) - len(bad)} of {len(given)} queries answered ({options.model}, {options.seconds:.0f} s)")
    if options.json:
        rows = [{"panel": one.panel, "query": one.query, "values": list(one.values)} for one in given]
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
