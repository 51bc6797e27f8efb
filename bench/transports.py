# SPDX-License-Identifier: Apache-2.0
"""When a chunk is there by gRPC-Web and by native gRPC: two listeners of one session, each in a process of its own.

    python bench/transports.py --seconds 20

Against an engine without a model. Prints how much later gRPC-Web is, and both transports' regularity.
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


async def serve(pipe: Connection) -> None:
    configure("console", "error")
    assembly = SimpleNamespace(engine=FakeEngine(slots=4), style_encoder=HashStyleEncoder())
    async with running(Settings(port=0, web_port=0, drain_ms=0), assembly, [parse_soundtrack(TEXT)]) as server:
        pipe.send((server.port, server.web_port))
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)


async def native(port: int, request: pb.StreamAudioRequest, token: str) -> AsyncIterator[bytes]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = LiveSoundtrackServiceStub(channel)
        async for message in stub.StreamAudio(request, metadata=(("authorization", f"Bearer {token}"),)):
            yield message.SerializeToString()


async def web(port: int, request: pb.StreamAudioRequest, token: str) -> AsyncIterator[bytes]:
    """HTTP/1.1 by hand: what an engine's client does."""
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
    while size := int(await reader.readuntil(b"\r\n"), 16):
        held += (await reader.readexactly(size + 2))[:-2]
        while len(held) >= 5 and len(held) >= (end := 5 + int.from_bytes(held[1:5], "big")):
            yield held[5:end]
            held = held[end:]
    writer.close()


async def listen(transport: str, port: int, session: str, token: str, seconds: float, pipe: Connection) -> None:
    arrived: dict[int, float] = {}
    request = pb.StreamAudioRequest(session_id=session, without_clock=True)
    begun = time.perf_counter()
    async for data in (native if transport == "native" else web)(port, request, token):
        now = time.perf_counter()
        message = pb.StreamAudioResponse.FromString(data)
        if message.HasField("audio"):
            arrived[message.audio.first_sample] = now
        if now - begun > seconds:
            break
    pipe.send(arrived)


def run_in(target: str, *arguments: object) -> None:
    """Entry point of the processes."""
    uvloop.run(globals()[target](*arguments))


async def create(port: int) -> pb.CreateSessionResponse:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        made: pb.CreateSessionResponse = await LiveSoundtrackServiceStub(channel).CreateSession(
            pb.CreateSessionRequest(soundtrack_id="bench", seed=1)
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    server = spawn.Process(target=run_in, args=("serve", theirs))
    server.start()
    port, web_port = ours.recv()
    made = asyncio.run(create(port))
    pipes = {}
    for transport, at in (("native", port), ("web", web_port)):
        mine, other = spawn.Pipe()
        arguments = ("listen", transport, at, made.session.session_id, made.session_token, seconds, other)
        spawn.Process(target=run_in, args=arguments).start()
        pipes[transport] = mine
    arrived = {transport: pipe.recv() for transport, pipe in pipes.items()}
    ours.send("over")
    server.join()
    shared = sorted(arrived["native"].keys() & arrived["web"].keys())[8:]
    later = np.array([arrived["web"][first] - arrived["native"][first] for first in shared]) * 1000
    told = {"chunks": len(shared), "web_later_ms": spread(later)}
    for transport in arrived:
        times = np.array([arrived[transport][first] for first in shared])
        told[f"{transport}_off_rhythm_ms"] = spread(np.abs(np.diff(times) - np.diff(shared) / 48_000) * 1000)
    print(json.dumps(told, indent=1))


def spread(values: np.ndarray) -> dict[str, float]:
    marks = np.percentile(values, [50, 95, 99])
    return {name: round(float(value), 3) for name, value in zip(("p50", "p95", "p99"), marks, strict=True)}


if __name__ == "__main__":
    main()
