# SPDX-License-Identifier: Apache-2.0
"""Messages as plain JSON values, and the few wire words that vectors are put together of."""

from __future__ import annotations

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message


def fields_of(message: Message) -> dict[str, Any]:
    """The fields that are there, by name: int64 as strings, enums as numbers, bytes in base64."""
    found = MessageToDict(message, preserving_proto_field_name=True, use_integers_for_enums=True)
    ordered: dict[str, Any] = json.loads(json.dumps(found, sort_keys=True))  # a map's own order is any
    return ordered


def varint(value: int) -> bytes:
    """Base 128, least significant group first."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def frame(payload: bytes, flags: int = 0) -> bytes:
    """A gRPC-Web frame: flags, length (32 bits, big-endian), payload."""
    return bytes([flags]) + len(payload).to_bytes(4, "big") + payload


def trailers(**fields: str) -> bytes:
    """A trailer frame: lines as in HTTP/1.1; underscores in names stand for hyphens."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return frame(lines.encode(), 0x80)


def text64(data: bytes) -> str:
    """Base64 with padding."""
    return base64.b64encode(data).decode()
