# SPDX-License-Identifier: Apache-2.0
"""What every check is given: a server, what to play on it, and for how long; and the game that steers meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import segue
from network.link import Path
from network.outcome import Outcome
from network.serving import Serve, Served

TAKES: Final = (2.0, 4.0)
"""Seconds between controls of a game that steers."""


@dataclass(frozen=True, slots=True)
class Stage:
    """soundtrack, states: to be played, and gone to in turn. path: of the network, where a check has one."""

    server: Served
    serve: Serve
    soundtrack: str
    states: Sequence[str]
    seconds: float
    path: Path
    seed: int
    sessions: int
    listeners: int
    buffers: Sequence[float]
    ppm: float


Check = Callable[[Stage], Awaitable[Outcome]]


@contextlib.asynccontextmanager
async def steering(session: Any, states: Sequence[str], chance: random.Random) -> AsyncIterator[list[str]]:
    """Go to another state every few seconds, at once; gives where each control landed."""
    landings: list[str] = []

    async def steer() -> None:
        number = 0
        while True:
            await asyncio.sleep(chance.uniform(*TAKES))
            with contextlib.suppress(segue.SegueError):
                reply = await session.set_state(states[number % len(states)], at="immediate")
                landings.append(reply.landing)
                number += 1

    task = asyncio.create_task(steer())
    try:
        yield landings
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def tasks(*coroutines: Any) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Run these beside the block; its end cancels them."""
    made = [asyncio.create_task(one) for one in coroutines]
    try:
        yield made
    finally:
        for task in made:
            task.cancel()
        await asyncio.gather(*made, return_exceptions=True)
