# SPDX-License-Identifier: Apache-2.0
"""From a control to the first changed sample that is heard, whatever the client has buffered.

A client plays a session in real time out of a `PlaybackBuffer` that it lets fill to each of the sizes asked for,
reports its playhead, and goes to another state now and then. Timed is from the call until the playhead passes the
reply's `audible_at_sample`, in the take that the reply names. `late_takes`: their beginning had been played already.
With --delay-ms and --jitter-ms everything goes through a proxy that holds bytes back so long in each direction.

    segue serve examples/dungeon &
    python bench/heard.py --address localhost:7470 --buffers 0.3,1,3,10
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np

import segue
from segue import PlaybackBuffer

SAMPLE_RATE = 48_000
REPORT_SECONDS = 0.25
CARD_SECONDS = 0.005
"""What the pretended sound card takes at a time."""


class Player:
    """A sound card without a loudspeaker: takes samples in real time, from when so many are there."""

    def __init__(self, session: Any, seconds: float) -> None:
        self.buffer = PlaybackBuffer(seconds=seconds + 12.0)
        self._session, self._fill = session, int(seconds * SAMPLE_RATE)
        self._take_of: list[tuple[int, int]] = []
        self.started = asyncio.Event()

    async def receive(self) -> None:
        async for block in self._session.audio():
            if not self._take_of or block.take != self._take_of[-1][1]:
                self._take_of.append((block.first_sample, block.take))
            self.buffer.put(block)

    async def play(self) -> None:
        while self.buffer.reserve < self._fill * 0.9:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self.started.set()
        played, began = 0, time.perf_counter()
        while True:
            await asyncio.sleep(CARD_SECONDS)
            due = int((time.perf_counter() - began) * SAMPLE_RATE)
            self.buffer.read(due - played)
            played = due

    async def report(self) -> None:
        await self.started.wait()
        while True:
            await self._session.heard(self.buffer.playhead)
            await asyncio.sleep(REPORT_SECONDS)

    async def heard(self, sample: int, take: int) -> None:
        """Until the playhead passes this sample, and the buffer is in that take."""
        while self.buffer.playhead <= sample or (self._take_of and self._take_of[-1][1] < take):  # noqa: ASYNC110
            await asyncio.sleep(0.002)


async def measure(address: str, soundtrack: str, states: list[str], seconds: float, count: int) -> dict[str, Any]:
    """Figures of one buffer size."""
    waited: list[float] = []
    landings: dict[str, int] = {}
    async with segue.aio.connect(address) as music:
        session = await music.play(soundtrack, seed=3, lead_ms=round(seconds * 1000))
        player = Player(session, seconds)
        tasks = [asyncio.create_task(part()) for part in (player.receive, player.play, player.report)]
        try:
            await asyncio.wait_for(player.started.wait(), 120)
            await asyncio.sleep(1.0)
            for number in range(count):
                began = time.perf_counter()
                reply = await session.set_state(states[number % len(states)], at="immediate")
                landings[reply.landing] = landings.get(reply.landing, 0) + 1
                if reply.audible_at_sample is not None:
                    await asyncio.wait_for(player.heard(reply.audible_at_sample, reply.take), 60)
                    waited.append(time.perf_counter() - began)
                await asyncio.sleep(random.uniform(1.0, 1.5))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await session.close()
    p50, p95 = (round(float(x) * 1000) for x in np.percentile(waited, (50, 95)))
    return {
        "buffer_s": seconds,
        "controls": count,
        "p50_ms": p50,
        "p95_ms": p95,
        "max_ms": round(max(waited) * 1000),
        "landings": landings,
        "late_takes": player.buffer.late_takes,
        "missed_samples": player.buffer.missed,
    }


@contextlib.asynccontextmanager
async def slowed(address: str, delay: float, jitter: float) -> Any:
    """A proxy before an address, which delays every piece of a connection, in order."""
    host, port = address.rsplit(":", 1)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def send() -> None:
            while True:
                at, data = await queue.get()
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                if not data:
                    writer.close()
                    return
                writer.write(data)
                await writer.drain()

        sending, at = asyncio.create_task(send()), 0.0
        with contextlib.suppress(ConnectionError):
            while True:
                data = await reader.read(1 << 16)
                at = max(at, time.perf_counter() + delay + random.uniform(0, jitter))
                queue.put_nowait((at, data))
                if not data:
                    break
        with contextlib.suppress(ConnectionError):
            await sending

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection(host, int(port))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def run(options: argparse.Namespace) -> dict[str, Any]:
    rows = []
    async with contextlib.AsyncExitStack() as stack:
        address = options.address
        if options.delay_ms or options.jitter_ms:
            slow = slowed(address, options.delay_ms / 1000, options.jitter_ms / 1000)
            address = await stack.enter_async_context(slow)
        async with segue.aio.connect(options.address) as music:
            model = (await music.info()).model.version
        for seconds in map(float, options.buffers.split(",")):
            rows.append(await measure(address, options.soundtrack, options.states.split(","), seconds, options.count))
            print(json.dumps(rows[-1]), flush=True)
    return {"model": model, "delay_ms": options.delay_ms, "jitter_ms": options.jitter_ms, "buffers": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="localhost:7470")
    parser.add_argument("--buffers", default="0.3,1,3,10", help="seconds that the client holds, one run each")
    parser.add_argument("--count", type=int, default=12, help="controls in each run")
    parser.add_argument("--soundtrack", default="dungeon")
    parser.add_argument("--states", default="combat,explore", help="gone to in turn")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="one way")
    parser.add_argument("--jitter-ms", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = asyncio.run(run(options))
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
