# SPDX-License-Identifier: Apache-2.0
"""Clients whose clocks are fast or slow, for minutes: holding their lead by playing a little off, they never starve."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import segue
from network.outcome import Outcome, progress
from network.player import Player, Stalls
from network.serving import connect
from network.stage import Stage
from segue.lead import MOST

LEFT_SECONDS = 0.1
"""By so much the average reserve may be off in the end, chunks of 80 ms and all."""


async def check(stage: Stage) -> Outcome:
    """Laws: no underrun, the average reserve ends where it began, the rate stays within 0.5 %."""
    apart = stage.ppm * 1e-6 * stage.seconds
    outcome = Outcome("clocks", {"ppm": stage.ppm, "minutes": round(stage.seconds / 60, 1)})
    outcome.notes.append(f"without holding its lead, a client would have been {apart * 1000:.0f} ms off by the end")
    stalls = Stalls()
    async with contextlib.AsyncExitStack() as stack:
        music = await stack.enter_async_context(connect(stage.server.address))
        players: list[tuple[float, float, str, Player]] = []
        for seconds in stage.buffers:
            lead_ms = round(seconds * 1000)
            shared = await _play(stack, music, stage, lead_ms)
            waiting = [_player(stack, stage, shared, seconds, sign * stage.ppm, lone=False) for sign in (1, -1)]
            for sign, player in zip((1, -1), await asyncio.gather(*waiting), strict=True):
                players.append((seconds, sign * stage.ppm, "shared", player))
        for sign in (1, -1) if stage.sessions > len(stage.buffers) else ():
            seconds = min(stage.buffers)
            alone = await _play(stack, music, stage, round(seconds * 1000))
            player = await _player(stack, stage, alone, seconds, sign * stage.ppm, lone=True)
            players.append((seconds, sign * stage.ppm, "lone, followed", player))
        await stack.enter_async_context(stalls.watched())
        await progress("clocks", stage.seconds)
        for seconds, ppm, kind, player in players:
            _judge(outcome, seconds, ppm, kind, player)
    outcome.settings["bench_stall_ms"] = stalls.worst_ms
    return outcome


async def _play(
    stack: contextlib.AsyncExitStack, music: segue.aio.Client, stage: Stage, lead_ms: int
) -> segue.aio.Session:
    session = await music.play(stage.soundtrack, seed=stage.seed, lead_ms=lead_ms)
    stack.push_async_callback(session.close)
    return session


async def _player(
    stack: contextlib.AsyncExitStack, stage: Stage, owner: segue.aio.Session, seconds: float, ppm: float, *, lone: bool
) -> Player:
    music = await stack.enter_async_context(connect(stage.server.address))
    session = music.attach(owner.session_id, owner.token)
    # Two listeners: the server keeps to its own clock. A lone one that reports is followed, and need not do anything.
    return await stack.enter_async_context(Player(session, seconds, ppm=ppm, holds_lead=not lone).running())


def _judge(outcome: Outcome, seconds: float, ppm: float, kind: str, player: Player) -> None:
    keeper = player.keeper
    off = None if keeper is None or keeper.target is None else keeper.average - keeper.target
    row: dict[str, Any] = {"buffer_s": seconds, "clock_ppm": round(ppm), "session": kind, "underruns": player.underruns}
    row |= {
        "least_ms": round(player.least * 1000),
        "most_ms": round(player.most * 1000),
        "target_ms": None if keeper is None or keeper.target is None else round(keeper.target * 1000),
        "off_in_the_end_ms": None if off is None else round(off * 1000),
        "rates_ppm": " … ".join(str(round((rate - 1) * 1e6)) for rate in player.rates),
        "longest_wait_ms": round(player.longest_wait * 1000),
    }
    outcome.rows.append(row)
    what = f"{seconds} s, {ppm:+.0f} ppm, {kind}"
    outcome.law(player.error is None, f"{what}: {player.error!r}")
    outcome.law(player.underruns == 0, f"{what}: {player.underruns} underruns, {player.missed_ms} ms in all")
    outcome.law(off is None or abs(off) < LEFT_SECONDS, f"{what}: the reserve is {row['off_in_the_end_ms']} ms off")
    outcome.law(max(abs(rate - 1) for rate in player.rates) <= MOST + 1e-9, f"{what}: rates {row['rates_ppm']} ppm")
