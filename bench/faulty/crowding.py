# SPDX-License-Identifier: Apache-2.0
"""Too many want in, and clients that are slow, that stop, or whose power is gone, beside ones that just listen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final

import grpc
from network.link import Path as Way
from network.outcome import Progress, console, progress, spread
from network.proxy import Proxy
from network.serving import Served, connect, serving

import segue
from faulty.games import Fault, Scene, listen, loss, play, sessions_of, undisturbed
from segue.channel import OPTIONS, bearer
from segue.v1 import audio_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as live

CALLS: Final = 500
SLOTS: Final = 64
CONNECTIONS: Final = 25
PLAYING: Final = 3
SLOW_SECONDS: Final = 60.0
GRACE_MS: Final = 2_000
CHUNK_SECONDS: Final = 0.08


async def herd(scene: Scene) -> Fault:
    """500 CreateSessions at once on a server with 64 slots, some of which play: all slots are given, no more, and the
    rest is told when to come again; those who play lose nothing."""
    fault = Fault("herd", {"calls": CALLS, "slots": SLOTS, "playing": PLAYING})
    wish = replace(scene.serve(), slots=SLOTS)
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(wish, console.print))
        games = [await play(stack, server.address, scene, number) for number in range(PLAYING)]
        clients = [await stack.enter_async_context(connect(server.address)) for _ in range(CONNECTIONS)]
        await asyncio.gather(*(client.info() for client in clients))
        await progress("before", scene.seconds)
        took: list[float] = []
        made: list[segue.aio.Session] = []
        refused: Counter[str] = Counter()
        waits: list[float] = []

        async def ask(number: int) -> None:
            began = time.perf_counter()
            try:
                made.append(await clients[number % CONNECTIONS].play(scene.name, seed=number))
            except segue.SegueError as error:
                refused[error.reason or error.code] += 1
                waits.extend(() if error.retry_after is None else (error.retry_after,))
            took.append(time.perf_counter() - began)

        await asyncio.gather(*(ask(number) for number in range(CALLS)))
        full = len(await sessions_of(server.address))
        await progress("after", scene.seconds)
        free = SLOTS - PLAYING
        fault.law(len(made) == free, f"{len(made)} of {CALLS} got in, {free} slots were free")
        fault.law(full == SLOTS, f"the server says {full} sessions")
        fault.law(set(refused) <= {"SERVER_FULL"}, f"refused otherwise than as full: {dict(refused)}")
        fault.law(len(waits) == refused.total(), f"{refused.total() - len(waits)} were not told when to come again")
        for number, game in enumerate(games):
            undisturbed(fault, {f"owner {number}": game.owner, f"friend {number}": game.friend})
        await asyncio.gather(*(session.close() for session in made))
        left = len(await sessions_of(server.address))
        fault.law(left == PLAYING, f"{left} sessions are left after those were closed, {PLAYING} play")
    row: dict[str, Any] = {"got_in": len(made), "refused": refused.total()}
    row |= {f"answer_{name}": value for name, value in spread(took).items()}
    row |= {"told_to_wait_s": f"{min(waits, default=0):g} … {max(waits, default=0):g}", **loss(games)}
    fault.rows.append(row)
    fault.heard = f"by those who play: silence of {row['silence_ms_max']} ms at most"
    fault.lost = (
        f"nothing; {refused.total()} refused as {', '.join(refused)}, answers within {row['answer_p95_ms']} ms (p95)"
    )
    return fault


async def clients(scene: Scene) -> Fault:
    """A listener at half speed, one that stops reading, and a player whose power is gone: neighbours hear everything,
    the first two are cut off, the third one's slot is free again."""
    fault = Fault("clients", {"grace_ms": GRACE_MS, "listener_lag_ms": 1_000})
    wish = scene.serve(grace_ms=GRACE_MS, listener_lag_ms=1_000)
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(wish, console.print))
        game, other = [await play(stack, server.address, scene, number) for number in range(2)]
        proxy = await stack.enter_async_context(Proxy(server.address, Way(), 1).running())
        music = await stack.enter_async_context(connect(proxy.address))
        gone = await music.play(scene.name, seed=9, lead_ms=round(scene.buffer * 1000))
        await listen(stack, proxy.address, scene, gone)
        await progress("before", scene.seconds)
        async with Progress("bad clients", SLOW_SECONDS).shown():
            proxy.freeze()
            slow, stopped, freed = await asyncio.gather(
                _reads(server, game.owner.session, every=2 * CHUNK_SECONDS),
                _reads(server, game.owner.session, every=None),
                _freed(server, gone.session_id),
            )
        undisturbed(fault, {"their session's owner": game.owner, "its friend": game.friend, "other": other.owner})
    for name, (told, after) in (("half speed", slow), ("stops reading", stopped), ("power gone", freed)):
        fault.rows.append({"client": name, "told": told, "after_s": round(after, 1)})
    fault.law(slow[0] == "SLOW_LISTENER", f"the slow one was told {slow[0]}")
    fault.law(stopped[0] == "SLOW_LISTENER", f"the one that stopped was told {stopped[0]}, when it read on")
    fault.law(freed[0] == "slot is free", f"the slot of the one whose power is gone: {freed[0]}")
    silence = loss([game, other])["silence_ms_max"]
    fault.rows.append({"client": "neighbours", "told": f"{silence} ms of silence", "after_s": None})
    fault.heard = f"neighbours: silence of {silence} ms at most; the slow ones: all until they were cut off"
    fault.lost = f"the session of the dead client, {freed[1]:.0f} s after its power went, which is right"
    return fault


async def _reads(server: Served, owner: segue.aio.Session, every: float | None) -> tuple[str, float]:
    """Read a chunk every so many seconds; None: stop after a second, until both are cut off. Gives what its Goodbye
    said, and after how long."""
    # A small window: what is not read waits at the server, not in this process.
    options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0))
    options += (("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.max_frame_size", 1 << 14))
    began = time.monotonic()
    request = live.StreamAudioRequest(session_id=owner.session_id, encoding=audio_pb2.AUDIO_ENCODING_F32)
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        music = segue.aio.Client(channel)
        call: Any = music.live.StreamAudio(request, metadata=bearer(owner.token))
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                async for message in _paced(call, server, every):
                    if message.WhichOneof("message") == "goodbye":
                        said = stream_pb2.Goodbye.Reason.Name(message.goodbye.reason).removeprefix("REASON_")
                        return said, time.monotonic() - began
        except TimeoutError:
            return "nothing", time.monotonic() - began
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}", time.monotonic() - began
        finally:
            call.cancel()
    return "the end", time.monotonic() - began


async def _paced(call: Any, server: Served, every: float | None) -> AsyncIterator[Any]:
    began, cut, is_reading = time.monotonic(), await _cut(server), True
    while (message := await call.read()) is not grpc.aio.EOF:
        yield message
        if every is not None:
            await asyncio.sleep(every)
        elif time.monotonic() - began > 1.0 and is_reading:
            while await _cut(server) < cut + 2:  # noqa: ASYNC110 (a counter in another process)
                await asyncio.sleep(0.2)
            is_reading = False


async def _cut(server: Served) -> float:
    return await server.counted("segue_cut_listeners_total", reason="slow") or 0.0


async def _freed(server: Served, session_id: str) -> tuple[str, float]:
    began = time.monotonic()
    while session_id in await sessions_of(server.address):
        if time.monotonic() - began > SLOW_SECONDS:
            return "still taken", time.monotonic() - began
        await asyncio.sleep(0.5)
    return "slot is free", time.monotonic() - began
