# SPDX-License-Identifier: Apache-2.0
"""A pod is gone, and another process has its address: who comes by an old label is brought to where the session is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import pytest

from segue.aio import connect
from segue.v1 import live_soundtrack_service_pb2 as pb


async def test_who_comes_later_is_told_the_way_too(street: Any) -> None:
    request, session_id, home = await street.listened()
    token = request.resume.session_token
    await street.stops[home].aclose()
    back = await street.live.CreateSession(request, metadata=street.bearer(token), timeout=20)
    call: Any = street.live.StreamAudio(pb.StreamAudioRequest(session_id=session_id), metadata=street.bearer(token))
    told = (await anext(aiter(call))).ready.session_token
    call.cancel()
    assert told == back.session_token != token


async def test_a_server_at_the_address_of_a_dead_one_is_not_taken_for_it(street: Any) -> None:
    request, session_id, home = await street.listened()
    token = request.resume.session_token
    await street.stops[home].aclose()
    await street.live.CreateSession(request, metadata=street.bearer(token), timeout=20)
    there = street.where(session_id)
    await street.replace(home)

    # Whoever has the old token still finds the session, and who brings it back finds that it is there.
    for _ in range(3):
        await street.live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=street.bearer(token))
        await street.live.CreateSession(request, metadata=street.bearer(token), timeout=20)
        call: Any = street.live.StreamAudio(pb.StreamAudioRequest(session_id=session_id), metadata=street.bearer(token))
        assert (await anext(aiter(call))).ready.session.session_id == session_id
        call.cancel()
        assert street.where(session_id) == there, "a second copy of the session"
        await asyncio.sleep(0.3)

    # What is nowhere is told as it is.
    lost = token.replace(session_id, "s-0")
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await street.live.GetSession(pb.GetSessionRequest(session_id="s-0"), metadata=street.bearer(lost))
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND
    assert "segue-elsewhere" not in {key for key, _ in unknown.value.trailing_metadata()}


async def test_a_server_that_is_alone_brings_back_what_its_predecessor_had(street: Any) -> None:
    request, session_id, home = await street.listened()
    for place in range(3):
        if place != home:
            await street.stops[place].aclose()
    await street.replace(home)
    async with asyncio.timeout(20):
        while not street.where(session_id):
            with contextlib.suppress(grpc.aio.AioRpcError):  # until Envoy knows who is there
                await street.live.CreateSession(
                    request, metadata=street.bearer(request.resume.session_token), timeout=20
                )
    assert street.where(session_id) == [home]


async def test_listeners_stay_together_when_their_pod_is_replaced_at_once(street: Any) -> None:
    async with connect(f"127.0.0.1:{street.port}") as music:
        owner = await music.play("quiet", seed=1)
        sessions = [owner, *(music.attach(owner.session_id, owner.token) for _ in range(3))]
        heard = [0] * len(sessions)

        async def listen(number: int) -> None:
            async for block in sessions[number].audio():
                assert block.first_sample == heard[number] or not heard[number]
                heard[number] = block.end

        listening = [asyncio.create_task(listen(number)) for number in range(len(sessions))]
        async with asyncio.timeout(30):
            while min(heard) < 10 * 1920:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            [home] = street.where(owner.session_id)
            await street.replace(home)
            states = [(await session.set_state("a")).state for session in sessions]
            then = max(heard)
            while min(heard) < then + 20 * 1920:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert states == ["a"] * len(sessions)
        assert len(street.where(owner.session_id)) == 1, "copies of the session"
        assert len({session.token for session in sessions}) == 1, "ways to it"
        assert not any(task.done() for task in listening)
        for task in listening:
            task.cancel()
