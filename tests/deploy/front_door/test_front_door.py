# SPDX-License-Identifier: Apache-2.0
"""The front door brings every call to the server that has its session, and new sessions to one with a free slot."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import Any

import grpc
import pytest

from segue.aio import connect
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import operations_service_pb2 as operations
from segue.v1.operations_service_pb2_grpc import OperationsServiceStub
from segue_service.api.caller import Caller

SLOTS = 2
"""Of each of the three servers."""


async def test_sessions_find_free_slots_and_their_calls_find_them(street: Any) -> None:
    made = [await street.create() for _ in range(3 * SLOTS)]
    assert [len(server.registry) for server in street.servers] == [SLOTS] * 3

    with pytest.raises(grpc.aio.AioRpcError) as full:
        await street.create()
    assert full.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

    for response in made:
        session_id, token = response.session.session_id, response.session_token
        for _ in range(3):
            answer = await street.live.GetSession(
                pb.GetSessionRequest(session_id=session_id), metadata=street.bearer(token)
            )
            assert answer.session.session_id == session_id
        granted = await street.live.GrantToken(
            pb.GrantTokenRequest(session_id=session_id), metadata=street.bearer(token)
        )
        listen = pb.StreamAudioRequest(session_id=session_id)
        for one in (token, granted.session_token):
            call: Any = street.live.StreamAudio(listen, metadata=street.bearer(one))
            assert (await anext(aiter(call))).ready.session.session_id == session_id
            call.cancel()
        # A client can't choose a pod by a header of its own.
        elsewhere = street.bearer(token, segue_route="MTI3LjAuMC4xOjE=", segue_hash="x")
        await street.live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=elsewhere)


async def test_all_who_bring_a_session_back_meet_in_one_process(street: Any) -> None:
    request, session_id, home = await street.listened()
    token = request.resume.session_token
    await street.stops[home].aclose()

    for _ in range(2):  # before Envoy's health check has seen that the pod is gone, and after
        back = await asyncio.gather(
            *(street.live.CreateSession(request, metadata=street.bearer(token), timeout=20) for _ in range(8))
        )
        [there] = street.where(session_id)
        assert there != home
        assert {one.session.session_id for one in back} == {session_id}
        await asyncio.sleep(0.5)
    # The old token still opens it, and the new one says where it is now.
    for one in (token, back[0].session_token):
        await street.live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=street.bearer(one))
    assert back[0].session_token != token


async def test_a_draining_server_keeps_its_sessions_and_gets_no_new_ones(street: Any) -> None:
    first = await street.create()
    [home] = street.where(first.session.session_id)
    await street.servers[home].registry.drain("going down")
    for _ in range(2 * SLOTS):
        await street.create()
    assert len(street.servers[home].registry) == 1
    await street.live.GetSession(
        pb.GetSessionRequest(session_id=first.session.session_id), metadata=street.bearer(first.session_token)
    )


async def test_a_player_decides_nothing_about_traces(street: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[set[str]] = []
    plain = Caller.of

    def of(metadata: Any, peer: str = "") -> Caller:
        pairs = list(metadata)
        came.append({key for key, _ in pairs})
        return plain(pairs, peer)

    monkeypatch.setattr(Caller, "of", of)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = (("traceparent", parent), ("tracestate", "segue=1"), ("other", "1"))
    await street.live.GetServerInfo(pb.GetServerInfoRequest(), metadata=sent)
    [keys] = came
    assert "other" in keys
    assert not keys & {"traceparent", "tracestate"}


async def test_operations_are_not_public(street: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await OperationsServiceStub(street.channel).ListSessions(operations.ListSessionsRequest())
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_browsers_get_in_by_the_same_address(street: Any) -> None:
    def ask() -> bytes:
        request = urllib.request.Request(
            f"http://127.0.0.1:{street.port}/segue.v1.LiveSoundtrackService/GetServerInfo",
            b"\0\0\0\0\0",
            {"content-type": "application/grpc-web+proto"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    body = await asyncio.to_thread(ask)
    info = pb.GetServerInfoResponse.FromString(body[5 : 5 + int.from_bytes(body[1:5], "big")])
    assert info.slots == SLOTS
    assert b"grpc-status:0" in body


async def test_a_listener_goes_on_when_its_pod_is_gone(street: Any) -> None:
    async with connect(f"127.0.0.1:{street.port}") as music:
        session = await music.play("quiet", seed=1)
        [home] = street.where(session.session_id)
        heard, gone = 0, False
        async with asyncio.timeout(30):
            async for block in session.audio():
                assert block.first_sample == heard
                heard = block.end
                if heard > 10 * 1920 and not gone:
                    gone = True
                    await street.stops[home].aclose()
                if session.stats.resumes and heard > 40 * 1920:
                    break
        [there] = street.where(session.session_id)
        assert there != home
        assert session.stats.resumes == 1
        await session.get()
