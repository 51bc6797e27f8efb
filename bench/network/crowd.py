# SPDX-License-Identifier: Apache-2.0
"""Other sessions of a server, each with a listener that reads what comes and throws it away: load, and little else."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import segue
from segue.channel import bearer
from segue.v1 import live_soundtrack_service_pb2 as live


@contextlib.asynccontextmanager
async def crowd(address: str, soundtrack: str, count: int, seconds: float = 0.3) -> AsyncIterator[None]:
    """So many sessions for as long as the block runs, with a lead of so many seconds. Raises SegueError if they don't
    fit."""
    async with contextlib.AsyncExitStack() as stack:
        music = await stack.enter_async_context(segue.aio.connect(address))
        sessions = [await music.play(soundtrack, seed=1000 + n, lead_ms=round(seconds * 1000)) for n in range(count)]
        tasks = [asyncio.create_task(_read(music, session)) for session in sessions]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for session in sessions:
                with contextlib.suppress(segue.SegueError):
                    await session.close()


async def _read(music: segue.aio.Client, session: segue.aio.Session) -> None:
    request = live.StreamAudioRequest(session_id=session.session_id, chunk_ms=120, without_clock=True)
    call: Any = music.live.StreamAudio(request, metadata=bearer(session.token))
    async for _ in call:
        pass
