# SPDX-License-Identifier: Apache-2.0
"""Several listeners on one session, one of which is too slow."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from segue.v1 import stream_pb2

FRAME = 1920


async def test_listeners_hear_the_same_samples_which_are_encoded_once(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=2000)
    everybody = await asyncio.gather(*(opened.hear(40 * FRAME, from_sample=0) for _ in range(5)))
    assert len({heard for heard, _ in everybody}) == 1
    assert rig.session(opened).encoded_chunks <= 30


async def test_a_late_listener_joins_where_the_others_are(rig: Any) -> None:
    opened = await rig.create(target_lead_ms=1000)
    first = opened.stream()
    last = 0
    async for message in first:
        if message.WhichOneof("message") == "audio":
            last = message.audio.first_sample
        if last >= 40 * FRAME:
            break
    _, messages = await opened.hear(FRAME)
    joined = messages[0].ready.first_sample
    assert 0 < joined <= messages[0].ready.session.head_sample
    first.cancel()


async def test_a_slow_listener_is_cut_off_and_the_others_go_on(start: Any, wait_until: Any) -> None:
    """The slow one's transport is full: its handler waits in a write, and is ended all the same."""
    async with start(listener_lag_ms=400, goodbye_ms=100, max_lead_ms=1000, history_ms=4000) as rig:
        opened = await rig.create(target_lead_ms=300)
        session = rig.session(opened)
        from segue_service.session.listeners import Wish

        slow = session.listening.join(Wish(encoding=1, begin=0, chunk_frames=2), 0)
        stream = slow.messages()
        await anext(stream)
        quick: list[bytes] = []
        call = opened.stream(from_sample=0)
        async for message in call:
            if message.WhichOneof("message") == "audio":
                quick.append(message.audio.payload)
            if slow.ending is not None and sum(map(len, quick)) >= 4 * 60 * FRAME:
                break
        assert slow.ending.reason == stream_pb2.Goodbye.REASON_SLOW_LISTENER
        rest = [message async for message in stream]
        assert b"fell more than 700 ms behind" in rest[-1]
        session.listening.leave(slow)
        call.cancel()
        other = await rig.create()
        count = len(b"".join(quick)) // 4
        alone, _ = await other.hear(min(count, 7 * FRAME))
        assert b"".join(quick)[: len(alone)] == alone


async def test_a_stream_whose_client_reads_nothing_is_ended(start: Any, wait_until: Any) -> None:
    options = (("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0))
    async with start(listener_lag_ms=300, goodbye_ms=100, max_lead_ms=1000, history_ms=4000) as rig:
        opened = await rig.create(target_lead_ms=300)
        async with grpc.aio.insecure_channel(rig.server.address, options=options) as channel:
            rig.channel = channel
            rig.__post_init__()
            call = opened.stream()
            await call.read()
            await wait_until(lambda: rig.session(opened).listeners == 0)
            call.cancel()
        rig.server.registry.get(opened.session_id, opened.token)


async def test_too_many_listeners(start: Any) -> None:
    async with start(max_listeners=1) as rig:
        opened = await rig.create()
        first = opened.stream()
        await first.read()
        refusal = await rig.refused(opened.hear(1))
        assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", "TOO_MANY_LISTENERS")
        assert refusal.retry_ms == 2000
        first.cancel()


async def test_the_largest_lead_that_a_listener_wishes_holds_while_it_listens(start: Any, wait_until: Any) -> None:
    async with start(min_lead_ms=100, max_lead_ms=2000, history_ms=8000) as rig:
        opened = await rig.create(target_lead_ms=300)
        session = rig.session(opened)

        def target() -> int:
            return int(session._parts.device.pacer.target.max()) * 1000 // 48000

        first, second = opened.stream(), opened.stream()
        names = [(await anext(aiter(call))).ready.listener_id for call in (first, second)]

        async def wish(name: str, lead_ms: int) -> int:
            request = {"listener_id": name, "playhead_sample": 0, "target_lead_ms": lead_ms}
            return int((await opened.call("ReportPlayback", **request)).target_lead_ms)

        assert await wish(names[0], 800) == 800
        assert await wish(names[1], 1200) == 1200
        await wait_until(lambda: target() == 1200)
        assert await wish(names[1], 0) == 1200  # no wish is the one before
        assert await wish("nobody", 1900) == 1200
        assert await wish(names[0], 500_000) == 2000  # the server's own limit
        second.cancel()
        await wait_until(lambda: session.listeners == 1)
        assert await wish(names[0], 50) == 300
        await wait_until(lambda: target() == 300)
        assert (await opened.call("GetSession")).session.target_lead_ms == 300
        await wish(names[0], 700)
        first.cancel()
        await wait_until(lambda: target() == 300)
