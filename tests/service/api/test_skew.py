# SPDX-License-Identifier: Apache-2.0
"""Clients of a later version of the contract: what this server does not know it ignores, or refuses by its name."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import pytest
from google.protobuf.message import Message

from segue.v1 import control_pb2, session_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb

M = TypeVar("M", bound=Message)
LATER = b"\xc2\x3e\x05later\xc8\x3e\x01"
"""Fields 1000, a text, and 1001, a number."""


def later(message: M) -> M:
    """The message as a later version might send it: with fields more in all of its parts."""
    for field, value in list(message.ListFields()):
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for part in value if field.is_repeated else (value,):
                later(part)
    message.MergeFromString(LATER)
    assert LATER in message.SerializeToString()
    return message


async def test_fields_of_later_clients_are_ignored(rig: Any) -> None:
    made = await rig.live.CreateSession(
        later(
            pb.CreateSessionRequest(
                soundtrack_id="dungeon",
                parameters=[control_pb2.ParameterValue(name="danger", value=0.3)],
                guidance=session_pb2.Guidance(style=2.0, notes=1.0, drums=1.0),
                target_lead_ms=500,
            )
        )
    )
    token = (("authorization", f"Bearer {made.session_token}"),)
    header = control_pb2.ControlHeader(
        session_id=made.session.session_id,
        also=[control_pb2.Change(parameters=control_pb2.ParameterChange(values=made.session.parameters))],
    )
    request = later(pb.PostEventRequest(control=header, event="enemy_spotted"))
    outcome = (await rig.live.PostEvent(request, metadata=token)).outcome
    assert outcome.state == "combat"
    stream = rig.live.StreamAudio(later(pb.StreamAudioRequest(session_id=made.session.session_id)), metadata=token)
    listener = (await stream.read()).ready.listener_id
    report = pb.ReportPlaybackRequest(session_id=made.session.session_id, listener_id=listener, round_trip_ms=5)
    assert (await rig.live.ReportPlayback(later(report), metadata=token)).report_every_ms > 0
    stream.cancel()


async def test_values_of_later_clients_are_refused_by_name(rig: Any) -> None:
    opened = await rig.create()
    refused = await rig.refused(opened.stream(encoding=4242).read())
    assert (refused.code, refused.fields) == ("INVALID_ARGUMENT", ["encoding"])
    place = opened.call("PostEvent", event="enemy_spotted", control=opened.header(exit_source_at=4242))
    assert (await rig.refused(place)).fields == ["control.exit_source_at"]
    change = control_pb2.Change()
    change.MergeFromString(LATER)
    unknown = opened.call("PostEvent", event="enemy_spotted", control=opened.header(also=[change]))
    assert (await rig.refused(unknown)).fields == ["control.also[0]"]
    assert (await opened.call("GetSession")).session.state == "explore"


async def test_a_method_of_a_later_version_is_unimplemented(rig: Any) -> None:
    call = rig.channel.unary_unary("/segue.v1.LiveSoundtrackService/PlayBackwards")
    assert (await rig.refused(call(b""))).code == "UNIMPLEMENTED"


@pytest.mark.parametrize("path", ["/segue.v1.LiveSoundtrackService/PlayBackwards", "/segue.v2.Service/Play"])
async def test_nor_is_there_one_by_grpc_web(start: Any, path: str) -> None:
    async with start(web_port=0) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.web_port)
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: 5\r\n"
        writer.write(head.encode() + b"connection: close\r\n\r\n\0\0\0\0\0")
        assert b"grpc-status: 12" in await reader.read()
        writer.close()
