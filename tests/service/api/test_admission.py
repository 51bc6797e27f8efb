# SPDX-License-Identifier: Apache-2.0
"""Who gets a slot, and who loses one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc

from segue.v1 import operations_service_pb2 as ops
from segue.v1 import stream_pb2


async def test_a_full_server_refuses_with_a_delay_and_running_sessions_go_on(rig: Any) -> None:
    opened = [await rig.create() for _ in range(4)]
    refusal = await rig.refused(rig.create())
    assert (refusal.code, refusal.reason, refusal.retry_ms) == ("RESOURCE_EXHAUSTED", "SERVER_FULL", 2000)
    heard, _ = await opened[0].hear(10 * 1920)
    assert len(heard) == 40 * 1920
    await opened[1].call("CloseSession")
    assert (await rig.create()).session_id


async def test_a_herd_gets_exactly_the_slots_that_there_are(start: Any) -> None:
    async with start(max_sessions=3) as rig:
        results = await asyncio.gather(*(rig.create() for _ in range(30)), return_exceptions=True)
        codes = [error.code() for error in results if isinstance(error, grpc.aio.AioRpcError)]
        assert len(results) - len(codes) == 3
        assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert len(rig.server.registry) == 3


async def test_a_session_that_nobody_wants_is_swept_out(rig: Any) -> None:
    opened, paused = await rig.create(), await rig.create(paused=True)
    registry = rig.server.registry
    await registry.sweep_once(time.monotonic() + 29)
    assert len(registry) == 2
    await registry.sweep_once(time.monotonic() + 31)
    assert [session.session_id for session in registry] == [paused.session_id]
    await registry.sweep_once(time.monotonic() + 601)
    assert len(registry) == 0
    assert (await rig.refused(opened.call("GetSession"))).code == "NOT_FOUND"


async def test_a_listener_keeps_a_session_alive(rig: Any) -> None:
    opened = await rig.create()
    call = opened.stream()
    await call.read()
    await rig.server.registry.sweep_once(time.monotonic() + 100_000)
    assert len(rig.server.registry) == 1
    call.cancel()


async def test_a_drain_says_goodbye_and_admits_nobody(rig: Any) -> None:
    opened = await rig.create()
    call = opened.stream()
    await call.read()
    drained = await rig.operations.Drain(ops.DrainRequest(reason="an update", grace_ms=0))
    assert drained.sessions == 1
    message = await call.read()
    while message.WhichOneof("message") != "goodbye":
        message = await call.read()
    goodbye = message.goodbye
    assert goodbye.reason == stream_pb2.Goodbye.REASON_DRAINING
    assert (goodbye.message, goodbye.retry_after_ms) == ("an update", 2000)
    refusal = await rig.refused(rig.create())
    assert (refusal.code, refusal.reason, refusal.retry_ms) == ("UNAVAILABLE", "DRAINING", 2000)


async def test_a_server_that_drains_does_no_control_that_would_be_lost_with_it(rig: Any) -> None:
    opened = await rig.create()
    header = opened.header(request_id="0123456789abcdef")
    first = await opened.call("PostEvent", event="enemy_spotted", control=header)
    await rig.server.registry.drain("an update")
    assert await opened.call("PostEvent", event="enemy_spotted", control=header) == first, "what was done is answered"
    refusal = await rig.refused(opened.call("SetState", state="explore"))
    assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "DRAINING")
    assert (await opened.call("GetSession")).session.state == first.state
