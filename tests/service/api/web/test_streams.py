# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web: streams come as they are made, end as they should, and cost nothing when their client is gone or asleep."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import h11
import pytest

from segue.v1 import audio_pb2, control_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_service.api.web import app, serving
from segue_service.api.web.serving import UNSENT, _tune


@pytest.fixture
async def rig(start: Any) -> Any:
    async with start(web_port=0) as made:
        yield made


@pytest.fixture(autouse=True)
def _uvicorn_has_nothing_to_say(caplog: Any) -> Any:
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.name.startswith("uvicorn")] == []


def session_of(rig: Any, created: pb.CreateSessionResponse) -> Any:
    return rig.server.registry.get(created.session.session_id, created.session_token)


async def test_messages_come_when_they_are_made(rig: Any, web_of: Any) -> None:
    """While the session is paused there is nothing but the beginning; the rest follows what other calls set off."""
    web = web_of(rig)
    created = await web.create(paused=True)
    control = control_pb2.ControlHeader(session_id=created.session.session_id)
    stream = (await web.listen(created, without_clock=True)).streamed()
    assert (await anext(stream)).ready.session.session_id == created.session.session_id
    response, _ = await web.call("Play", pb.PlayRequest(control=control), created.session_token)
    assert response.code == 0
    audio, events = [], []
    posted = False
    async for message in stream:
        if message.HasField("audio"):
            audio.append(message.audio)
        if message.HasField("event"):
            events.append(message.event.WhichOneof("detail"))
        if len(audio) == 6 and not posted:
            request = pb.PostEventRequest(event="enemy_spotted", control=control)
            response, (reply,) = await web.call("PostEvent", request, created.session_token)
            assert pb.PostEventResponse.FromString(reply).outcome.audible_at_sample > 0
            posted = True
        if "transition_started" in events:
            break
    assert [chunk.first_sample for chunk in audio[:3]] == [0, 1920, 3840]
    assert len(audio) >= 6


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text"])
async def test_it_sounds_as_by_native_grpc(rig: Any, web_of: Any, kind: str) -> None:
    opened = await rig.create()
    heard, _ = await opened.hear(20 * 1920)
    request = pb.StreamAudioRequest(session_id=opened.session_id, from_sample=0)
    response = await web_of(rig).start("StreamAudio", request, opened.token, kind=kind)
    pcm = b""
    async for message in response.streamed():
        pcm += message.audio.payload
        if len(pcm) >= len(heard):
            break
    assert pcm[: len(heard)] == heard


async def test_a_stream_that_is_stopped_ends_with_goodbye_and_trailers(rig: Any, web_of: Any) -> None:
    web = web_of(rig)
    created = await web.create()
    response = await web.listen(created)
    messages = []
    async for message in response.streamed():
        messages.append(message)
        if len(messages) == 5:
            request = pb.StopRequest(control=control_pb2.ControlHeader(session_id=created.session.session_id))
            await web.call("Stop", request, created.session_token)
    assert messages[-1].goodbye.reason == stream_pb2.Goodbye.REASON_STOPPED
    assert response.code == 0


async def test_a_deadline_ends_a_stream(rig: Any, web_of: Any) -> None:
    web = web_of(rig)
    created = await web.create(paused=True)
    request = pb.StreamAudioRequest(session_id=created.session.session_id)
    response, messages = await web.call("StreamAudio", request, created.session_token, grpc_timeout="200m")
    assert response.code == 4
    kinds = {pb.StreamAudioResponse.FromString(message).WhichOneof("message") for message in messages}
    assert kinds == {"ready", "warning"}
    assert session_of(rig, created).listeners == 0
    response, _ = await web.call("StreamAudio", request, created.session_token, grpc_timeout="0n")
    assert response.code == 4


async def test_a_client_that_vanishes_leaves_no_listener(rig: Any, web_of: Any, wait_until: Any) -> None:
    web = web_of(rig)
    for paused in (True, False):
        created = await web.create(paused=paused)
        session, response = session_of(rig, created), await web.listen(created)
        await anext(response.messages())
        assert session.listeners == 1
        response.close()
        await wait_until(lambda: session.listeners == 0)  # noqa: B023


async def test_a_client_that_does_not_read_is_cut_off(start: Any, web_of: Any, wait_until: Any) -> None:
    """What it can still read is what fits between the two, not what was made meanwhile."""
    async with start(web_port=0, listener_lag_ms=200, default_lead_ms=100) as rig:
        web = web_of(rig)
        created = await web.create()
        session = session_of(rig, created)
        response = await web.listen(created, room=4096, encoding=audio_pb2.AUDIO_ENCODING_F32)
        await wait_until(lambda: session.listeners == 1)
        response.writer.transport.pause_reading()
        await wait_until(lambda: session.listeners == 0)
        made = session.head_sample
        await asyncio.sleep(0)
        response.writer.transport.resume_reading()
        with pytest.raises((h11.RemoteProtocolError, ConnectionError)):
            await response.body()
        assert len(response.raw) < 6 * UNSENT
        assert made * 8 > len(response.raw)


async def test_a_server_that_goes_down_says_goodbye_and_waits_for_nobody(start: Any, web_of: Any) -> None:
    async with start(web_port=0, drain_ms=300, goodbye_ms=100) as rig:
        web = web_of(rig)
        created, idle = await web.create(), await web.create(paused=True)
        listening, waiting = await web.listen(created), await web.listen(idle)
        asleep = await web.listen(created, room=4096, encoding=audio_pb2.AUDIO_ENCODING_F32)
        asleep.writer.transport.pause_reading()
        half = await web.send("/segue.v1.LiveSoundtrackService/GetServerInfo", b"", content_length="5")
        port = rig.server.web_port
        reading = [asyncio.create_task(collect(response)) for response in (listening, waiting)]
    for messages in await asyncio.gather(*reading):
        assert messages[-1].goodbye.reason == stream_pb2.Goodbye.REASON_DRAINING
    assert (listening.code, waiting.code) == (0, 0)
    assert await half.reader.read() == b""
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


async def test_who_does_not_finish_a_request_is_dropped(rig: Any, web_of: Any, monkeypatch: Any) -> None:
    """A connection's beginning, a head, a body; but not a stream, and not a connection between two calls."""
    monkeypatch.setattr(serving, "_HEADER_SECONDS", 0.1)
    monkeypatch.setattr(app, "_BODY_SECONDS", 0.1)
    web = web_of(rig)
    info, asked = "/segue.v1.LiveSoundtrackService/GetServerInfo", pb.GetServerInfoRequest()
    listening = asyncio.create_task(collect(await web.listen(await web.create())))
    between, _ = await web.call("GetServerInfo", asked)
    for begun in (b"", b"POST / HTTP/1.1\r\nhost: x\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.web_port)
        writer.write(begun)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
    half = await web.send(info, b"\0\0", content_length="5")
    with contextlib.suppress(ConnectionError):
        assert await half.reader.read() == b""
    again, _ = await web.call("GetServerInfo", asked, again=between)
    assert again.code == 0
    assert not listening.done()
    listening.cancel()


async def collect(response: Any) -> list[pb.StreamAudioResponse]:
    return [message async for message in response.streamed()]


def test_nothing_waits_for_a_fuller_packet() -> None:
    with socket.socket() as connection:
        _tune(connection)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT
