# SPDX-License-Identifier: Apache-2.0
"""A network that loses and jitters: with a second of buffer nothing is missing, and steering is still quick."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Any

from network.outcome import Outcome, Progress, spread
from network.player import Player, Stalls
from network.proxy import Proxy
from network.reaction import Reactions
from network.serving import connect
from network.stage import TAKES, Stage


async def check(stage: Stage) -> Outcome:
    """Law: no underrun and no gap, with a buffer of a second or more; what smaller buffers get is shown."""
    path = stage.path
    named = {"delay_ms": path.delay * 1000, "jitter_ms": path.jitter * 1000, "loss": path.loss}
    outcome = Outcome("lossy", {**named, "minutes": round(stage.seconds / 60, 1)})
    stalls = Stalls()
    async with stalls.watched(), Progress("lossy", stage.seconds).shown():
        runs = [_play(stage, seconds, number) for number, seconds in enumerate(stage.buffers)]
        for row in await asyncio.gather(*runs):
            outcome.rows.append(row)
            if row["buffer_s"] >= 1.0:
                what = f"{row['buffer_s']} s of buffer"
                outcome.law(row["underruns"] == 0, f"{what}: {row['underruns']} underruns")
                outcome.law(row["gaps"] == 0, f"{what}: {row['gaps']} gaps")
                outcome.law(row["error"] is None, f"{what}: {row['error']}")
    outcome.settings["bench_stall_ms"] = stalls.worst_ms
    return outcome


async def _play(stage: Stage, seconds: float, number: int) -> dict[str, Any]:
    """A game on a network of its own, that steers now and then."""
    chance, reactions = random.Random(stage.seed + number), Reactions()
    async with contextlib.AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(stage.server.address, stage.path, stage.seed + number).running())
        music = await stack.enter_async_context(connect(proxy.address))
        session = await music.play(stage.soundtrack, seed=stage.seed + number, lead_ms=round(seconds * 1000))
        stack.push_async_callback(session.close)
        player = await stack.enter_async_context(Player(session, seconds).running())
        until, controls = time.monotonic() + stage.seconds, 0
        while time.monotonic() < until and player.error is None:
            await asyncio.sleep(min(chance.uniform(*TAKES), max(0.0, until - time.monotonic())))
            await reactions.one(session, player, stage.states[controls % len(stage.states)])
            controls += 1
        return {
            "buffer_s": seconds,
            "underruns": player.underruns,
            "gaps": session.stats.gaps,
            "least_reserve_ms": round(player.least * 1000),
            "longest_wait_ms": round(player.longest_wait * 1000),
            "controls": controls,
            **{f"heard_{name}": value for name, value in spread(reactions.waited).items()},
            "late_takes": player.buffer.late_takes,
            "outdated_ms": round(player.buffer.outdated / 48),
            "error": None if player.error is None else str(player.error),
        }
