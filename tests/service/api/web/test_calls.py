# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web: single calls, their refusals, what is no call at all, and which pages may call."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from google.rpc import error_details_pb2, status_pb2

from segue.v1 import errors_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import operations_service_pb2 as operations
from segue_service.api.web.origins import Origins
from segue_service.config import Settings

BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"
INFO = "/segue.v1.LiveSoundtrackService/GetServerInfo"
EMPTY = bytes(5)


@pytest.fixture
async def rig(start: Any) -> Any:
    async with start(web_port=0) as made:
        yield made


async def test_a_call_is_answered_in_the_encoding_that_it_came_in(rig: Any, web_of: Any) -> None:
    web, wanted = web_of(rig), (await rig.live.GetServerInfo(pb.GetServerInfoRequest())).SerializeToString()
    for kind in ("application/grpc-web", BINARY, "application/grpc-web-text", TEXT + "; charset=utf-8"):
        response, messages = await web.call("GetServerInfo", pb.GetServerInfoRequest(), kind=kind)
        assert (response.status, response.trailers, messages) == (200, {"grpc-status": "0"}, [wanted])
        assert response.headers["content-type"] == (TEXT if "text" in kind else BINARY)
        assert "content-encoding" not in response.headers
    response, messages = await web.call("GetServerInfo", pb.GetServerInfoRequest(), kind=TEXT, accept=BINARY)
    assert (response.headers["content-type"], messages) == (BINARY, [wanted])
    response, messages = await web.call("GetServerInfo", pb.GetServerInfoRequest(), accept=TEXT)
    assert (response.headers["content-type"], messages) == (TEXT, [wanted])


async def test_calls_share_a_connection(rig: Any, web_of: Any) -> None:
    web = web_of(rig)
    first, _ = await web.call("GetServerInfo", pb.GetServerInfoRequest())
    again, (message,) = await web.call("GetServerInfo", pb.GetServerInfoRequest(), again=first)
    assert again.writer is first.writer
    assert pb.GetServerInfoResponse.FromString(message).ready


async def test_a_refusal_has_its_details_and_is_counted(rig: Any, web_of: Any) -> None:
    response, messages = await web_of(rig).call("CreateSession", pb.CreateSessionRequest(soundtrack_id="dungeöon"))
    assert (response.status, response.code, messages) == (200, 5, [])
    assert response.message == 'no soundtrack "dungeöon". Did you mean "dungeon"?'
    status, info, unknown = status_pb2.Status.FromString(response.details), error_details_pb2.ErrorInfo(), None
    assert (status.code, status.message) == (5, response.message)
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("UNKNOWN_SOUNDTRACK", "segue")
    unknown = errors_pb2.UnknownName()
    assert status.details[1].Unpack(unknown)
    assert list(unknown.near_misses) == ["dungeon"]
    refused = rig.server.metrics.refused.labels("CreateSession", "not_found", "unknown_soundtrack")
    assert refused._value.get() == 1


async def test_tokens_come_as_metadata(rig: Any, web_of: Any) -> None:
    web = web_of(rig)
    created = await web.create()
    asked = pb.GetSessionRequest(session_id=created.session.session_id)
    for headers in (
        {"authorization": f"Bearer {created.session_token}"},
        {"segue_session_token": created.session_token},
    ):
        _, (message,) = await web.call("GetSession", asked, **headers)
        assert pb.GetSessionResponse.FromString(message).session.soundtrack_id == "dungeon"
    assert (await web.call("GetSession", asked))[0].code == 16
    assert (await web.call("GetSession", asked, "another"))[0].code == 7


async def test_operations_need_their_token(start: Any, web_of: Any) -> None:
    async with start(web_port=0, operator_token="o" * 32) as rig:
        web, asked = web_of(rig), operations.ListSessionsRequest()
        for token, code in ((None, 16), ("wrong", 7), ("o" * 32, 0)):
            response, _ = await web.call("ListSessions", asked, token, service="OperationsService")
            assert response.code == code


async def test_a_body_that_is_no_frame_is_refused(rig: Any, web_of: Any) -> None:
    web = web_of(rig)
    for body, code, said in (
        (b"", 3, "at least 5 bytes"),
        (b"\0\0\0", 3, "at least 5 bytes"),
        (b"\0\0\0\0\x09abc", 3, "one frame of 9 bytes, got 3"),
        (EMPTY + EMPTY, 3, "one frame of 0 bytes, got 5"),
        (b"\x80\0\0\0\0", 3, "flags 0, got 128"),
        (b"\x01\0\0\0\0", 12, "not compressed"),
        (b"\0\xff\xff\xff\xff", 3, "one frame of 4294967295 bytes"),
        (b"\0\0\0\0\x01\x0f", 3, "segue.v1.GetServerInfoRequest, got other bytes"),
    ):
        response = await (await web.send(INFO, body)).begin()
        assert [message async for message in response.messages()] == []
        assert (response.status, response.code) == (200, code)
        assert said in response.message


async def test_text_may_be_padded_in_pieces_but_not_be_broken(rig: Any, web_of: Any) -> None:
    web, whole = web_of(rig), base64.b64encode(bytes(4)) + base64.b64encode(bytes(1))
    for body, code in ((whole, 0), (b"AAAAA*==", 3), (b"AAAAAAA", 3), (b"AAAA\r\nAAA=", 3), (b"====", 3)):
        response = await (await web.send(INFO, body, kind=TEXT)).begin()
        assert len([message async for message in response.messages()]) == (code == 0)
        assert response.code == code


