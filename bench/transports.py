# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web beside native gRPC: when a chunk is there, and what a listener costs the server.

    python bench/transports.py --seconds 20 --listeners 32

Against an engine without a model; the server and each kind of listener are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import uvloop

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.observe.log import configure
from segue_service.server import running
from segue_service.soundtrack import parse_soundtrack

TEXT = "soundtrack: bench\ninitial: calm\nstyles: {calm: {prompts: {calm: 1}}}\nstates: {calm: {style: calm}}\n"
TRANSPORTS = ("native", "web")
_SPAWN = multiprocessing.get_context("spawn")


async def serve(pipe: Connection) -> None:
    """A server, until it is told anything but "cpu", which it answers with its CPU seconds."""
    configure("console", "error")
    assembly: Any = SimpleNamespace(engine=FakeEngine(slots=4), style_encoder=HashStyleEncoder())
    settings = Settings(port=0, web_port=0, drain_ms=0, max_listeners=1024)
    async with running(settings, assembly, [parse_soundtrack(TEXT)]) as server:
        pipe.send((server.port, server.web_port))
        while await asyncio.get_running_loop().run_in_executor(None, pipe.recv) == "cpu":
            pipe.send(time.process_time())


async def native(port: int, request: pb.StreamAudioRequest, token: str) -> AsyncIterator[bytes]:
    """Messages as bytes."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),)) as to:
        call: Any = to.unary_stream(
            "/segue.v1.LiveSoundtrackService/StreamAudio", pb.StreamAudioRequest.SerializeToString
        )
        async for message in call(request, metadata=(("authorization", f"Bearer {token}"),)):
            yield message


async def web(port: int, request: pb.StreamAudioRequest, token: str) -> AsyncIterator[bytes]:
    """Messages as bytes; HTTP/1.1 by hand, as an engine's client does it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    data = request.SerializeToString()
    head = (
        "POST /segue.v1.LiveSoundtrackService/StreamAudio HTTP/1.1\r\nhost: bench\r\n"
        f"content-type: application/grpc-web+proto\r\ncontent-length: {5 + len(data)}\r\n"
        f"authorization: Bearer {token}\r\n\r\n"
    )
    writer.write(head.encode() + b"\0" + len(data).to_bytes(4, "big") + data)
    await reader.readuntil(b"\r\n\r\n")
    held = b""
    try:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            held += (await reader.readexactly(size + 2))[:-2]
            while len(held) >= 5 and len(held) >= (end := 5 + int.from_bytes(held[1:5], "big")):
                yield held[5:end]
                held = held[end:]
    finally:
        writer.close()


async def listen(transport: str, port: int, made: bytes, seconds: float, listeners: int, pipe: Connection) -> None:
    """So many listeners for so long; tells when the first of them got the chunk at each sample."""
    created, arrived = pb.CreateSessionResponse.FromString(made), dict[int, float]()
    request = pb.StreamAudioRequest(session_id=created.session.session_id, without_clock=True)

    async def one(number: int) -> None:
        stream = (native if transport == "native" else web)(port, request, created.session_token)
        async for data in stream:
            now = time.perf_counter()
            if number == 0:
                message = pb.StreamAudioResponse.FromString(data)
                if message.HasField("audio"):
                    arrived[message.audio.first_sample] = now

    tasks = [asyncio.create_task(one(number)) for number in range(listeners)]
    _, pending = await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pipe.send((len(pending), arrived))


def run_in(target: str, *arguments: object) -> None:
    """Entry point of the processes."""
    uvloop.run(globals()[target](*arguments))


def start(transport: str, port: int, made: bytes, seconds: float, listeners: int) -> Connection:
    """Listeners in a process; what they send comes out of the pipe."""
    ours, theirs = _SPAWN.Pipe()
    _SPAWN.Process(target=run_in, args=("listen", transport, port, made, seconds, listeners, theirs)).start()
    return ours


async def create(port: int) -> bytes:
    """A session."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = LiveSoundtrackServiceStub(channel)
        made: pb.CreateSessionResponse = await stub.CreateSession(
            pb.CreateSessionRequest(soundtrack_id="bench", seed=1)
        )
    return made.SerializeToString()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--listeners", type=int, default=32)
    given = parser.parse_args()
    server_pipe, theirs = _SPAWN.Pipe()
    server = _SPAWN.Process(target=run_in, args=("serve", theirs))
    server.start()
    ports = dict(zip(TRANSPORTS, server_pipe.recv(), strict=True))
    made = asyncio.run(create(ports["native"]))
    told: dict[str, Any] = {"seconds": given.seconds, "listeners": given.listeners}

    pipes = {transport: start(transport, ports[transport], made, given.seconds, 1) for transport in TRANSPORTS}
    arrived = {transport: pipe.recv()[1] for transport, pipe in pipes.items()}
    shared = sorted(arrived["native"].keys() & arrived["web"].keys())[8:]
    told["web_later_ms"] = spread(np.array([arrived["web"][at] - arrived["native"][at] for at in shared]) * 1000)
    for transport in TRANSPORTS:
        times = np.array([arrived[transport][at] for at in shared])
        told[f"{transport}_off_rhythm_ms"] = spread(np.abs(np.diff(times) - np.diff(shared) / 48_000) * 1000)

    def cpu() -> float:
        server_pipe.send("cpu")
        seconds: float = server_pipe.recv()
        return seconds

    def spent(transport: str, listeners: int) -> float:
        before = cpu()
        heard, _ = start(transport, ports[transport], made, given.seconds, listeners).recv()
        if heard != listeners:
            raise SystemExit(f"{transport}: only {heard} of {listeners} listeners were served to the end")
        return cpu() - before

    for transport in TRANSPORTS:
        more = spent(transport, given.listeners + 1) - spent(transport, 1)
        told[f"{transport}_cpu_percent_per_listener"] = round(100 * more / given.seconds / given.listeners, 3)
    server_pipe.send("over")
    server.join()
    print(json.dumps(told, indent=1))


def spread(values: np.ndarray[Any, Any]) -> dict[str, float]:
    """Percentiles."""
    marks = np.percentile(values, [50, 95, 99])
    return {name: round(float(value), 3) for name, value in zip(("p50", "p95", "p99"), marks, strict=True)}


if __name__ == "__main__":
    main()
