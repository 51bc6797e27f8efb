# SPDX-License-Identifier: Apache-2.0
"""The session event log: one file of JSON lines per session, from which `segue render --replay` makes its audio again.

Whoever tells something only puts it into a queue; one thread writes. The queue is bounded: what does not fit is lost,
and the logs say so, but nobody's audio ever waits for a disk.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from segue_engine.contract import FRAME_RATE, SlotHandle
from segue_engine.journal import Began, Ended, Entry, Handed, Record, Stepped, WentBack
from segue_service.observe.log import logger
from segue_service.observe.log_lines import Heard, Line, crc_of, line_of

FORMAT: Final = 1
_MOST: Final = 20_000
"""Entries that may wait."""
_MOST_BLOCKS: Final = 50
"""Of them, steps' audio, which is large: two seconds' worth."""
_PAUSE: Final = 0.05
_FLUSH: Final = 1.0
_LONGEST: Final = 256
"""Bytes of a request that are written out; longer ones are recordings."""
_log = logger("session log")


class SessionLogs:
    """The logs of a server that keeps none."""

    def begin(self, place: int, facts: Mapping[str, Any]) -> None:
        """A session begins at a place; facts are its first line. Event loop, as all but `journal`."""

    def bind(self, place: int, slot: SlotHandle, offset: int, floor: int) -> None:
        """From now on this slot feeds the place: frame f is the timeline's f + offset; below floor is dropped."""

    def crossfade(self, place: int, frame: int) -> None:
        """The slot that fed the place before is mixed out of this frame of the timeline."""

    def note(self, place: int, what: str, **said: Message) -> None:
        """Something for people to read. Messages must not be changed afterwards."""

    def end(self, place: int) -> None:
        """The session is gone."""

    def journal(self, entry: Entry) -> None:
        """What the engine tells. Device thread."""

    def close(self) -> None:
        """Write what waits. Nothing may follow."""


@dataclass(slots=True)
class _File:
    """An open log. `slots`: how many the session has had."""

    path: Path
    out: TextIO | None
    session: str = ""
    size: int = 0
    slots: int = 0


@dataclass(slots=True)
class _Run:
    """A slot while it is somebody's. Until it is known whose, its lines wait. Frames [first, end) are in `crc`."""

    waiting: list[Line] = field(default_factory=list)
    file: _File | None = None
    number: int = 0
    first: int = 0
    end: int = 0
    crc: int = 0


