# SPDX-License-Identifier: Apache-2.0
"""A bad network in a process: a TCP proxy before a server, which delays as `link` says and can cut its connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from typing import Final

from network.link import Lane, Path

WINDOW: Final = 1 << 20
"""Bytes on their way in one direction; no more is read from a sender until some have been handed over."""


class Proxy:
    """Connections to `address` (host:port) over a path that is `path` in both directions. Event loop only."""

    def __init__(self, address: str, path: Path, seed: int | None = None) -> None:
        self.address = ""
        """Where to connect to, once it runs."""
        self.is_up = True
        """While False, new connections are closed at once."""
        self.connections = 0
        """Accepted so far."""
        self.lost = 0
        """Segments lost so far on connections that are closed."""
        self._host, _, port = address.rpartition(":")
        self._port, self._path = int(port), path
        self._chance = random.Random(seed)
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passes = asyncio.Event()
        self._passes.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        """Accept connections for as long as the block runs; leaving it cuts them."""
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> int:
        """Break every connection now, what is on its way is gone; gives how many there were."""
        for writer in self._open:
            writer.transport.abort()
        return len(self._open) // 2

    def freeze(self) -> None:
        """From now on nothing arrives any more, and nothing is closed: as if the power were gone."""
        self._passes.clear()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = [writer]
        try:
            if not self.is_up:
                return
            self.connections += 1
            await asyncio.sleep(self._path.round_trip)  # of the handshake, which was answered here at once
            far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
            mine.append(far_writer)
            self._open.update(mine)
            pumps = [
                asyncio.create_task(self._pump(reader, far_writer)),
                asyncio.create_task(self._pump(far_reader, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:  # the server is gone, and so is this connection
            return
        finally:
            self._open.difference_update(mine)
            for one in mine:
                one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what comes, in its time, until it ends. Raises ConnectionError when either side breaks."""
        lane = Lane(self._path, self._chance)
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        waiting, has_moved, last = 0, asyncio.Event(), 0.0

        async def hand_over() -> None:
            nonlocal waiting
            try:
                while True:
                    at, data = await queue.get()
                    await asyncio.sleep(max(0.0, at - time.perf_counter()))
                    await self._passes.wait()
                    if not data:
                        writer.write_eof()
                        return
                    writer.write(data)
                    await writer.drain()
                    waiting -= len(data)
                    has_moved.set()
            finally:
                has_moved.set()

        handing = asyncio.create_task(hand_over())
        try:
            while data := await reader.read(1 << 16):
                begin = 0
                for last, count in lane.send(time.perf_counter(), len(data)):
                    queue.put_nowait((last, data[begin : begin + count]))
                    begin += count
                waiting += len(data)
                while waiting > WINDOW and not handing.done():
                    has_moved.clear()
                    await has_moved.wait()
                if handing.done():
                    break
            queue.put_nowait((last, b""))
            await handing
        finally:
            self.lost += lane.lost
            handing.cancel()
