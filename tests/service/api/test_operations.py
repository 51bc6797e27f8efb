# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from segue.v1 import operations_service_pb2 as pb
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_service.api.caller import Caller, check_operator
from segue_service.config import Settings
from segue_service.errors import Refused


async def test_listing(rig: Any) -> None:
    opened = await rig.create(labels={"match": "7"})
    listed = await rig.operations.ListSessions(pb.ListSessionsRequest())
    assert [session.session_id for session in listed.sessions] == [opened.session_id]
    assert dict(listed.sessions[0].labels) == {"match": "7"}
    assert (listed.slots, listed.free_slots) == (4, 3)


async def test_watching(rig: Any) -> None:
    opened = await rig.create()
    call = rig.operations.WatchSessions(pb.WatchSessionsRequest(every_ms=60_000))
    first = await call.read()
    assert [session.session_id for session in first.sessions] == [opened.session_id]
    await opened.call("CloseSession")
    second = await call.read()
    assert list(second.closed_session_ids) == [opened.session_id]
    call.cancel()
    refusal = await rig.refused(anext(aiter(rig.operations.WatchSessions(pb.WatchSessionsRequest(every_ms=1)))))
    assert refusal.fields == ["every_ms"]


async def test_the_operators_token(start: Any, soundtrack_text: str) -> None:
    async with start(operator_token="let-me-in") as rig:
        request = pb.ListSessionsRequest()
        assert (await rig.refused(rig.operations.ListSessions(request))).code == "UNAUTHENTICATED"
        wrong = (("authorization", "Bearer let-me-out"),)
        assert (await rig.refused(rig.operations.ListSessions(request, metadata=wrong))).code == "PERMISSION_DENIED"
        right = (("authorization", "Bearer let-me-in"),)
        assert (await rig.operations.ListSessions(request, metadata=right)).slots == 4
        upload = authoring.UploadSoundtrackRequest(text=soundtrack_text)
        assert (await rig.refused(rig.authoring.UploadSoundtrack(upload))).code == "UNAUTHENTICATED"
        assert (await rig.authoring.UploadSoundtrack(upload, metadata=right)).soundtrack.version == 3
        assert (await rig.create()).token, "a game needs no operator's token"


def test_operations_are_closed_on_a_public_address_without_a_token() -> None:
    check_operator(Caller(), Settings())
    with pytest.raises(Refused, match="closed"):
        check_operator(Caller(), Settings(host="0.0.0.0"))
    assert SimpleNamespace(loopback=Settings(host="::1").is_loopback).loopback
