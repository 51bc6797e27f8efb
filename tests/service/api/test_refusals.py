# SPDX-License-Identifier: Apache-2.0
"""Each kind of bad input: its code, its reason, its details. Nothing of it is applied."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import grpc
import pytest

from segue.v1 import control_pb2, session_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_service.session import slot_work


def change(name: str, value: float) -> control_pb2.ParameterChange:
    return control_pb2.ParameterChange(values=[control_pb2.ParameterValue(name=name, value=value)])


@pytest.mark.parametrize(
    ("method", "fields", "kind", "near"),
    [
        ("PostEvent", {"event": "enemy_spoted"}, "event", "enemy_spotted"),
        ("SetState", {"state": "combatt"}, "state", "combat"),
        ("SetParameters", {"parameters": change("dangr", 0.5)}, "parameter", "danger"),
        ("PostTrigger", {"trigger": "tresure"}, "stinger", "treasure"),
        ("SetWeightedPrompts", {"prompts": [pb.WeightedPrompt(style="bos", weight=1)]}, "style", "boss"),
    ],
)
async def test_an_unknown_name_lists_its_near_misses(
    rig: Any, method: str, fields: dict[str, Any], kind: str, near: str
) -> None:
    opened = await rig.create()
    refusal = await rig.refused(opened.call(method, **fields))
    assert (refusal.code, refusal.reason) == ("NOT_FOUND", "UNKNOWN_NAME")
    assert refusal.unknown.kind == kind
    assert refusal.unknown.near_misses[0] == near
    assert near in refusal.unknown.known
    assert near in refusal.message


async def test_an_unknown_soundtrack(rig: Any) -> None:
    refusal = await rig.refused(rig.create(soundtrack_id="dungeo"))
    assert (refusal.code, refusal.reason) == ("NOT_FOUND", "UNKNOWN_SOUNDTRACK")
    assert list(refusal.unknown.near_misses) == ["dungeon"]
    refusal = await rig.refused(rig.create(soundtrack_version=99))
    assert refusal.code == "NOT_FOUND"
    assert "3" in refusal.message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"soundtrack_id": ""}, "soundtrack_id"),
        ({"soundtrack_version": -1}, "soundtrack_version"),
        ({"target_lead_ms": 99}, "target_lead_ms"),
        ({"target_lead_ms": 10_001}, "target_lead_ms"),
        ({"request_id": "short"}, "request_id"),
        ({"labels": {str(n): "" for n in range(17)}}, "labels"),
        ({"parameters": [control_pb2.ParameterValue(name="danger", value=float("nan"))]}, "parameters[0].value"),
        ({"parameters": [control_pb2.ParameterValue(name="danger", value=2.0)]}, "danger"),
    ],
)
async def test_a_session_with_a_bad_field_is_refused_and_claims_nothing(
    rig: Any, fields: dict[str, Any], field: str
) -> None:
    refusal = await rig.refused(rig.create(**fields))
    assert (refusal.code, refusal.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert field in refusal.fields[0]
    assert field in refusal.message
    assert rig.server.registry.free == 4


@pytest.mark.parametrize(
    ("method", "fields", "field"),
    [
        ("PostEvent", {"event": ""}, "event"),
        ("PostEvent", {"event": "x" * 129}, "event"),
        ("SetParameters", {"parameters": control_pb2.ParameterChange()}, "parameters.values"),
        ("SetParameters", {"parameters": change("danger", 1.5)}, "danger"),
        ("SetParameters", {"parameters": change("danger", float("inf"))}, "parameters.values[0].value"),
        ("SetWeightedPrompts", {"prompts": [pb.WeightedPrompt(text="x", weight=0)]}, "prompts[0].weight"),
        ("SetWeightedPrompts", {"prompts": [pb.WeightedPrompt(weight=1)]}, "prompts[0]"),
        ("SetWeightedPrompts", {"prompts": [pb.WeightedPrompt(audio=b"abc", weight=1)]}, "prompts[0].audio"),
        ("SetWeightedPrompts", {"prompts": [pb.WeightedPrompt(text="x", weight=1)] * 9}, "prompts"),
        ("SetWeightedPrompts", {"fade_ms": -1}, "fade_ms"),
        ("SetWeightedPrompts", {"guidance": 8.0}, "guidance"),
        ("ReportPlayback", {"playhead_sample": -1}, "playhead_sample"),
        ("ReportPlayback", {"underruns": -1}, "underruns"),
    ],
)
async def test_a_bad_field_is_named(rig: Any, method: str, fields: dict[str, Any], field: str) -> None:
    opened = await rig.create()
    before = (await opened.call("GetSession")).session.state
    refusal = await rig.refused(opened.call(method, **fields))
    assert refusal.code == "INVALID_ARGUMENT"
    assert field in refusal.fields[0]
    assert (await opened.call("GetSession")).session.state == before


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ({"request_id": "x" * 65}, "control.request_id"),
        ({"playhead_sample": -5}, "control.playhead_sample"),
        ({"exit_source_at": 77}, "control.exit_source_at"),
        ({"also": [control_pb2.Change()]}, "control.also[0]"),
        ({"also": [control_pb2.Change(event="x")] * 33}, "control.also"),
    ],
)
async def test_a_bad_header_is_named(rig: Any, header: dict[str, Any], field: str) -> None:
    opened = await rig.create()
    refusal = await rig.refused(opened.call("SetState", state="combat", control=opened.header(**header)))
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", [field])


@pytest.mark.parametrize("fields", [{"encoding": 99}, {"chunk_ms": 39}, {"chunk_ms": 1001}, {"from_sample": -1}])
async def test_a_bad_stream_request(rig: Any, fields: dict[str, Any]) -> None:
    opened = await rig.create()
    refusal = await rig.refused(opened.hear(1, **fields))
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", [next(iter(fields))])
    assert (await opened.call("GetSession")).session.listeners == 0


@pytest.mark.parametrize("method", ["Play", "Pause", "Stop", "ResetContext", "SetWeightedPrompts"])
@pytest.mark.parametrize(
    ("header", "field"),
    [
        ({"also": [control_pb2.Change(event="enemy_spotted")]}, "control.also"),
        ({"exit_source_at": control_pb2.EXIT_SOURCE_AT_NEXT_BAR}, "control.exit_source_at"),
        ({"exit_source_at": control_pb2.EXIT_SOURCE_AT_IMMEDIATE}, "control.exit_source_at"),
    ],
)
async def test_what_goes_with_steering_only(rig: Any, method: str, header: dict[str, Any], field: str) -> None:
    opened = await rig.create()
    refusal = await rig.refused(opened.call(method, control=opened.header(**header)))
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", [field])
    assert "PostEvent, SetState, SetParameters and PostTrigger" in refusal.message
    session = (await opened.call("GetSession")).session
    assert (session.status, session.state) == (session_pb2.SESSION_STATUS_PLAYING, "explore")


async def test_parameters_have_no_place_but_what_rides_along_has(rig: Any) -> None:
    opened = await rig.create()
    at = control_pb2.EXIT_SOURCE_AT_NEXT_BAR
    refusal = await rig.refused(
        opened.call("SetParameters", parameters=change("danger", 0.5), control=opened.header(exit_source_at=at))
    )
    assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["control.exit_source_at"])
    assert "expected IMMEDIATE" in refusal.message
    for place, also in ((control_pb2.EXIT_SOURCE_AT_IMMEDIATE, []), (at, [control_pb2.Change(event="enemy_spotted")])):
        header = opened.header(exit_source_at=place, also=also)
        assert (await opened.call("SetParameters", parameters=change("danger", 0.5), control=header)).state


async def test_tokens(rig: Any) -> None:
    opened, other = await rig.create(), await rig.create()
    request = pb.GetSessionRequest(session_id=opened.session_id)
    refusal = await rig.refused(rig.live.GetSession(request))
    assert (refusal.code, refusal.reason) == ("UNAUTHENTICATED", "TOKEN_MISSING")
    refusal = await rig.refused(rig.live.GetSession(request, metadata=other.metadata))
    assert (refusal.code, refusal.reason) == ("PERMISSION_DENIED", "TOKEN_WRONG")
    for metadata in (
        opened.metadata,
        (("segue-session-token", opened.token),),
        (("authorization", f"bearer {opened.token}"),),
    ):
        assert (await rig.live.GetSession(request, metadata=metadata)).session.session_id == opened.session_id
    stream = rig.live.StreamAudio(pb.StreamAudioRequest(session_id=opened.session_id), metadata=other.metadata)

    async def first() -> Any:
        return await anext(aiter(stream))

    assert (await rig.refused(first())).code == "PERMISSION_DENIED"
    refusal = await rig.refused(
        rig.live.GetSession(pb.GetSessionRequest(session_id="s-nobody"), metadata=opened.metadata)
    )
    assert refusal.code == "NOT_FOUND"


async def test_a_request_that_is_too_large(start: Any) -> None:
    async with start(max_request_bytes=4096) as rig:
        opened = await rig.create()
        prompts = [pb.WeightedPrompt(audio=b"\0" * 8192, weight=1.0)]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await opened.call("SetWeightedPrompts", prompts=prompts)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_call_whose_session_ends_under_it_is_answered(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without a deadline would else wait for ever."""
    opened = await rig.create()

    async def ends(*_: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(type(rig.session(opened)), "override", ends)
    async with asyncio.timeout(20):
        refusal = await rig.refused(opened.call("SetWeightedPrompts", guidance=2.0))
    assert refusal.code == "CANCELLED"


async def test_a_reset_whose_session_ends_under_it_leaves_no_slot_behind(
    rig: Any, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    """Its fresh slot would play for ever, into the place of whoever comes next."""
    opened, hub = await rig.create(), rig.server.registry.parts.hub
    session = rig.session(opened)
    renew, closed = slot_work.renew, asyncio.Event()

    def ends(device: Any, *rest: Any) -> Any:
        renewed = renew(device, *rest)
        loop.call_soon_threadsafe(lambda: (session.close(stream_pb2.Goodbye()), closed.set()))
        return renewed

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(slot_work, "renew", ends)
    with contextlib.suppress(grpc.aio.AioRpcError):
        await opened.call("ResetContext")
    await closed.wait()
    await wait_until(lambda: rig.engine._table.used == 0)
    assert (hub._place_of == -1).all()
