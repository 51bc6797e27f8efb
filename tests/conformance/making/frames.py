# SPDX-License-Identifier: Apache-2.0
"""frames.json: bodies of gRPC-Web responses, what is in them, and bodies that must be refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from making.plain import frame, text64, trailers
from segue.v1 import audio_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as live

BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text+proto"
_INTERNAL, _UNKNOWN, _UNAVAILABLE = 13, 2, 14


def make() -> dict[str, Any]:
    """The file."""
    return {
        "bodies": list(_bodies()),
        "refused": list(_refused()),
        "http": list(_http()),
        "requests": list(_requests()),
    }


def _messages() -> list[bytes]:
    ready = stream_pb2.SessionReady(listener_id="l-1", first_sample=0)
    ready.session.session_id = "s-1"
    event = stream_pb2.Event(sample=1920, beat=stream_pb2.Beat(beat=1, bpm=120))
    chunk = audio_pb2.AudioChunk(
        take=1, first_sample=1920, sample_count=300, payload=bytes(range(256)) * 4 + bytes(176)
    )
    return [
        live.StreamAudioResponse(ready=ready).SerializeToString(),
        live.StreamAudioResponse(event=event).SerializeToString(),
        live.StreamAudioResponse(audio=chunk).SerializeToString(),
    ]


def _bodies() -> Iterator[dict[str, Any]]:
    several = _messages()
    one = live.PostEventResponse()
    one.outcome.request_id = "r-1"
    unary = one.SerializeToString()
    end = trailers(grpc_status="0")
    yield _body("unary", [unary], end)
    yield _body("unary, an empty message", [b""], end)
    yield _body("a stream of several messages", several, trailers(grpc_status="0", grpc_message=""))
    yield _body("a stream of none", [], end)
    yield _body(
        "messages, then an error", several[:2], trailers(grpc_status="14", grpc_message="going down"), 14, "going down"
    )
    yield _body("only an error", [], trailers(grpc_status="5", grpc_message="no state"), 5, "no state")
    percent = trailers(grpc_status="3", grpc_message="100%25 Gr%C3%B6%C3%9Fe%0Anext")
    yield _body("a message with escapes", [], percent, 3, "100% Größe\nnext")
    broken = trailers(grpc_status="3", grpc_message="half %C3 and %zz and %")
    yield _body("a message with broken escapes is taken as it is", [], broken, 3, None)
    no_space = frame(b"grpc-status:7\r\ngrpc-message:no\r\n", 0x80)
    yield _body("trailers without spaces", [], no_space, 7, "no")
    yield _body("trailers in capitals", [], frame(b"Grpc-Status: 7\r\nGRPC-Message: no\r\n", 0x80), 7, "no")
    yield _body(
        "trailers with \\n and no end of the last line", [], frame(b"grpc-status: 7\ngrpc-message: no", 0x80), 7, "no"
    )
    more = frame(b"x-other: a: b\r\ngrpc-status: 0\r\nx-empty:\r\n", 0x80)
    yield _body("other trailers", [unary], more)
    yield _body("a code of a later version", [], trailers(grpc_status="77"), 77, "")
    yield _body("as text, in one piece", several, end, content_type=TEXT)
    pieces = "".join(text64(frame(message)) for message in several) + text64(end)
    yield {**_body("as text, each frame padded for itself", several, end, content_type=TEXT), "text": pieces}


def _body(
    case: str,
    messages: list[bytes],
    end: bytes,
    code: int = 0,
    message: str | None = "",
    content_type: str = BINARY,
) -> dict[str, Any]:
    whole = b"".join(frame(item) for item in messages) + end
    body = {"text": text64(whole)} if content_type == TEXT else {"hex": whole.hex()}
    expected = {"messages": [item.hex() for item in messages], "code": code, "message": message}
    return {"case": case, "content_type": content_type, **body, "expect": expected}


def _refused() -> Iterator[dict[str, Any]]:
    """`code` is the gRPC code that the call ends with; messages before the fault may have been handed on."""
    good = frame(_messages()[1])
    end = trailers(grpc_status="0")
    internal: dict[str, bytes] = {
        "compressed without having been asked for": frame(b"abc", 0x01) + end,
        "flags that nobody knows": frame(b"abc", 0x02) + end,
        "compressed trailers": good + frame(b"grpc-status: 0\r\n", 0x81),
        "a message after the trailers": good + end + good,
        "trailers twice": good + end + end,
        "bytes after the trailers": good + end + b"\x00",
        "4 GiB announced": b"\x00\xff\xff\xff\xff" + bytes(64),
        "2 GiB announced": b"\x00\x80\x00\x00\x00" + bytes(64),
        "trailers of 2 GiB announced": b"\x80\x7f\xff\xff\xff" + bytes(64),
        "HTML": b"<html><body>502 Bad Gateway</body></html>",
    }
    for case, data in internal.items():
        yield {"case": case, "content_type": BINARY, "hex": data.hex(), "codes": [_INTERNAL, _UNKNOWN]}
    unknown: dict[str, bytes] = {
        "trailers without a status": good + frame(b"grpc-message: hm\r\n", 0x80),
        "a status that is no number": good + frame(b"grpc-status: ok\r\n", 0x80),
        "a negative status": good + frame(b"grpc-status: -1\r\n", 0x80),
        "empty trailers": good + frame(b"", 0x80),
        "a line without a colon, and no status": good + frame(b"\x00\xff\xfe\r\n", 0x80),
    }
    for case, data in unknown.items():
        yield {"case": case, "content_type": BINARY, "hex": data.hex(), "codes": [_UNKNOWN, _INTERNAL]}
    broken: dict[str, bytes] = {
        "nothing": b"",
        "an end without trailers": good,
        "an end inside a header": good + b"\x00\x00",
        "an end inside a message": good + b"\x00\x00\x00\x00\x09abc",
        "an end inside the trailers": good + b"\x80\x00\x00\x00\x10grpc",
    }
    for case, data in broken.items():
        codes = [_UNAVAILABLE, _INTERNAL, _UNKNOWN]
        yield {"case": case, "content_type": BINARY, "hex": data.hex(), "codes": codes}
    for case, text in {"text that is not base64": "AAAA*AAA", "text that ends in a group": "AAAAAAA"}.items():
        yield {"case": case, "content_type": TEXT, "text": text, "codes": [_INTERNAL, _UNKNOWN, _UNAVAILABLE]}


def _http() -> Iterator[dict[str, Any]]:
    """Responses that are judged by status line and headers. gRPC's table of HTTP status codes for what isn't gRPC."""
    headers = {"content-type": BINARY, "grpc-status": "16", "grpc-message": "no token"}
    yield {
        "case": "trailers in the headers",
        "status": 200,
        "headers": headers,
        "hex": "",
        "code": 16,
        "message": "no token",
    }
    table = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 500: 2, 502: 14, 503: 14, 504: 14}
    for status, code in table.items():
        yield {
            "case": f"HTTP {status}",
            "status": status,
            "headers": {"content-type": "text/html"},
            "hex": "",
            "code": code,
        }
    page = b"<html>".hex()
    yield {"case": "a page", "status": 200, "headers": {"content-type": "text/html"}, "hex": page, "code": _UNKNOWN}


def _requests() -> Iterator[dict[str, Any]]:
    """What a client sends: one data frame."""
    request = live.PostEventRequest(event="enemy_spotted")
    request.control.session_id = "s-1"
    for case, message in (("an event", request.SerializeToString()), ("an empty message", b"")):
        whole = frame(message)
        yield {"case": case, "message_hex": message.hex(), "hex": whole.hex(), "text": text64(whole)}
    for seconds, header in ((0.0005, "500u"), (0.25, "250m"), (10, "10000m"), (86_400, "86400000m")):
        yield {"case": f"a deadline of {seconds} s, for example as", "seconds": seconds, "grpc_timeout": header}
