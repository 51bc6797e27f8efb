# SPDX-License-Identifier: Apache-2.0
"""From a control to the first changed sample that is heard, on a client that plays out of a buffer."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import segue
from network.outcome import spread
from network.player import Player


@dataclass(slots=True)
class Reactions:
    """waited: seconds from each call until its change was heard. landings: how many landed where."""

    waited: list[float] = field(default_factory=list)
    landings: dict[str, int] = field(default_factory=dict)

    async def one(self, session: Any, player: Player, state: str) -> None:
        """Go to a state at once, and wait until that is heard."""
        began = time.perf_counter()
        reply = await session.set_state(state, at="immediate")
        self.landings[reply.landing] = self.landings.get(reply.landing, 0) + 1
        if reply.audible_at_sample is not None:
            await asyncio.wait_for(player.heard(reply.audible_at_sample, reply.take), 60)
            self.waited.append(time.perf_counter() - began)


async def measure(
    music: segue.aio.Client, soundtrack: str, states: Sequence[str], seconds: float, count: int
) -> dict[str, Any]:
    """Figures of one buffer size: `count` controls, one at a time, on a session of its own."""
    reactions = Reactions()
    session = await music.play(soundtrack, seed=3, lead_ms=round(seconds * 1000))
    try:
        async with Player(session, seconds).running() as player:
            await asyncio.sleep(1.0)
            for number in range(count):
                await reactions.one(session, player, states[number % len(states)])
                await asyncio.sleep(random.uniform(1.0, 1.5))
    finally:
        await session.close()
    return {
        "buffer_s": seconds,
        "controls": count,
        **spread(reactions.waited),
        "landings": reactions.landings,
        "late_takes": player.buffer.late_takes,
        "outdated_samples": player.buffer.outdated,
        "missed_samples": player.buffer.missed,
    }
