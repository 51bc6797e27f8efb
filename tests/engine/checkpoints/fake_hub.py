# SPDX-License-Identifier: Apache-2.0
"""A hub on loopback: answers what the hub's client asks for when it lists a repository and fetches files, and fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(ThreadingHTTPServer):
    """Serves a folder as the repository `owner/name`. What a test sets, it does to the next requests."""

    daemon_threads = True

    def __init__(self, folder: Path, repository: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.repository = folder, repository
        self.cut: dict[str, int] = {}
        """path → bytes after which its next answer breaks off."""
        self.down: set[str] = set()
        """Paths that are answered with 500."""
        self.down_after_cut = False
        """Whether a path of which an answer broke off is down from then on."""
        self.lie: dict[str, bytes] = {}
        """path → other bytes of the same length."""
        self.gated = False
        self.asked: list[tuple[str, str]] = []
        """(path, Range header) of every request for a file."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def listing(self) -> dict[str, Any]:
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return {
            "id": self.repository,
            "modelId": self.repository,
            "sha": REVISION,
            "siblings": [self._sibling(path) for path in files],
        }

    def _sibling(self, path: Path) -> dict[str, Any]:
        name, data = path.relative_to(self.folder).as_posix(), path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        sibling: dict[str, Any] = {"rfilename": name, "size": len(data), "blobId": blob}
        if path.suffix in (".safetensors", ".tflite"):
            sibling["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
        return sibling


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        hub, path = self.server, self.path.split("?")[0]
        if hub.gated:
            return self._answer(403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "accept first"})
        if path.startswith(f"/api/models/{hub.repository}"):
            body = json.dumps(hub.listing()).encode()
            return self._answer(200, body, {"Content-Type": "application/json"})
        prefix = f"/{hub.repository}/resolve/{REVISION}/"
        name = path.removeprefix(prefix)
        if not path.startswith(prefix) or not (hub.folder / name).is_file():
            return self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        return self._file(name)

    def _file(self, name: str) -> None:
        hub, wanted = self.server, self.headers.get("Range", "")
        hub.asked.append((name, wanted))
        if name in hub.down:
            return self._answer(500, b"down", {})
        data = hub.lie.get(name, (hub.folder / name).read_bytes())
        begin = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        headers = {"Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"} if wanted else {}
        if name in hub.cut and hub.down_after_cut:
            hub.down.add(name)
        return self._answer(206 if wanted else 200, data[begin:], headers, hub.cut.pop(name, None))

    def _answer(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@contextlib.contextmanager
def serving(folder: Path, repository: str) -> Iterator[FakeHub]:
    """A hub for the length of the block."""
    hub = FakeHub(folder, repository)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()
