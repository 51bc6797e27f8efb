# SPDX-License-Identifier: Apache-2.0
"""Tokens that may do less and end: what they open, what they don't, and that they outlive a server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from segue.v1 import control_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_service.errors import Refused
from segue_service.security.grants import Grants, Right

KEYS = ("first key, of thirty-two letters", "second key, of thirty-two letter")
FRAME = 1920


def held(token: str) -> tuple[tuple[str, str], ...]:
    return (("segue-session-token", token),)


async def grant(opened: Any, **fields: Any) -> str:
    return str((await opened.call("GrantToken", **fields)).session_token)


def calls(rig: Any, session_id: str, token: str) -> dict[str, Any]:
    """One call of each kind with a token."""
    header, metadata = control_pb2.ControlHeader(session_id=session_id), held(token)
    live = rig.live
    return {
        "GetSession": lambda: live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=metadata),
        "ReportPlayback": lambda: live.ReportPlayback(
            pb.ReportPlaybackRequest(session_id=session_id), metadata=metadata
        ),
        "StreamAudio": lambda: anext(
            aiter(live.StreamAudio(pb.StreamAudioRequest(session_id=session_id), metadata=metadata))
        ),
        "PostEvent": lambda: live.PostEvent(
            pb.PostEventRequest(control=header, event="enemy_spotted"), metadata=metadata
        ),
        "SetWeightedPrompts": lambda: live.SetWeightedPrompts(
            pb.SetWeightedPromptsRequest(control=header), metadata=metadata
        ),
        "Pause": lambda: live.Pause(pb.PauseRequest(control=header), metadata=metadata),
        "Play": lambda: live.Play(pb.PlayRequest(control=header), metadata=metadata),
        "ResetContext": lambda: live.ResetContext(pb.ResetContextRequest(control=header), metadata=metadata),
        "GrantToken": lambda: live.GrantToken(pb.GrantTokenRequest(session_id=session_id), metadata=metadata),
        "CloseSession": lambda: live.CloseSession(pb.CloseSessionRequest(session_id=session_id), metadata=metadata),
    }


LISTENING = ("GetSession", "ReportPlayback", "StreamAudio")
OWNING = ("GrantToken", "CloseSession")


@pytest.mark.parametrize("steers", [False, True])
async def test_a_granted_token_does_what_it_was_granted_for(rig: Any, steers: bool) -> None:
    opened = await rig.create()
    token = await grant(opened, may_steer=steers)
    for name, call in calls(rig, opened.session_id, token).items():
        if name in LISTENING or (steers and name not in OWNING):
            await call()
        else:
            refusal = await rig.refused(call())
            assert (refusal.code, refusal.reason) == ("PERMISSION_DENIED", "TOKEN_WRONG"), name
    assert len(rig.server.registry) == 1


async def test_it_opens_no_other_session_and_can_t_be_changed(rig: Any) -> None:
    opened, other = await rig.create(), await rig.create()
    token = await grant(opened)
    prefix, payload, mark = token.split(".")
    data = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    tampered = [{**data, "r": 2}, {**data, "e": data["e"] + 9}, {**data, "s": other.session_id}, {**data, "r": 3}]
    forged = [
        ".".join((prefix, base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("="), mark))
        for each in tampered
    ]
    stranger = Grants([b"another server's key, 32 letters"])
    forged.append(stranger.make(opened.session_id, rig.session(opened).deed.digest, Right.STEER, 2**40))
    forged += [token[:-1], token + "A", "sgt.", "sgt..", "sgt." + "x" * 600, "sgt.é", token.removeprefix("sgt.")]
    for wrong in forged:
        with pytest.raises(Refused):
            rig.server.registry.get(opened.session_id, wrong, Right.LISTEN)
    refusal = await rig.refused(calls(rig, other.session_id, token)["GetSession"]())
    assert refusal.reason == "TOKEN_WRONG"
    with pytest.raises(ValueError, match="LISTEN or STEER"):
        stranger.make("s", "d" * 43, Right.OWN, 0)


async def test_it_ends_and_with_it_its_stream(rig: Any) -> None:
    opened = await rig.create()
    refusal = await rig.refused(opened.call("GrantToken", valid_seconds=-1))
    assert refusal.fields == ["valid_seconds"]
    response = await opened.call("GrantToken", valid_seconds=1)
    assert 0 < response.expires_unix_ms / 1000 - time.time() <= 2
    call = rig.live.StreamAudio(
        pb.StreamAudioRequest(session_id=opened.session_id), metadata=held(response.session_token)
    )
    last = None
    async for message in call:
        last = message
    assert last is not None
    assert last.goodbye.reason == stream_pb2.Goodbye.REASON_TOKEN_EXPIRED
    refusal = await rig.refused(calls(rig, opened.session_id, response.session_token)["GetSession"]())
    assert (refusal.code, refusal.reason) == ("PERMISSION_DENIED", "TOKEN_EXPIRED")
    await opened.call("GetSession")


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the clock by which tokens end be another one."""
    now = SimpleNamespace(time=lambda: time.time() + seconds)
    monkeypatch.setattr("segue_service.security.grants.time", now)


