# SPDX-License-Identifier: Apache-2.0
"""A reader of gRPC-Web responses in the fewest words: what SDKs without a library for it have to do."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

LIMIT = 16 << 20
INTERNAL, UNKNOWN, UNAVAILABLE = 13, 2, 14
HTTP_CODES = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}


class BrokenError(Exception):
    """The response is not gRPC-Web's; `code` is what the call ends with."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Reader:
    """Takes a body in pieces; holds the messages so far and, after the last piece, the status."""

    def __init__(self, *, is_text: bool = False) -> None:
        self.messages: list[bytes] = []
        self.code: int | None = None
        self.message = ""
        self._is_text = is_text
        self._text, self._data = b"", b""

    def feed(self, piece: bytes) -> None:
        """Raises BrokenError."""
        if self._is_text:
            self._text += piece
            whole = len(self._text) // 4 * 4
            piece, self._text = _decoded(self._text[:whole]), self._text[whole:]
        self._data += piece
        if self._data and self.code is not None:
            raise BrokenError(INTERNAL, "bytes after the trailers")
        while len(self._data) >= 5:
            flags, size = self._data[0], int.from_bytes(self._data[1:5], "big")
            if flags not in (0x00, 0x80):
                raise BrokenError(INTERNAL, f"a frame with flags {flags}")
            if size > LIMIT:
                raise BrokenError(INTERNAL, f"a frame of {size} bytes")
            if len(self._data) < 5 + size:
                return
            payload, self._data = self._data[5 : 5 + size], self._data[5 + size :]
            if flags == 0:
                self.messages.append(payload)
                continue
            self._end(payload)
            if self._data:
                raise BrokenError(INTERNAL, "bytes after the trailers")

    def close(self) -> None:
        """The body has ended. Raises BrokenError."""
        if self.code is None or self._text:
            raise BrokenError(UNAVAILABLE, "the response ended without trailers")

    def _end(self, payload: bytes) -> None:
        lines = payload.decode("latin-1").splitlines()
        found = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
        status = found.get("grpc-status", "")
        if not (status.isascii() and status.isdigit()):
            raise BrokenError(UNKNOWN, "trailers without a status")
        self.code, self.message = int(status), told(found.get("grpc-message", ""))


def told(message: str) -> str:
    """grpc-message without its escapes."""
    return unquote_to_bytes(message.encode("latin-1")).decode("utf-8", "replace")


def by_head(status: int, headers: dict[str, str]) -> int | None:
    """The code that status line and headers decide by themselves, if they do."""
    if status != 200:
        return HTTP_CODES.get(status, UNKNOWN)
    if "grpc-status" in headers:
        return int(headers["grpc-status"])
    return None if headers.get("content-type", "").startswith("application/grpc-web") else UNKNOWN


def _decoded(text: bytes) -> bytes:
    """Groups of four, any of which may be padded."""
    try:
        return b"".join(base64.b64decode(text[at : at + 4], validate=True) for at in range(0, len(text), 4))
    except binascii.Error as error:
        raise BrokenError(INTERNAL, "text that is not base64") from error
