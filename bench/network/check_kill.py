# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a server in mid-stream, another one standing by: what gap is heard, and does the timeline go on?"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import segue
from network.outcome import Outcome, Progress, console, progress, spread
from network.player import Player, Stalls
from network.serving import Served, connect, serving
from network.stage import Stage
from segue.v1.operations_service_pb2 import ListSessionsRequest, ListSessionsResponse

BEFORE_SECONDS: Final = 8.0
BACK_SECONDS: Final = 60.0
"""A session that takes longer than this to go on has not gone on."""
AFTER_SECONDS: Final = 4.0
"""Played on after that, for what may be wrong then."""


@dataclass(slots=True)
class Game:
    """One game that plays a session out of a buffer, and where it was when the server died."""

    session: segue.aio.Session
    player: Player
    late_takes: int = 0
    state: str = ""
    back_after: float | None = None
    """Seconds from the kill to the first block of the session that was brought back."""
    state_then: str = ""
    """What it is in when it is back: a soundtrack may go on by itself later."""


async def check(stage: Stage) -> Outcome:
    """Laws: every session goes on, with no gap in its timeline, in the state that it was in, and can be steered."""
    outcome = Outcome("kill", {"sessions": stage.sessions})
    settings = {**stage.serve.settings, "resume_keys": [secrets.token_hex(32)]}
    wish = replace(stage.serve, settings=settings, slots=max(stage.sessions, stage.serve.slots or 0))
    stalls = Stalls()
    for seconds in stage.buffers:
        async with serving(wish, console.print) as first, serving(wish, console.print) as second, stalls.watched():
            await _run(stage, outcome, first, second, seconds)
    outcome.settings["bench_stall_ms"] = stalls.worst_ms
    return outcome


async def _run(stage: Stage, outcome: Outcome, first: Served, second: Served, seconds: float) -> None:
    target, what = f"ipv4:{first.address},{second.address}", f"{seconds} s of buffer"
    games: list[Game] = []
    async with contextlib.AsyncExitStack() as stack:
        for number in range(stage.sessions):
            music = await stack.enter_async_context(connect(target))
            session = await music.play(stage.soundtrack, seed=stage.seed + number, lead_ms=round(seconds * 1000))
            stack.push_async_callback(_close, session)
            player = await stack.enter_async_context(Player(session, seconds).running())
            await session.set_state(stage.states[number % len(stage.states)], at="immediate")
            games.append(Game(session, player))
        await progress(f"{seconds} s", BEFORE_SECONDS)
        # A connection that takes long to be made goes to the other server at once: nothing happens to its session.
        doomed = {one.session_id for one in (await _operate(stack, first)).sessions}
        games = [game for game in games if game.session.session_id in doomed]
        for game in games:
            game.state = (await game.session.get()).state
            game.late_takes = game.player.buffer.late_takes
        killed = time.perf_counter()
        first.kill()
        back = [asyncio.create_task(_comes_back(game, killed)) for game in games]
        async with Progress("killed", BACK_SECONDS).shown():
            await asyncio.wait(back, timeout=BACK_SECONDS)
            await asyncio.sleep(AFTER_SECONDS)
        for task in back:
            task.cancel()
        await asyncio.gather(*back, return_exceptions=True)
        for game in games:
            await _judge(stage, outcome, game, f"{what}, {game.session.session_id}")
    waits = [game.back_after for game in games if game.back_after is not None]
    gaps = [game.player.gap_ms for game in games] or [0]
    outcome.law(bool(games), f"{what}: no session was on the server that was killed")
    row: dict[str, Any] = {"buffer_s": seconds, "sessions": len(games), "went_on": len(waits)}
    row |= {"gap_heard_ms_median": sorted(gaps)[len(gaps) // 2], "gap_heard_ms_max": max(gaps)}
    row |= {f"back_{name}": value for name, value in spread(waits).items()}
    row["late_takes"] = sum(game.player.buffer.late_takes - game.late_takes for game in games)
    outcome.rows.append(row)


async def _judge(stage: Stage, outcome: Outcome, game: Game, name: str) -> None:
    outcome.law(game.back_after is not None, f"{name}: did not go on: {game.player.error!r}")
    if game.back_after is None:
        return
    stats = game.session.stats
    outcome.law(stats.gaps == 0, f"{name}: {stats.gaps} gaps in the timeline")
    outcome.law(game.state_then == game.state, f"{name}: was in {game.state!r}, went on in {game.state_then!r}")
    now = (await game.session.get()).state
    other = next(one for one in stage.states if one != now)
    reply = await game.session.set_state(other, at="immediate")
    outcome.law(reply.state == other, f"{name}: could not be steered any more: {reply.reason}")


async def _operate(stack: contextlib.AsyncExitStack, server: Served) -> ListSessionsResponse:
    music = await stack.enter_async_context(connect(server.address))
    listed: ListSessionsResponse = await music.call(music.operations.ListSessions, ListSessionsRequest(page_size=500))
    return listed


async def _comes_back(game: Game, killed: float) -> None:
    """Wait for a block of the session on its new server."""
    while game.session.stats.resumes == 0:  # noqa: ASYNC110 (statistics give no event)
        await asyncio.sleep(0.002)
    game.player.arrived.clear()
    await game.player.arrived.wait()
    game.back_after = time.perf_counter() - killed
    game.state_then = (await game.session.get()).state


async def _close(session: segue.aio.Session) -> None:
    with contextlib.suppress(segue.SegueError):
        await session.close()
