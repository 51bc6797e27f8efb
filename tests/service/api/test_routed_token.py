# SPDX-License-Identifier: Apache-2.0
"""Tokens with the address of their session's process, as a front door reads them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_service.api.routed_token import Label, bare, label_of, with_route
from segue_service.security.keys import new_key

ROUTES = st.sampled_from(["10.1.2.3:7470", "[fd00::1]:7470", "255.255.255.255:65535"])
TOKENS = st.from_regex(r"[A-Za-z0-9_-]{43}|sgt\.[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{27}", fullmatch=True)


def bearer(token: str, **more: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"), *((name.replace("_", "-"), value) for name, value in more.items()))


@given(route=ROUTES, token=TOKENS, again=ROUTES)
def test_the_label_comes_off_and_is_replaced(route: str, token: str, again: str) -> None:
    labelled = with_route(token, "s-0123456789abcdef", route)
    kind, label, session, rest = labelled.split(".", 3)
    assert (kind, session, rest) == ("sg1", "s-0123456789abcdef", token)
    assert base64.urlsafe_b64decode(label + "=" * (-len(label) % 4)).decode() == route
    assert bare(labelled) == token
    assert label_of(labelled) == Label(route, "s-0123456789abcdef")
    assert label_of(token) is None
    assert with_route(labelled, "s-0123456789abcdef", again) == with_route(token, "s-0123456789abcdef", again)
    assert with_route(token, "s-1", None) == token


@given(st.text(max_size=80))
def test_anything_is_taken_for_a_token(text: str) -> None:
    assert text.endswith(bare(text))
    assert label_of(text) is None
    assert label_of(f"sg1.{text}") is None or text.count(".") > 1


async def test_every_token_that_a_server_gives_has_it(start: Any) -> None:
    async with start(allow_anonymous=True, session_route="10.1.2.3:7470") as rig:
        made = await rig.create()
        assert made.token.startswith("sg1.MTAuMS4yLjM6NzQ3MA.")
        granted = await rig.live.GrantToken(pb.GrantTokenRequest(session_id=made.session_id), metadata=made.metadata)
        assert granted.session_token.startswith(f"sg1.MTAuMS4yLjM6NzQ3MA.{made.session_id}.sgt.")
        for token in (made.token, bare(made.token), granted.session_token):
            for metadata in ((("authorization", f"Bearer {token}"),), (("segue-session-token", token),)):
                await rig.live.GetSession(pb.GetSessionRequest(session_id=made.session_id), metadata=metadata)


async def test_a_stream_is_told_its_own_token_by_the_way_to_here(start: Any) -> None:
    async with start(allow_anonymous=True, session_route="10.1.2.3:7470") as rig:
        made = await rig.create()
        granted = await rig.live.GrantToken(pb.GrantTokenRequest(session_id=made.session_id), metadata=made.metadata)
        for token in (made.token, granted.session_token):
            shown = with_route(token, made.session_id, "10.1.2.4:7470")
            call = rig.live.StreamAudio(pb.StreamAudioRequest(session_id=made.session_id), metadata=bearer(shown))
            assert (await call.read()).ready.session_token == token
            call.cancel()
    async with start() as rig:
        call = (await rig.create()).stream()
        assert (await call.read()).ready.session_token == ""
        call.cancel()


async def test_who_comes_for_a_session_of_a_predecessor_is_told_to_look_elsewhere(start: Any) -> None:
    async with start(allow_anonymous=True, session_route="10.1.2.3:7470") as rig:
        made = await rig.create()
        for route, attempt, known, told in (
            ("10.1.2.3:7470", 1, False, True),
            ("10.1.2.4:7470", 1, False, False),
            ("10.1.2.4:7470", 2, False, True),  # it was sent on by another one
            (None, 2, False, False),
            ("10.1.2.3:7470", 1, True, False),
        ):
            session_id = made.session_id if known else "s-0"
            metadata = bearer(with_route("wrong", session_id, route), x_envoy_attempt_count=str(attempt))
            for call in (
                rig.live.GetSession(pb.GetSessionRequest(session_id=session_id), metadata=metadata),
                rig.live.StreamAudio(pb.StreamAudioRequest(session_id=session_id), metadata=metadata),
            ):
                assert await call.code() is (grpc.StatusCode.PERMISSION_DENIED if known else grpc.StatusCode.NOT_FOUND)
                assert ("segue-elsewhere" in dict(await call.trailing_metadata())) is told


@pytest.mark.parametrize("route", ["10.1.2.3:7470", None])
async def test_a_front_door_is_told_that_others_may_have_room(route: str | None, start: Any, tmp_path: Path) -> None:
    few, many, file = new_key(), new_key(), tmp_path / "tenants.yaml"
    entries = [
        f"{{ id: t{most}, api_keys: [{{ id: {key.id}, sha256: {key.sha256} }}], quotas: {{ sessions: {most} }} }}"
        for key, most in ((few, 0), (many, 9))
    ]
    file.write_text(f"tenants: [{', '.join(entries)}]\n")
    request = pb.CreateSessionRequest(soundtrack_id="dungeon")
    async with start(session_route=route, tenants_file=file, max_sessions=1) as rig:
        for key, reason, told in ((few, "QUOTA", False), (many, "SERVER_FULL", route is not None)):
            if key is many:
                await rig.live.CreateSession(request, metadata=bearer(many.key))
            call = rig.live.CreateSession(request, metadata=bearer(key.key))
            refusal = await rig.refused(call)
            assert (refusal.code, refusal.reason) == ("RESOURCE_EXHAUSTED", reason)
            assert ("segue-elsewhere" in dict(await call.trailing_metadata())) is told


async def test_a_session_is_brought_back_by_a_successor_only_if_nobody_else_can(start: Any) -> None:
    keys = ("a key for tests, of thirty-two letters",)
    async with start(allow_anonymous=True, session_route="10.1.2.3:7470", resume_keys=keys) as rig:
        made = await rig.create()
        _, messages = await made.hear(9600, with_continuation=True)
    point = next(message.resume_point.token for message in messages if message.HasField("resume_point"))
    pieces = [message.audio.continuation for message in messages if message.HasField("audio")]
    resume = pb.ResumeRequest(token=point, continuation=pieces, from_sample=9600, session_token=made.token)

    def back(rig: Any, token: str, **more: str) -> Any:
        request = pb.CreateSessionRequest(resume=resume)
        return rig.live.CreateSession(request, metadata=bearer(token, **more))

    async with start(allow_anonymous=True, session_route="10.1.2.3:7470", resume_keys=keys) as rig:
        refusal = await rig.refused(back(rig, made.token, x_envoy_attempt_count="1"))
        assert (refusal.code, refusal.reason) == ("UNAVAILABLE", "NOT_READY")
        assert len(rig.server.registry) == 0
        await back(rig, made.token, x_envoy_attempt_count="2")  # others have been asked
        await back(rig, made.token, x_envoy_attempt_count="1")  # it is here
        assert len(rig.server.registry) == 1
    async with start(allow_anonymous=True, session_route="10.1.2.3:7470", resume_keys=keys) as rig:
        await back(rig, made.token)  # no front door
    async with start(allow_anonymous=True, session_route="10.1.2.4:7470", resume_keys=keys) as rig:
        await back(rig, made.token, x_envoy_attempt_count="1")  # it was another's


@pytest.mark.parametrize("route", ["", "pod-1:7470", "10.0.0.1:7470 x", "http://10.0.0.1"])
async def test_a_route_is_an_address(route: str, start: Any) -> None:
    with pytest.raises(ValueError, match="session_route"):
        async with start(allow_anonymous=True, session_route=route):
            pass
