# SPDX-License-Identifier: Apache-2.0
"""Listeners that stop reading: they are cut off, their neighbours hear everything, and the server does not grow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

import segue
from network.outcome import Outcome, progress
from network.player import Player, Stalls
from network.serving import Served, connect
from network.stage import Stage, tasks
from segue.channel import bearer
from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioRequest

STALLED = 8
READ_SECONDS = 1.0
BEFORE_SECONDS = 60.0
"""The first one has so long to be cut off: sockets hold megabytes."""
BUFFER_SECONDS = 1.0
LEAD_MS = 1_300
POLL_SECONDS = 0.2
KEPT_SHARE = 0.25
"""The server may grow by so much of what the stalled listeners were not sent; by less than 16 MB nothing is said."""
NOISE_MB = 16.0


async def check(stage: Stage) -> Outcome:
    """Laws: every stalled listener is cut off, one that wakes is told SLOW_LISTENER; neighbours have no underrun."""
    outcome = Outcome("stalled", {"stalled": STALLED, "seconds": stage.seconds, "buffer_s": BUFFER_SECONDS})
    stalls, server = Stalls(), stage.server
    async with contextlib.AsyncExitStack() as stack:
        music = await stack.enter_async_context(connect(server.address))
        session = await music.play(stage.soundtrack, seed=stage.seed, lead_ms=LEAD_MS)
        stack.push_async_callback(session.close)
        players = {"same session": await _play(stack, server.address, session)}
        for number in range(stage.sessions - 1):
            other = await music.play(stage.soundtrack, seed=stage.seed + 1 + number, lead_ms=LEAD_MS)
            stack.push_async_callback(other.close)
            players[f"other session {number + 1}"] = await _play(stack, server.address, other)
        await asyncio.sleep(3.0)
        is_counted = server.facts.get("metrics_port") is not None
        cut = await _cut(server)
        async with stalls.watched():
            told, took = await _wakes(stage, session, cut) if is_counted else ("UNKNOWN", None)
            cut, memory = await _cut(server), server.resident_megabytes()
            async with tasks(*(_stall(stage, session) for _ in range(STALLED))) as stalling:
                await progress("stalled", stage.seconds)
                failed = [repr(task.exception()) for task in stalling if task.done() and task.exception() is not None]
        after = await _cut(server)
        grown = None
        if memory is not None and (now := server.resident_megabytes()) is not None:
            grown = round(now - memory, 1)
        for name, player in players.items():
            row: dict[str, Any] = {"neighbour": name, "underruns": player.underruns, "longest_gap_ms": player.gap_ms}
            row |= {
                "least_reserve_ms": round(player.least * 1000),
                "longest_wait_ms": round(player.longest_wait * 1000),
            }
            outcome.rows.append(row)
            outcome.law(player.underruns == 0, f"{name}: {player.underruns} underruns, {player.missed_ms} ms in all")
            outcome.law(player.error is None, f"{name}: {player.error!r}")
    unsent = stage.seconds * 0.384 * STALLED
    outcome.settings |= {
        "cut_off": round(after - cut) if is_counted else None,
        "first_cut_after_s": None if took is None else round(took, 1),
        "goodbye": told,
        "memory_grown_mb": grown,
        "unsent_mb": round(unsent),
        "bench_stall_ms": stalls.worst_ms,
    }
    outcome.law(not failed, f"a stalled listener ended otherwise: {failed[:1]}")
    if is_counted:
        outcome.law(after - cut >= STALLED, f"{after - cut:.0f} of {STALLED} stalled listeners were cut off")
        outcome.law(told == "SLOW_LISTENER", f"one that read on after it had been cut off was told {told}")
    if grown is not None:
        outcome.law(grown < max(NOISE_MB, KEPT_SHARE * unsent), f"the server has grown by {grown} MB")
    return outcome


async def _play(stack: contextlib.AsyncExitStack, address: str, owner: segue.aio.Session) -> Player:
    music = await stack.enter_async_context(connect(address))
    session = music.attach(owner.session_id, owner.token)
    return await stack.enter_async_context(Player(session, BUFFER_SECONDS).running())


async def _stall(stage: Stage, owner: segue.aio.Session) -> None:
    """Read for a second, then nothing."""
    async with _reading(stage, owner):
        await asyncio.sleep(stage.seconds + BEFORE_SECONDS)


async def _wakes(stage: Stage, owner: segue.aio.Session, cut: float) -> tuple[str, float]:
    """Stall until the server has cut that off, then read on: the Goodbye's reason, and after how many seconds."""
    began = time.monotonic()
    async with _reading(stage, owner) as call:
        while await _cut(stage.server) <= cut:
            if time.monotonic() - began > BEFORE_SECONDS:
                return "NOT_CUT_OFF", time.monotonic() - began
            await asyncio.sleep(POLL_SECONDS)
        took = time.monotonic() - began - READ_SECONDS
        while (message := await call.read()) is not grpc.aio.EOF:
            if message.WhichOneof("message") == "goodbye":
                return stream_pb2.Goodbye.Reason.Name(message.goodbye.reason).removeprefix("REASON_"), took
    return "NOTHING", took


@contextlib.asynccontextmanager
async def _reading(stage: Stage, owner: segue.aio.Session) -> AsyncIterator[Any]:
    """A stream on a connection of its own that has been read for a while; F32, to fill what lies between sooner."""
    request = StreamAudioRequest(session_id=owner.session_id, encoding=audio_pb2.AUDIO_ENCODING_F32)
    async with connect(stage.server.address) as music:
        call: Any = music.live.StreamAudio(request, metadata=bearer(owner.token))
        until = time.monotonic() + READ_SECONDS
        while time.monotonic() < until:
            await call.read()
        yield call
        call.cancel()


async def _cut(server: Served) -> float:
    return await server.counted("segue_cut_listeners_total", reason="slow") or 0.0