async def test_the_sessions_own_token_may_end_too_and_nothing_granted_outlives_it(start: Any, monkeypatch: Any) -> None:
    async with start(token_hours=1.0) as rig:
        opened = await rig.create()
        response = await opened.call("GrantToken", may_steer=True)
        assert 3_590 < response.expires_unix_ms / 1000 - time.time() <= 3_601, "the usual four hours are too many"
        later(monkeypatch, 3_580)
        await calls(rig, opened.session_id, response.session_token)["PostEvent"]()
        later(monkeypatch, 3_601)
        for token in (opened.token, response.session_token):
            assert (await rig.refused(calls(rig, opened.session_id, token)["PostEvent"]())).reason == "TOKEN_EXPIRED"


@pytest.fixture
async def two(start: Any, tenants: Any) -> AsyncIterator[tuple[Any, Any, Any]]:
    """Two servers that share keys and tenants."""
    key = tenants.add("studio", sessions=1)
    async with contextlib.AsyncExitStack() as stack:
        settings = {"resume_keys": KEYS, "tenants_file": tenants.path}
        yield (*[await stack.enter_async_context(start(**settings)) for _ in range(2)], key)


async def begun(rig: Any, key: Any) -> tuple[Any, bytes]:
    """A session and a resume point of it."""
    made = await rig.live.CreateSession(pb.CreateSessionRequest(soundtrack_id="dungeon"), metadata=key)
    session_id, token = made.session.session_id, made.session_token
    request = pb.StreamAudioRequest(session_id=session_id, with_continuation=True)
    call = rig.live.StreamAudio(request, metadata=held(token))
    async for message in call:
        if message.WhichOneof("message") == "resume_point":
            call.cancel()
            return made, bytes(message.resume_point.token)
    raise AssertionError("no resume point came")


def returned(point: bytes, token: str = "") -> pb.CreateSessionRequest:
    return pb.CreateSessionRequest(resume=pb.ResumeRequest(token=point, session_token=token))


async def test_granted_tokens_hold_on_the_server_that_takes_the_session_over(two: Any) -> None:
    first, second, key = two
    made, point = await begun(first, key)
    session_id, owner = made.session.session_id, made.session_token
    listen, steer = [
        str(
            (
                await first.live.GrantToken(
                    pb.GrantTokenRequest(session_id=session_id, may_steer=may), metadata=held(owner)
                )
            ).session_token
        )
        for may in (False, True)
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await second.live.CreateSession(returned(point, listen))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE, "who may only listen waits for the others"
    answers = await asyncio.gather(*(second.live.CreateSession(returned(point, each)) for each in (owner, steer)))
    assert [answer.session_token for answer in answers] == [owner, steer], "each gets what it has shown, no more"
    assert {answer.session.session_id for answer in answers} == {session_id}
    joined = await second.live.CreateSession(returned(point, listen))
    assert joined.session_token == listen
    await calls(second, session_id, steer)["PostEvent"]()
    await calls(second, session_id, listen)["StreamAudio"]()
    assert (await second.refused(calls(second, session_id, listen)["PostEvent"]())).reason == "TOKEN_WRONG"
    assert (await second.refused(calls(second, session_id, steer)["CloseSession"]())).reason == "TOKEN_WRONG"
    await calls(second, session_id, owner)["CloseSession"]()


async def test_what_comes_back_counts_for_its_tenant(two: Any, tenants: Any) -> None:
    first, second, key = two
    made, point = await begun(first, key)
    await second.live.CreateSession(returned(point, made.session_token))
    refusal = await second.refused(
        second.live.CreateSession(pb.CreateSessionRequest(soundtrack_id="dungeon"), metadata=key)
    )
    assert 'quota "sessions"' in refusal.message
    refusal = await second.refused(second.live.CreateSession(returned(point)))
    assert refusal.reason == "TOKEN_MISSING", "another session takes a tenant"
    thief = tenants.add("thief")
    assert await second.server.registry.parts.security.access._tenants.look()
    refusal = await second.refused(second.live.CreateSession(returned(point), metadata=thief))
    assert refusal.reason == "TOKEN_WRONG", "a saved game is its tenant's"
    refusal = await second.refused(second.live.CreateSession(returned(point, "x" * 43), metadata=thief))
    assert refusal.reason == "TOKEN_WRONG"


async def test_an_expired_token_does_not_bring_its_session_back(start: Any, monkeypatch: Any) -> None:
    settings = {"resume_keys": KEYS, "token_hours": 1.0}
    async with start(**settings) as first, start(**settings) as second:
        made, point = await begun(first, ())
        later(monkeypatch, 3_601)
        refusal = await second.refused(second.live.CreateSession(returned(point, made.session_token)))
        assert refusal.reason == "TOKEN_EXPIRED"
