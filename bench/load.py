# SPDX-License-Identifier: Apache-2.0
"""Load on the front end: N listeners on each of M sessions over loopback, against the fake engine, for S seconds.

The server runs in this process, the listeners in others, so that the server's CPU time is its own. Prints CPU per
message and how late chunks arrive (against the earliest of their stream), as a table; `--json FILE` writes the figures.
The listeners don't decode.

    python bench/load.py --sessions 32 --listeners 2 --seconds 20 --encoding opus
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np

import segue
from segue.channel import bearer
from segue.v1.audio_pb2 import AudioEncoding
from segue.v1.live_soundtrack_service_pb2 import StreamAudioRequest
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import SAMPLE_RATE
from segue_service.config import Settings
from segue_service.observe.log import configure
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

SOUNDTRACK = """
soundtrack: load
version: 1
initial: calm
styles: {calm: {prompts: {calm: 1}}}
states: {calm: {style: calm}}
"""


@dataclass(frozen=True)
class Wish:
    """What every listener does. encoding: as in AudioEncoding, such as S16."""

    seconds: float
    chunk_ms: int
    encoding: str


@dataclass(frozen=True)
class Figures:
    """What a run has shown. Lateness: arrival of a chunk against the clock of its stream's earliest, in ms."""

    sessions: int
    listeners: int
    seconds: float
    chunk_ms: int
    encoding: str
    messages: int
    megabytes: float
    server_cpu_seconds: float
    server_cpu_us_per_message: float
    server_cpu_share: float
    late_p50_ms: float
    late_p99_ms: float
    late_max_ms: float
    underruns_at_200_ms: int
    server_underruns: int
    step_ms_mean: float
    machine: str
    cores: int


async def listen(music: segue.aio.Client, session_id: str, token: str, given: Wish) -> tuple[list[float], int]:
    """How late each chunk came against the earliest of its stream, in ms; and underruns."""
    arrivals: list[tuple[float, int]] = []
    playout, until = segue.Playout(), time.monotonic() + given.seconds
    request = StreamAudioRequest(
        session_id=session_id, chunk_ms=given.chunk_ms, encoding=AudioEncoding.Value(f"AUDIO_ENCODING_{given.encoding}")
    )
    call = music.live.StreamAudio(request, metadata=bearer(token))
    async for message in call:
        if message.WhichOneof("message") != "audio":
            continue
        now, chunk = time.monotonic(), message.audio
        playout.arrived(chunk.first_sample, chunk.sample_count, now)
        arrivals.append((now, chunk.first_sample + chunk.sample_count))
        if now >= until:
            break
    call.cancel()
    if not arrivals:
        return [], 0
    relative = np.array([now - end / SAMPLE_RATE for now, end in arrivals])
    steady = relative[len(relative) // 4 :]
    return list((steady - steady.min()) * 1000), playout.underruns


async def listeners_process(address: str, tokens: list[tuple[str, str]], given: Wish) -> None:
    """Listen to each session, and print what came of it."""
    async with segue.aio.connect(address) as music:
        tasks = [listen(music, name, token, given) for name, token in tokens]
        results = await asyncio.gather(*tasks)
    late = [value for values, _ in results for value in values]
    print(json.dumps({"late": late, "underruns": sum(count for _, count in results)}))


async def measure(sessions: int, listeners: int, given: Wish) -> Figures:
    """One run. The listeners' processes are ended with it."""
    seconds, chunk_ms = given.seconds, given.chunk_ms
    assembly = SimpleNamespace(engine=FakeEngine(slots=sessions), style_encoder=HashStyleEncoder())
    settings = Settings(port=0, drain_ms=0, max_listeners=max(64, listeners), chunk_ms=chunk_ms)
    async with running(settings, assembly, [parse_soundtrack(SOUNDTRACK)]) as server:
        async with segue.aio.connect(server.address) as music:
            made = [await music.play("load", seed=seed) for seed in range(sessions)]
            pairs = [[session.session_id, session.token] for session in made]
            command = [sys.executable, __file__, "--as-listeners", server.address, "--seconds", str(seconds)]
            before_cpu, before, counts = time.process_time(), time.monotonic(), _counts(server)
            processes = [
                await asyncio.create_subprocess_exec(
                    *command,
                    "--chunk-ms",
                    str(chunk_ms),
                    "--encoding",
                    given.encoding.lower(),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                )
                for _ in range(listeners)
            ]
            try:
                outputs = await asyncio.wait_for(
                    asyncio.gather(*(process.communicate(json.dumps(pairs).encode()) for process in processes)),
                    seconds + 60,
                )
            finally:
                for process in processes:
                    if process.returncode is None:
                        process.kill()
            spent, took = time.process_time() - before_cpu, time.monotonic() - before
            after = _counts(server)
        underruns = sum(session.underruns for session in server.registry)
    answers = [json.loads(out) for out, _ in outputs]
    late = np.array([value for answer in answers for value in answer["late"]] or [0.0])
    messages = int(after["segue_chunks_total"] - counts["segue_chunks_total"])
    steps = after["segue_step_seconds_count"] - counts["segue_step_seconds_count"]
    return Figures(
        sessions=sessions,
        listeners=listeners,
        seconds=seconds,
        chunk_ms=chunk_ms,
        encoding=given.encoding.lower(),
        messages=messages,
        megabytes=round((after["segue_audio_bytes_total"] - counts["segue_audio_bytes_total"]) / 1e6, 1),
        server_cpu_seconds=round(spent, 2),
        server_cpu_us_per_message=round(1e6 * spent / max(1, messages), 1),
        server_cpu_share=round(spent / took, 3),
        late_p50_ms=round(float(np.percentile(late, 50)), 2),
        late_p99_ms=round(float(np.percentile(late, 99)), 2),
        late_max_ms=round(float(late.max()), 2),
        underruns_at_200_ms=sum(answer["underruns"] for answer in answers),
        server_underruns=underruns,
        step_ms_mean=round(
            1e3 * (after["segue_step_seconds_sum"] - counts["segue_step_seconds_sum"]) / max(1.0, steps), 3
        ),
        machine=platform.processor() or platform.machine(),
        cores=os.cpu_count() or 0,
    )


def _counts(server: Server) -> dict[str, float]:
    found: dict[str, float] = {"segue_chunks_total": 0.0, "segue_audio_bytes_total": 0.0}
    for family in server.metrics.registry.collect():
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def main() -> None:
    """Run as the server and its bench, or as one process of listeners."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--listeners", type=int, default=1, help="per session")
    parser.add_argument("--seconds", type=float, default=10.0, help="at most 600")
    parser.add_argument("--chunk-ms", type=int, default=80)
    parser.add_argument("--encoding", choices=("s16", "f32", "qoa", "opus"), default="s16")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--as-listeners", metavar="ADDRESS", help=argparse.SUPPRESS)
    given = parser.parse_args()
    wish = Wish(min(600.0, max(1.0, given.seconds)), given.chunk_ms, given.encoding.upper())
    if given.as_listeners:
        tokens = [(name, token) for name, token in json.loads(sys.stdin.read())]
        asyncio.run(listeners_process(given.as_listeners, tokens, wish))
        return
    configure("console", "warning")
    figures = asyncio.run(measure(given.sessions, given.listeners, wish))
    for name, value in asdict(figures).items():
        print(f"{name:28} {value}")
    print(
        f"{figures.sessions} sessions × {figures.listeners} listeners: {figures.server_cpu_us_per_message} µs of CPU "
        f"per message, {100 * figures.server_cpu_share:.0f} % of a core, grpc {grpc.__version__}"
    )
    if given.json:
        given.json.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
