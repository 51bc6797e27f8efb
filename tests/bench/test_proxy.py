# SPDX-License-Identifier: Apache-2.0
"""The proxy before a real socket: bytes arrive whole, connections are cut when asked, ends of streams get through."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator

import pytest
from network.link import Path
from network.proxy import WINDOW, Proxy


@contextlib.asynccontextmanager
async def echoing(path: Path) -> AsyncIterator[Proxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 14):
                writer.write(data)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", path, seed=1).running() as proxy:
        yield proxy


async def dial(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = proxy.address.split(":")
    return await asyncio.open_connection(host, int(port))


@pytest.mark.parametrize("path", [Path(), Path(delay=0.002, jitter=0.002, loss=0.01)])
async def test_what_is_sent_comes_back_whole_through_a_small_window(path: Path) -> None:
    sent = os.urandom(WINDOW // 4 + 123 if path.loss else 3 * WINDOW)
    async with echoing(path) as proxy, asyncio.timeout(60):
        reader, writer = await dial(proxy)
        writer.write(sent)
        writer.write_eof()
        assert await reader.read(-1) == sent
        writer.close()


async def test_a_delay_is_kept_in_both_directions() -> None:
    async with echoing(Path(delay=0.05)) as proxy, asyncio.timeout(20):
        reader, writer = await dial(proxy)
        writer.write(b"x")
        await reader.readexactly(1)
        began = time.perf_counter()
        writer.write(b"y")
        await reader.readexactly(1)
        assert time.perf_counter() - began >= 0.1
        writer.close()


async def test_a_cut_breaks_what_is_open_and_a_network_that_is_down_takes_nothing_new() -> None:
    async with echoing(Path()) as proxy, asyncio.timeout(20):
        reader, writer = await dial(proxy)
        writer.write(b"x")
        await reader.readexactly(1)
        assert proxy.cut() == 1
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        proxy.is_up = False
        reader, writer = await dial(proxy)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        proxy.is_up = True
        reader, writer = await dial(proxy)
        writer.write(b"z")
        assert await reader.readexactly(1) == b"z"
        assert proxy.connections == 2
        writer.close()