async def test_what_is_too_large_is_refused_before_it_is_read(start: Any, web_of: Any) -> None:
    async with start(web_port=0, max_request_bytes=1 << 10) as rig:
        web = web_of(rig)
        announced = await (await web.send(INFO, content_length=str(1 << 30), expect="100-continue")).begin()
        assert [message async for message in announced.messages()] == []
        assert (announced.code, "at most 1024 bytes" in announced.message) == (8, True)
        chunked = await web.send(INFO, bytes(2 << 10), transfer_encoding="chunked")
        await chunked.begin()
        assert [message async for message in chunked.messages()] == []
        assert chunked.code == 8
        fits = pb.GetSessionRequest(session_id="x" * 1000)
        assert (await web.call("GetSession", fits))[0].code == 3


async def test_a_deadline_that_is_none_is_refused(rig: Any, web_of: Any) -> None:
    web = web_of(rig)
    for given in ("", "5", "m", "123456789m", "-1S", "1.5S", "1 S", "٣S"):
        response = await (await web.send(INFO, EMPTY, grpc_timeout=given.encode())).begin()
        assert [message async for message in response.messages()] == []
        assert (response.code, response.message[:12]) == (3, "grpc-timeout"), given


async def test_what_is_no_call(rig: Any, web_of: Any) -> None:
    web = web_of(rig)
    for path, verb, kind, status in (
        ("/healthz", "GET", BINARY, 200),
        (INFO, "GET", BINARY, 405),
        (INFO, "PUT", BINARY, 405),
        (INFO, "OPTIONS", BINARY, 405),
        (INFO, "POST", "application/json", 415),
        (INFO, "POST", "application/grpc+proto", 415),
    ):
        response = await (await web.send(path, EMPTY, verb=verb, kind=kind)).begin()
        assert response.status == status, (path, verb, kind)
        assert await response.body()
    nowhere = await (await web.send("/segue.v1.LiveSoundtrackService/Nope", EMPTY)).begin()
    assert [message async for message in nowhere.messages()] == []
    assert (nowhere.code, nowhere.message) == (12, "no method /segue.v1.LiveSoundtrackService/Nope")


@pytest.mark.parametrize(
    ("listed", "may", "may_not"),
    [
        (
            None,
            ("http://localhost:8080", "http://127.0.0.1", "https://[::1]:9"),
            ("http://localhost.evil.example", "https://game.example", "null", "file://", "http://["),
        ),
        (
            ("https://game.example",),
            ("https://game.example",),
            ("http://game.example", "https://game.example:8443", "http://localhost:8080"),
        ),
        (("*",), ("https://any.example", "null"), ()),
        ((), (), ("http://localhost:8080",)),
    ],
)
async def test_pages_may_call_where_they_are_allowed(
    start: Any, web_of: Any, listed: Any, may: tuple[str, ...], may_not: tuple[str, ...]
) -> None:
    async with start(web_port=0, web_origins=listed) as rig:
        web, asking = web_of(rig), {"access_control_request_method": "POST"}
        for origin in (*may, *may_not):
            first = await (await web.send(INFO, verb="OPTIONS", origin=origin, **asking)).begin()
            response = await (await web.send(INFO, EMPTY, origin=origin)).begin()
            is_allowed = origin in may
            assert (first.status, response.status) == ((204, 200) if is_allowed else (403, 403)), origin
            for answer in (first, response):
                assert answer.headers.get("access-control-allow-origin") == (origin if is_allowed else None)
            if is_allowed:
                asked = set(first.headers["access-control-allow-headers"].split(","))
                assert {"authorization", "segue-session-token", "content-type", "grpc-timeout", "x-grpc-web"} <= asked
                assert "grpc-status" in response.headers["access-control-expose-headers"]
            else:
                assert "web_origins" in (await response.body()).decode()


async def test_a_head_with_something_else_behind_it_is_no_fault(rig: Any, caplog: Any) -> None:
    """uvicorn answers what is no HTTP by itself, though it has begun to serve the request before."""
    for kind, waits in (("text/plain", False), (BINARY, False), ("text/plain", True)):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.web_port)
        head = f"POST {INFO} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        writer.write(head.encode())
        if waits:  # until the answer is out
            await reader.readuntil(b"\r\n\r\n")
        writer.write(b"no length\r\n")
        rest = await reader.read()
        assert waits or rest.startswith(b"HTTP/1.1 400")
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(0.05)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_server_that_others_reach_lets_no_page_call_unless_told() -> None:
    assert not Origins(Settings(host="0.0.0.0")).allows("http://localhost:8080")
    assert not Origins(Settings(web_host="0.0.0.0", web_port=0)).allows("http://localhost:8080")
    assert Origins(Settings(host="0.0.0.0", web_host="127.0.0.1", web_port=0)).allows("http://localhost:8080")
    assert not Settings(web_host="0.0.0.0", web_port=0).is_loopback  # so that operations are closed
    with pytest.raises(ValueError, match=r"expected .* https://game.example, got 'game.example'"):
        Settings(web_origins=("game.example",))
