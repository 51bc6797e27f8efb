# SPDX-License-Identifier: Apache-2.0
"""A client of gRPC-Web that hides nothing: HTTP/1.1 by h11 on a plain socket, frames by hand."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import unquote

import h11
import pytest

from segue.v1 import live_soundtrack_service_pb2 as pb

BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text"


def frame(data: bytes, flags: int = 0) -> bytes:
    return bytes([flags]) + len(data).to_bytes(4, "big") + data


class Response:
    """An answer that is being read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, http: h11.Connection) -> None:
        self.reader, self.writer, self.http = reader, writer, http
        self.status, self.headers = 0, dict[str, str]()
        self.trailers: dict[str, str] = {}
        self.raw = b""

    async def begin(self) -> Response:
        head = await self._next()
        self.status = head.status_code
        self.headers = {key.decode(): value.decode() for key, value in head.headers}
        return self

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes."""
        while isinstance(event := await self._next(), h11.Data):
            self.raw += bytes(event.data)
            yield bytes(event.data)

    async def body(self) -> bytes:
        async for _ in self.pieces():
            pass
        return self.raw

    async def messages(self) -> AsyncIterator[bytes]:
        """Messages as they come; the trailers are there after the last."""
        text, data = b"", b""
        async for piece in self.pieces():
            if self.headers["content-type"].startswith(TEXT):
                text += piece
                whole = len(text) // 4 * 4
                piece = b"".join(base64.b64decode(text[at : at + 4]) for at in range(0, whole, 4))
                text = text[whole:]
            data += piece
            while len(data) >= 5 and len(data) >= (end := 5 + int.from_bytes(data[1:5], "big")):
                payload, flags, data = data[5:end], data[0], data[end:]
                if flags == 0:
                    yield payload
                    continue
                assert flags == 0x80
                lines = payload.decode().removesuffix("\r\n").split("\r\n")
                self.trailers = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        assert data == text == b""

    async def streamed(self) -> AsyncIterator[pb.StreamAudioResponse]:
        async for message in self.messages():
            yield pb.StreamAudioResponse.FromString(message)

    @property
    def code(self) -> int:
        return int(self.trailers["grpc-status"])

    @property
    def message(self) -> str:
        return unquote(self.trailers["grpc-message"])

    @property
    def details(self) -> bytes:
        given = self.trailers["grpc-status-details-bin"]
        return base64.b64decode(given + "=" * (-len(given) % 4))

    def close(self) -> None:
        self.writer.close()

    async def _next(self) -> Any:
        while (event := self.http.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(20):
                self.http.receive_data(await self.reader.read(1 << 16))
        return event


class Web:
    """Calls to one server; `token` of the session, if any."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: list[Response] = []

    async def send(
        self,
        path: str,
        body: bytes = b"",
        *,
        verb: str = "POST",
        kind: str = BINARY,
        again: Response | None = None,
        room: int | None = None,
        **headers: str,
    ) -> Response:
        """A request, on a connection of its own or `again` on that of an answer that is over.

        room: bytes for which the client's side has room. A content_length beyond the body's leaves the request open.
        """
        given = {"host": "x", "content-type": kind, "content-length": str(len(body))}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        is_whole = given["content-length"] == str(len(body))
        if "transfer-encoding" in given:
            del given["content-length"]
        if again is None:
            plain = socket.socket()
            if room is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            plain.setblocking(False)
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", self.port))
            reader, writer = await asyncio.open_connection(sock=plain, limit=room or 1 << 16)
            response = Response(reader, writer, h11.Connection(h11.CLIENT))
        else:
            again.http.start_next_cycle()
            response = Response(again.reader, again.writer, again.http)
        self._open.append(response)
        http = response.http
        out = http.send(h11.Request(method=verb, target=path, headers=list(given.items())))
        out += http.send(h11.Data(data=body))
        response.writer.write(out + (http.send(h11.EndOfMessage()) if is_whole else b""))
        return response

    async def start(self, method: str, request: Any, token: str | None = None, **more: Any) -> Response:
        """A call whose messages are to be read."""
        if token is not None:
            more["authorization"] = f"Bearer {token}"
        body = frame(request.SerializeToString())
        if more.get("kind", BINARY).startswith(TEXT):
            body = base64.b64encode(body)
        service = more.pop("service", "LiveSoundtrackService")
        return await (await self.send(f"/segue.v1.{service}/{method}", body, **more)).begin()

    async def call(
        self, method: str, request: Any, token: str | None = None, **more: Any
    ) -> tuple[Response, list[bytes]]:
        """A whole call."""
        response = await self.start(method, request, token, **more)
        return response, [message async for message in response.messages()]

    async def create(self, **fields: Any) -> pb.CreateSessionResponse:
        request = pb.CreateSessionRequest(**{"soundtrack_id": "dungeon", "seed": 7, **fields})
        _, (message,) = await self.call("CreateSession", request)
        return pb.CreateSessionResponse.FromString(message)

    async def listen(self, created: pb.CreateSessionResponse, *, room: int | None = None, **fields: Any) -> Response:
        request = pb.StreamAudioRequest(session_id=created.session.session_id, **fields)
        return await self.start("StreamAudio", request, created.session_token, room=room)

    async def close(self) -> None:
        for response in self._open:
            response.close()
        for response in self._open:
            with contextlib.suppress(ConnectionError):
                await response.writer.wait_closed()


@pytest.fixture
async def web_of() -> AsyncIterator[Callable[[Any], Web]]:
    """web_of(rig): a client of its server."""
    made: list[Web] = []

    def make(rig: Any) -> Web:
        made.append(Web(rig.server.web_port))
        return made[-1]

    yield make
    for web in made:
        await web.close()
