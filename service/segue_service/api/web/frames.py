# SPDX-License-Identifier: Apache-2.0
"""gRPC-Web's framing (gRPC's PROTOCOL-WEB.md): a byte of flags, 32 bits of length, a payload; trailers come last.

No I/O.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from google.rpc import code_pb2, status_pb2

from segue.v1 import errors_pb2
from segue_service.errors import Refused, invalid

BINARY_TYPES: Final = ("application/grpc-web", "application/grpc-web+proto")
TEXT_TYPES: Final = ("application/grpc-web-text", "application/grpc-web-text+proto")
_HEADER: Final = struct.Struct(">BI")
_TRAILERS: Final = 0x80
_COMPRESSED: Final = 0x01
_TIMEOUT: Final = re.compile(r"(\d{1,8})([HMSmun])", re.ASCII)
_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_QUADS: Final = re.compile(rb"[A-Za-z0-9+/]+={0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wire:
    """How one call's bodies are written: whether request and response are base64."""

    asks_in_text: bool
    answers_in_text: bool

    @property
    def content_type(self) -> str:
        """Of the response."""
        return (TEXT_TYPES if self.answers_in_text else BINARY_TYPES)[1]

    def message(self, data: bytes) -> bytes:
        """A frame with a message."""
        return self._written(_HEADER.pack(0, len(data)) + data)

    def trailers(self, status: status_pb2.Status | None = None) -> bytes:
        """The frame that ends a call; None: it went well."""
        lines = "".join(f"{key}: {value}\r\n" for key, value in _trailers(status).items()).encode()
        return self._written(_HEADER.pack(_TRAILERS, len(lines)) + lines)

    def request(self, body: bytes) -> bytes:
        """The message of a request. Raises Refused unless the body is one whole frame."""
        data = _decoded(body) if self.asks_in_text else body
        if len(data) < _HEADER.size:
            raise invalid("request", f"expected a gRPC-Web frame of at least {_HEADER.size} bytes, got {len(data)}")
        flags, size = _HEADER.unpack_from(data)
        if flags == _COMPRESSED:
            message = "request: expected a frame that is not compressed"
            raise Refused(code_pb2.UNIMPLEMENTED, errors_pb2.ERROR_REASON_INVALID_FIELD, message)
        if flags != 0:
            raise invalid("request", f"expected a frame with flags 0, got {flags}")
        if size != len(data) - _HEADER.size:
            raise invalid("request", f"expected one frame of {size} bytes, got {len(data) - _HEADER.size}")
        return data[_HEADER.size :]

    def longest(self, message: int) -> int:
        """The largest body of a request whose message has so many bytes."""
        framed = message + _HEADER.size
        return 4 * -(-framed // 3) + 4 if self.asks_in_text else framed

    def _written(self, frame: bytes) -> bytes:
        return base64.b64encode(frame) if self.answers_in_text else frame


def wire_of(headers: Mapping[str, str]) -> Wire | None:
    """What a request's headers ask for; None if it is not gRPC-Web with protobuf.

    The answer comes as the request did, unless `accept` names the other encoding.
    """
    given, wanted = _named(headers.get("content-type", "")), _named(headers.get("accept", ""))
    if given not in BINARY_TYPES + TEXT_TYPES:
        return None
    return Wire(given in TEXT_TYPES, (wanted if wanted in BINARY_TYPES + TEXT_TYPES else given) in TEXT_TYPES)


def _named(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def timeout_of(headers: Mapping[str, str]) -> float | None:
    """Seconds that grpc-timeout leaves, if it is there. Raises Refused."""
    given = headers.get("grpc-timeout")
    if given is None:
        return None
    found = _TIMEOUT.fullmatch(given.strip())
    if found is None:
        raise invalid(
            "grpc-timeout", f'expected up to 8 digits and a unit of HMSmun, as in "2500m", got {given[:20]!r}'
        )
    return int(found[1]) * _UNITS[found[2]]


def _trailers(status: status_pb2.Status | None) -> dict[str, str]:
    if status is None:
        return {"grpc-status": "0"}
    details = base64.b64encode(status.SerializeToString()).rstrip(b"=").decode()
    # A trailer is one line of printable ASCII: everything else, and the percent sign, is escaped.
    message = quote(status.message, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return {"grpc-status": str(status.code), "grpc-message": message, "grpc-status-details-bin": details}


def _decoded(text: bytes) -> bytes:
    """Base64 → bytes; each of several pieces may have been padded. Raises Refused."""
    pieces, at = [], 0
    while at < len(text):
        found = _QUADS.match(text, at)
        if found is None or len(found[0]) % 4:
            raise invalid("request", "expected base64, since the content type is application/grpc-web-text")
        try:
            pieces.append(base64.b64decode(found[0], validate=True))
        except binascii.Error:
            raise invalid("request", "expected base64, since the content type is application/grpc-web-text") from None
        at = found.end()
    return b"".join(pieces)
