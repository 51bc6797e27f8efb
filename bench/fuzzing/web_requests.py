# SPDX-License-Identifier: Apache-2.0
"""Requests of gRPC-Web as bytes: frames that are torn or lie, HTTP that is odd, and responses read back."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import h11

from fuzzing.chance import Chance

Headers = list[tuple[str, str]]
BINARY: Final = "application/grpc-web+proto"
TEXT: Final = "application/grpc-web-text"
_LENGTHS: Final = (0, 1, 4, 2**31 - 1, 2**31, 2**32 - 1, 1 << 22, (1 << 22) + 1)
_TIMEOUTS: Final = ("1n", "0S", "5m", "99999999H", "100000000S", "-1S", "1", "S", "1 S", "١S", "", "1e3m", "9" * 400)
_TYPES: Final = (
    *("application/grpc", "application/json", "", BINARY + "; charset=utf-8", "APPLICATION/GRPC-WEB", TEXT + "+proto"),
    *("application/grpc-web+thrift", "application/grpc-web-text;", "a" * 4000),
)
_ODD: Final[tuple[tuple[str, str], ...]] = (
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "gzip, chunked"),
    ("transfer-encoding", "identity"),
    ("content-length", "-1"),
    ("content-length", "+5"),
    ("content-length", "5, 5"),
    ("content-length", "9" * 30),
    ("content-length", "9" * 5000),
    ("content-length", "٥"),
    ("expect", "100-continue"),
    ("connection", "close"),
    ("connection", "upgrade"),
    ("upgrade", "h2c"),
    ("upgrade", "websocket"),
    ("host", "another"),
    ("origin", "null"),
    ("origin", "https://game.example"),
    ("origin", "http://localhost:3000"),
    ("origin", "é" * 300),
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "x-a, " * 500),
    ("content-encoding", "gzip"),
    ("grpc-encoding", "gzip"),
    ("x-any", "a\tb"),
    ("cookie", "c" * 9000),
)


def frame(data: bytes, flags: int = 0, length: int | None = None) -> bytes:
    """A frame, whose length may be a lie."""
    return bytes([flags]) + (len(data) if length is None else length).to_bytes(4, "big") + data


def frames(chance: Chance, data: bytes) -> bytes:
    """A request's body that is wrong somewhere, mostly."""
    match chance.randrange(7):
        case 0:
            return frame(data, chance.of(1, 2, 0x7F, 0x80, 0x81, 0xFF))
        case 1:
            return frame(data, 0, chance.choice(_LENGTHS))
        case 2:
            return frame(data) + frame(data)
        case 3:
            return frame(data) + frame(b"grpc-status: 0\r\n" * chance.size(40), 0x80)
        case 4:
            return frame(data)[: chance.size(5 + len(data))]
        case 5:
            return frame(data, 0, max(0, len(data) + chance.of(-1, 1)))
    return chance.noise(20_000)


def in_text(chance: Chance, data: bytes) -> bytes:
    """As base64: in one piece, in several that are padded each, or broken."""
    match chance.randrange(4):
        case 0:
            cut = chance.size(len(data))
            return base64.b64encode(data[:cut]) + base64.b64encode(data[cut:])
        case 1:
            return chance.mangled(base64.b64encode(data))
        case 2:
            return base64.urlsafe_b64encode(data).rstrip(b"=")
    return base64.b64encode(data)


def odd_headers(chance: Chance, headers: Headers) -> Headers:
    """More of them, twice, other types and times."""
    found = list(headers)
    for _ in range(chance.randrange(1, 4)):
        match chance.randrange(6):
            case 0:
                found = [(key, chance.choice(_TYPES) if key == "content-type" else value) for key, value in found]
            case 1:
                found.append(("grpc-timeout", chance.choice(_TIMEOUTS)))
            case 2:
                found.append((f"x-{chance.size(99)}", chance.text(300).replace("\n", " ").replace("\r", " ")))
            case 3 if found:
                found.insert(chance.randrange(len(found) + 1), chance.choice(found))
            case 4:
                found += [(f"x-{place}", "v" * chance.size(200)) for place in range(chance.of(10, 100, 1_000))]
            case _:
                found.append(chance.choice(_ODD))
    return found


def request(verb: str, path: str, headers: Headers, body: bytes, chunks: Sequence[int] | None = None) -> bytes:
    """The bytes of a request; with `chunks`, its body in chunks of these sizes."""
    head = [f"{verb} {path} HTTP/1.1", "host: 127.0.0.1", *(f"{key}: {value}" for key, value in headers)]
    if chunks is not None:
        pieces, at = b"", 0
        for size in [*chunks, len(body)]:
            piece = body[at : at + max(1, size)]
            at += len(piece)
            pieces += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        head.append("transfer-encoding: chunked")
        body = pieces + b"0\r\n\r\n"
    elif not any(key == "content-length" for key, _ in headers):
        head.append(f"content-length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("utf-8") + body


@dataclass(slots=True)
class Response:
    """What came back. is_whole: up to its end."""

    status: int
    content_type: str
    body: bytes = b""
    is_whole: bool = False

    @property
    def grpc_status(self) -> int | None:
        """Of its trailers, None if there are none yet."""
        data = self.body
        if self.content_type.startswith(TEXT):
            usable = data[: len(data) // 4 * 4]
            data = b"".join(base64.b64decode(usable[at : at + 4]) for at in range(0, len(usable), 4))
        while len(data) >= 5:
            end = 5 + int.from_bytes(data[1:5], "big")
            if data[0] == 0x80:
                for line in data[5:end].decode("latin-1").split("\r\n"):
                    key, _, value = line.partition(":")
                    if key == "grpc-status":
                        return int(value)
            data = data[end:]
        return None


class Reader:
    """Bytes of a connection → responses, one after the other."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.is_broken = False
        self._http = self._fresh()

    def feed(self, data: bytes) -> None:
        """Take in what has come; an empty piece is the end. What is no HTTP is let go."""
        try:
            self._http.receive_data(data)
            while True:
                event = self._http.next_event()
                if isinstance(event, h11.Response):
                    headers = {key.decode(): value.decode("latin-1") for key, value in event.headers}
                    self.responses.append(Response(event.status_code, headers.get("content-type", "")))
                elif isinstance(event, h11.Data):
                    self.responses[-1].body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self.responses[-1].is_whole = True
                    if self._http.their_state is not h11.DONE:
                        return
                    rest = self._http.trailing_data[0]
                    self._http = self._fresh()
                    self._http.receive_data(rest) if rest else None
                elif event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                    return
        except h11.RemoteProtocolError:
            self.is_broken = True

    @staticmethod
    def _fresh() -> h11.Connection:
        http = h11.Connection(h11.CLIENT)
        http.send(h11.Request(method="POST", target="/", headers=[("host", "x")]))
        http.send(h11.EndOfMessage())
        return http
