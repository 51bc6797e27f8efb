# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what to which session, and what came of it, as JSON lines. No secrets, no whole prompts.

Lines are written by a thread of their own: neither a slow disk nor a full one stands in the way of the music.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.security.buckets import Bucket

_WAITING: Final = 10_000
_DETAIL: Final = 200
_REFUSALS: Final = (50.0, 500.0)
"""Lines of refusals a second, and at once: whoever knocks with wrong keys does not fill the disk."""
_log = logger("audit")


class Audit:
    """Writes to a file that is opened anew when it has been renamed or removed, as logrotate does. path None: nowhere.
    `note` may be called from any thread. Raises OSError on construction if the file can't be opened."""

    def __init__(self, path: Path | None, metrics: Metrics) -> None:
        self._path, self._metrics = path, metrics
        self._lines: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._knocks = Bucket()
        self._file: int | None = None
        self._torn = self._failing = False
        self._thread: threading.Thread | None = None
        if path is not None:
            self._file = _open(path)
            self._thread = threading.Thread(target=self._write_all, name="segue-audit", daemon=True)
            self._thread.start()

    def note(
        self,
        action: str,
        outcome: str = "ok",
        *,
        tenant: str = "",
        key: str = "",
        peer: str = "",
        session: str = "",
        soundtrack: str = "",
        detail: str = "",
    ) -> None:
        """One line. outcome: "ok", or the reason of a refusal; what is empty is left out."""
        if self._thread is None:
            return
        if outcome != "ok" and self._knocks.take(*_REFUSALS) > 0.0:
            self._metrics.audit_lost.labels("flood").inc()
            return
        said = {"action": action, "outcome": outcome, "tenant": tenant, "key": key, "peer": peer, "session": session}
        said |= {"soundtrack": soundtrack, "detail": detail}
        told = {name: value[:_DETAIL] for name, value in said.items() if value}
        line = json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **told}, ensure_ascii=True)
        try:
            self._lines.put_nowait(line.encode() + b"\n")
        except queue.Full:
            self._metrics.audit_lost.labels("slow").inc()

    def close(self) -> None:
        """Write what waits, for at most some seconds, and close the file. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            try:
                self._lines.put(None, timeout=2.0)
            except queue.Full:
                return
            thread.join(5.0)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(line)
                self._failing = False
            except OSError as error:
                self._metrics.audit_lost.labels("disk").inc()
                if not self._failing:
                    self._failing = True
                    _log.error("the audit log can't be written; lines are lost until it can", error=str(error))
        if self._file is not None:
            os.close(self._file)

    def _write(self, line: bytes) -> None:
        self._follow()
        assert self._file is not None
        whole = b"\n" + line if self._torn else line
        written = os.write(self._file, whole)
        self._torn = written < len(whole)
        if self._torn:
            raise OSError("a line was written in part")

    def _follow(self) -> None:
        """Open the file anew if what its name stands for is another one."""
        assert self._path is not None
        if self._file is not None:
            try:
                there, mine = self._path.stat(), os.fstat(self._file)
                if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
                    return
            except FileNotFoundError:
                pass
            os.close(self._file)
            self._file = None
        self._file = _open(self._path)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
