# SPDX-License-Identifier: Apache-2.0
"""An operator closes sessions, and throws a tenant out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from segue.aio import connect
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import operations_service_pb2 as ops
from segue.v1 import stream_pb2

OPERATOR = (("authorization", "Bearer operator"),)


async def create(rig: Any, key: Any) -> pb.CreateSessionResponse:
    made: pb.CreateSessionResponse = await rig.live.CreateSession(
        pb.CreateSessionRequest(soundtrack_id="dungeon"), metadata=key
    )
    return made


def own(made: pb.CreateSessionResponse) -> tuple[tuple[str, str], ...]:
    return (("segue-session-token", made.session_token),)


async def listening(rig: Any, made: pb.CreateSessionResponse) -> tuple[Any, bytes]:
    """A stream of a session, and a resume point that came by it."""
    request = pb.StreamAudioRequest(session_id=made.session.session_id, with_continuation=True)
    call = rig.live.StreamAudio(request, metadata=own(made))
    async for message in call:
        if message.WhichOneof("message") == "resume_point":
            return call, bytes(message.resume_point.token)
    raise AssertionError("no resume point came")


async def goodbye(call: Any) -> stream_pb2.Goodbye:
    async for message in call:
        if message.WhichOneof("message") == "goodbye":
            said: stream_pb2.Goodbye = message.goodbye
            return said
    raise AssertionError("the stream ended without a word")


async def close(rig: Any, **fields: Any) -> tuple[int, int]:
    answer = await rig.operations.CloseSessions(ops.CloseSessionsRequest(**fields), metadata=OPERATOR)
    return answer.closed, answer.suspended


async def test_a_tenant_is_thrown_out(start: Any, tenants: Any, tmp_path: Path) -> None:
    """The recipe of docs/security.md, and what each of its steps does alone."""
    bad, good, audit = tenants.add("bad"), tenants.add("good"), tmp_path / "audit.jsonl"
    async with start(tenants_file=tenants.path, audit_log=audit, operator_token="operator") as rig:
        registry = rig.server.registry
        made, asleep, other = [await create(rig, key) for key in (bad, bad, good)]
        call, point = await listening(rig, made)
        await registry.suspend(registry.get(asleep.session.session_id, asleep.session_token))
        assert await close(rig, tenant="bad", reason="abuse") == (1, 1)
        said = await goodbye(call)
        assert (said.reason, said.message, said.retry_after_ms) == (stream_pb2.Goodbye.REASON_CLOSED, "abuse", -1)
        assert [session.session_id for session in registry] == [other.session.session_id]
        assert registry.kept() == {}
        assert registry.parts.security.usage.sessions("bad") == 0

        back = pb.CreateSessionRequest(resume=pb.ResumeRequest(token=point, session_token=made.session_token))
        await rig.live.CreateSession(back)  # it is in the file still, so its players may
        tenants.remove("bad")
        assert await registry.parts.security.access._tenants.look()
        assert len(registry) == 2, "removing alone stops what begins, not what runs"
        assert await close(rig, tenant="bad") == (1, 0)
        assert (await rig.refused(rig.live.CreateSession(back))).reason == "TOKEN_WRONG"
        assert (await rig.refused(create(rig, bad))).reason == "TOKEN_WRONG"
        assert await close(rig, tenant="bad") == (0, 0)
        await create(rig, good)
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    told = [line for line in lines if line["action"] == "close"]
    assert {line["session"] for line in told if line.get("key") == "operator"} == {
        made.session.session_id,
        asleep.session.session_id,
    }
    first = next(line for line in told if line["session"] == made.session.session_id)
    assert (first["tenant"], first["detail"]) == ("bad", "by an operator: abuse")
    assert first["peer"]


async def test_sessions_by_id(rig: Any) -> None:
    first, second, third = [await rig.create() for _ in range(3)]
    answer = await rig.operations.CloseSessions(
        ops.CloseSessionsRequest(session_ids=[first.session_id, third.session_id, "s-nobody", first.session_id])
    )
    assert (answer.closed, answer.suspended) == (2, 0)
    assert [session.session_id for session in rig.server.registry] == [second.session_id]
    both = ops.CloseSessionsRequest(tenant="studio", session_ids=[second.session_id])
    assert (await rig.operations.CloseSessions(both)).closed == 0, "it is not that tenant's"
    assert (await rig.refused(first.call("GetSession"))).reason == "UNKNOWN_SESSION"


async def test_what_is_refused(start: Any) -> None:
    async with start(operator_token="operator") as rig:
        opened = await rig.create()
        for fields, field in (
            ({}, "tenant"),
            ({"reason": "everybody out"}, "tenant"),
            ({"session_ids": ["s"] * 501}, "session_ids"),
            ({"tenant": "studio", "reason": "x" * 257}, "reason"),
        ):
            assert (await rig.refused(close(rig, **fields))).fields == [field]
        request = ops.CloseSessionsRequest(session_ids=[opened.session_id])
        for metadata, reason in ((None, "TOKEN_MISSING"), (opened.metadata, "TOKEN_WRONG")):
            assert (await rig.refused(rig.operations.CloseSessions(request, metadata=metadata))).reason == reason
        assert len(rig.server.registry) == 1


@pytest.mark.parametrize("resume", [True, False])
async def test_the_sdk_does_not_come_back(rig: Any, resume: bool) -> None:
    opened = await rig.create()
    async with connect(rig.server.address) as music:
        session, blocks = music.attach(opened.session_id, opened.token), 0
        async with asyncio.timeout(20):
            async for _ in session.audio(resume=resume):
                blocks += 1
                if blocks == 3:
                    request = ops.CloseSessionsRequest(session_ids=[opened.session_id])
                    await rig.operations.CloseSessions(request)
    assert len(rig.server.registry) == 0
    assert rig.server.metrics.created._value.get() == 1
