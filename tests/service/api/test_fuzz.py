# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes and values a client sends: never INTERNAL, never UNKNOWN, and the server goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from segue_service.api.calls import AUTHORING, LIVE, OPERATIONS

METHODS = [method for service in (LIVE, AUTHORING, OPERATIONS) for method in service.methods]
BAD = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
NAMES = st.sampled_from(
    ["", "dungeon", "combat", "enemy_spotted", "danger", "treasure", "boss", "listener-1", "\0", "é" * 70]
)
BOUNDED = settings(deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
KINDS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: NAMES | st.text(max_size=80),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=64),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats() | st.floats(0, 1),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32) | st.floats(0, 1, width=32),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(0, 400),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(0, 10**5),
    FieldDescriptor.TYPE_ENUM: st.integers(-1, 9),
}


@st.composite
def messages(draw: st.DrawFn, descriptor: Any, depth: int = 0) -> Any:
    made = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(made, field.name).update(
                draw(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=3))
            )
            continue
        if not draw(st.booleans()) and field.name not in ("control", "session_id"):
            continue
        if field.message_type is None:
            values = KINDS[field.type]
        elif depth < 3:
            values = messages(field.message_type, depth + 1)
        else:
            continue
        many = field.is_repeated
        for value in draw(st.lists(values, min_size=1, max_size=3)) if many else [draw(values)]:
            if many and field.message_type is not None:
                getattr(made, field.name).add().CopyFrom(value)
            elif many:
                getattr(made, field.name).append(value)
            elif field.message_type is not None:
                getattr(made, field.name).CopyFrom(value)
            else:
                setattr(made, field.name, value)
    return made


async def send(rig: Any, method: Any, data: bytes, metadata: Any) -> grpc.StatusCode:
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            call = rig.channel.unary_stream(path)(data, metadata=metadata)
            await call.read()
            call.cancel()
        else:
            await rig.channel.unary_unary(path)(data, metadata=metadata, timeout=30)
    except grpc.aio.AioRpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_rpc_survives_anything(method: Any, start: Any) -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    context = start(max_sessions=4, grace_ms=1000)
    rig = loop.run_until_complete(context.__aenter__())
    opened = loop.run_until_complete(rig.create(target_lead_ms=200))
    names = {field.name for field in method.input_type.fields}
    ends = method.name == "Drain"

    def check(data: bytes) -> None:
        code = loop.run_until_complete(send(rig, method, data, opened.metadata))
        assert code not in BAD

    @settings(
        max_examples=25, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(st.binary(max_size=200))
    def any_bytes(data: bytes) -> None:
        check(data)

    @settings(
        max_examples=40, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(messages(method.input_type), st.booleans())
    def any_fields(message: Any, ours: bool) -> None:
        if method.name == "CloseSession" and ours:
            return
        if ours and "control" in names:
            message.control.session_id = opened.session_id
        if ours and "session_id" in names:
            message.session_id = opened.session_id
        check(message.SerializeToString())

    try:
        any_bytes()
        any_fields()
        assert loop.run_until_complete(rig.live.GetServerInfo(pb_info())).draining == ends
    finally:
        loop.run_until_complete(context.__aexit__(None, None, None))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


def pb_info() -> Any:
    from segue.v1.live_soundtrack_service_pb2 import GetServerInfoRequest

    return GetServerInfoRequest()