class WrittenSessionLogs(SessionLogs):
    """Logs in a folder, each at most `limit` bytes long. header: facts of engine and build, in every first line.

    Raises OSError where the folder can't be made.
    """

    def __init__(
        self, folder: Path, header: Mapping[str, Any], limit: int, clock: Callable[[], float] = time.time
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._header, self._limit, self._clock = folder, dict(header), limit, clock
        self._queue: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._blocks_told = self._blocks_heard = 0
        self._lost = 0
        self._lock = threading.Lock()
        self._files: dict[int, _File] = {}
        self._runs: dict[SlotHandle, _Run] = {}
        self._flushed = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="segue-session-log", daemon=True)
        self._thread.start()

    def begin(self, place: int, facts: Mapping[str, Any]) -> None:
        self._put(self._begin, place, dict(facts))

    def bind(self, place: int, slot: SlotHandle, offset: int, floor: int) -> None:
        self._put(self._bind, place, slot, offset, floor)

    def crossfade(self, place: int, frame: int) -> None:
        self._put(self._tell, place, {"what": "crossfade", "frame": frame})

    def note(self, place: int, what: str, **said: Message) -> None:
        self._put(self._note, place, what, self._clock(), said)

    def end(self, place: int) -> None:
        self._put(self._end, place)

    def journal(self, entry: Entry) -> None:
        if not isinstance(entry, Handed):
            self._put(self._enter, entry)
        elif self._blocks_told - self._blocks_heard < _MOST_BLOCKS and self._put(self._hear, entry):
            self._blocks_told += 1

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _put(self, function: Callable[..., None], *arguments: Any) -> bool:
        """Gives whether there was room."""
        with self._lock:
            if len(self._queue) >= _MOST:
                self._lost += 1
                return False
            if self._lost:
                self._queue.append((self._lose, (self._lost,)))
                self._lost = 0
            self._queue.append((function, arguments))
        return True

    # -- the writer's thread --------------------------------------------------------------------------------------

    def _work(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(_PAUSE)
            self._write_out()
        if self._lost:
            self._lose(self._lost)
        for place in list(self._files):
            self._end(place)

    def _write_out(self) -> None:
        """Write what waits."""
        while self._queue:
            function, arguments = self._queue.popleft()
            try:
                function(*arguments)
            except Exception as error:
                _log.error("an entry of the session log failed", error=repr(error), exc_info=error)
        now = time.monotonic()
        if now >= self._flushed + _FLUSH:
            self._flushed = now
            for file in self._files.values():
                self._guarded(file, lambda out: out.flush())

    def _begin(self, place: int, facts: Mapping[str, Any]) -> None:
        self._end(place)
        stem, path, count = str(facts["session"]), self._folder / f"{facts['session']}.jsonl", 1
        while path.exists():
            count += 1
            path = self._folder / f"{stem}-{count}.jsonl"
        try:
            file = _File(path, path.open("x", encoding="utf-8", newline="\n"), stem)
        except OSError as error:
            _log.warning("a session has no log", session=stem, path=str(path), error=str(error))
            return
        self._files[place] = file
        self._write(file, {"what": "session", "format": FORMAT, **facts, **self._header})

    def _bind(self, place: int, slot: SlotHandle, offset: int, floor: int) -> None:
        file, run = self._files.get(place), self._runs.get(slot)
        if file is None:
            return
        number, file.slots = file.slots, file.slots + 1
        self._write(file, {"what": "bind", "slot": number, "offset": offset, "floor": floor})
        if run is not None:
            run.file, run.number = file, number
            waiting, run.waiting = run.waiting, []
            for line in waiting:
                self._write(file, {"slot": number, **line})

    def _tell(self, place: int, line: Line) -> None:
        file = self._files.get(place)
        if file is not None:
            self._write(file, line)

    def _note(self, place: int, what: str, at: float, said: Mapping[str, Message]) -> None:
        if place in self._files:
            self._tell(place, {"what": what, "time": round(at, 3)} | {key: _read(one) for key, one in said.items()})

    def _end(self, place: int) -> None:
        file = self._files.pop(place, None)
        if file is None or file.out is None:
            return
        for run in self._runs.values():
            if run.file is file:
                self._sum_up(run)
                run.file = _File(file.path, None)
        self._write(file, {"what": "end"})
        self._guarded(file, lambda out: out.close())

    def _lose(self, count: int) -> None:
        _log.warning("the session log could not follow: these logs can't be replayed from here on", entries=count)
        for file in self._files.values():
            self._write(file, {"what": "lost", "entries": count})

    def _enter(self, entry: Record | Stepped) -> None:
        for record in entry.records() if isinstance(entry, Stepped) else (entry,):
            if isinstance(record, Began):
                self._runs[record.slot] = _Run()
            run = self._runs.get(record.slot)
            if run is None:
                continue
            if isinstance(record, WentBack | Ended):
                self._sum_up(run)
            self._line(run, record)
            if isinstance(record, Ended):
                del self._runs[record.slot]

    def _hear(self, entry: Handed) -> None:
        self._blocks_heard += 1
        blocks = entry.blocks
        rows = zip(blocks.slots.tolist(), blocks.epochs.tolist(), blocks.first_frame.tolist(), strict=True)
        for row, (slot, epoch, frame) in enumerate(rows):
            run = self._runs.get(SlotHandle(slot, epoch))
            if run is None:
                continue
            if frame != run.end:  # audio was lost in between
                self._sum_up(run)
                run.first = frame
            run.crc, run.end = crc_of(blocks.pcm[row], run.crc), frame + blocks.codes.shape[1]
            if run.end - run.first >= FRAME_RATE:
                self._sum_up(run)

    def _sum_up(self, run: _Run) -> None:
        if run.end > run.first:
            self._line(run, Heard(SlotHandle(0, 0), run.end, run.first, f"{run.crc:08x}"))
        run.first, run.crc = run.end, 0

    def _line(self, run: _Run, record: Record) -> None:
        if run.file is None:
            run.waiting.append(line_of(record))
        elif run.file.out is not None:
            self._write(run.file, {"slot": run.number, **line_of(record)})

    def _write(self, file: _File, line: Line) -> None:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=_plain) + "\n"
        size = len(text.encode())
        if file.size + size > self._limit:
            text = json.dumps({"what": "full", "limit": self._limit}) + "\n"
        file.size += size
        self._guarded(file, lambda out: out.write(text))
        if file.size > self._limit:
            self._guarded(file, lambda out: out.close())
            file.out = None

    def _guarded(self, file: _File, do: Callable[[TextIO], Any]) -> None:
        """A disk that is full ends the log, not the session."""
        if file.out is None:
            return
        try:
            do(file.out)
        except (OSError, ValueError) as error:
            _log.warning("a session's log ends here", session=file.session, path=str(file.path), error=str(error))
            file.out = None


def _plain(value: Any) -> Any:
    """Numbers of numpy as JSON has them."""
    return value.item()


def _read(message: Message) -> Any:
    """A message as people read it, recordings left out."""
    return _shortened(MessageToDict(message, preserving_proto_field_name=True))


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:16]}… ({len(value)} characters)"
    return value
