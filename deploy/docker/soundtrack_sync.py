# SPDX-License-Identifier: Apache-2.0
"""Brings soundtracks of a folder into the server of this pod whenever they change there.

A mounted ConfigMap changes all of its files at once, and late: Kubernetes takes up to a minute or two. What the server
refuses it does not keep, and what it has goes on. Only the standard library, so that it stays small beside the server.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import ssl
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote

PATTERNS: Final = ("*.soundtrack.yaml", "*.soundtrack.json")
UPLOAD: Final = "/segue.v1.SoundtrackAuthoringService/UploadSoundtrack"
TEXT_FIELD, REPLACE_FIELD = 1, 3
"""Numbers of UploadSoundtrackRequest's fields."""
UNAVAILABLE: Final = 14
TRAILERS: Final = 0x80


class RefusedError(Exception):
    """The server does not take the text; the message says why."""


class AwayError(Exception):
    """The server can't be asked now."""


def digests(folder: Path) -> dict[Path, str]:
    """SHA-256 of every soundtrack in the folder."""
    files = sorted(path for pattern in PATTERNS for path in folder.glob(pattern))
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def changed(before: Mapping[Path, str], after: Mapping[Path, str]) -> list[Path]:
    """Files that are new or different."""
    return [path for path, digest in after.items() if before.get(path) != digest]


def upload_request(text: str) -> bytes:
    """An UploadSoundtrackRequest with `replace`, as one gRPC-Web frame."""
    data, length = text.encode(), b""
    rest = len(data)
    while rest >= 0x80:
        length, rest = length + bytes([rest & 0x7F | 0x80]), rest >> 7
    message = bytes([TEXT_FIELD << 3 | 2]) + length + bytes([rest]) + data + bytes([REPLACE_FIELD << 3, 1])
    return struct.pack(">BI", 0, len(message)) + message


def status_of(headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
    """gRPC's code and message: of the headers where there are no trailers. (UNAVAILABLE, …) where there is neither."""
    found = {name.lower(): value for name, value in headers.items()}
    while len(body) >= 5:
        flags, length = struct.unpack(">BI", body[:5])
        frame, body = body[5 : 5 + length], body[5 + length :]
        if flags & TRAILERS:
            lines = (line.partition(":") for line in frame.decode("latin-1").split("\r\n"))
            found |= {name.strip().lower(): value.strip() for name, _, value in lines}
    if not found.get("grpc-status", "").isdigit():
        return UNAVAILABLE, "no gRPC answer"
    return int(found["grpc-status"]), unquote(found.get("grpc-message", ""))


class Uploader:
    """Uploads texts to the gRPC-Web port of a server on this machine, with the operator's token."""

    def __init__(self, port: int, token_file: Path, tls: Path | None) -> None:
        self._port, self._token_file, self._tls = port, token_file, tls

    def upload(self, text: str) -> None:
        """Raises RefusedError, AwayError."""
        token = self._token_file.read_text(encoding="utf-8").strip()  # it may have been rotated
        headers = {"content-type": "application/grpc-web+proto", "authorization": f"Bearer {token}"}
        try:
            connection = self._connection()
            connection.request("POST", UPLOAD, upload_request(text), headers)
            answer = connection.getresponse()
            code, message = status_of(dict(answer.getheaders()), answer.read())
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise AwayError(repr(error)) from None
        if code == UNAVAILABLE:
            raise AwayError(message)
        if code:
            raise RefusedError(f"{message} (gRPC code {code})")

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is this pod's own
        context.load_cert_chain(self._tls / "tls.crt", self._tls / "tls.key")
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60, context=context)


def look(folder: Path, known: dict[Path, str], uploader: Uploader) -> None:
    """Upload what has changed since `known`, and note in it what needs no other try."""
    now = digests(folder)
    for path in changed(known, now):
        try:
            uploader.upload(path.read_text(encoding="utf-8"))
        except AwayError as error:
            print(f"{path.name}: the server is away, later again: {error}", flush=True)
            continue
        except (RefusedError, ValueError) as error:
            print(f"{path.name}: refused, the server keeps what it has: {error}", file=sys.stderr, flush=True)
        else:
            print(f"{path.name}: new sessions play it", flush=True)
        known[path] = now[path]


def main() -> None:
    """Look until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--token-file", type=Path, required=True, help="holds the operator's token")
    parser.add_argument("--port", type=int, default=7471, help="the server's port of gRPC-Web")
    parser.add_argument("--tls", type=Path, help="the port speaks TLS; folder of tls.crt and tls.key to show")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between looks")
    options = parser.parse_args()
    uploader = Uploader(options.port, options.token_file, options.tls)
    known = digests(options.folder)  # the server has read these itself
    while True:
        time.sleep(options.every)
        look(options.folder, known, uploader)


if __name__ == "__main__":
    main()
