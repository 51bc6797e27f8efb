# SPDX-License-Identifier: Apache-2.0
"""A session's audio again, out of its log: its slots one after the other on one timeline, the newest takes of all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, EngineInfo, SlotHandle
from segue_engine.journal import Ended, Made, Record, ReenactError, WentBack
from segue_service.observe.log_lines import Heard, crc_of, record_of
from segue_service.observe.session_log import FORMAT
from segue_service.session.crossfade import mixed
from segue_service.session.timeline import Axis

_KEPT: Final = 64
"""Frames of a slot that are at hand for a comparison, which is of fewer."""
_NONE: Final = np.zeros((0, CHANNELS), np.int16)
Reenact = Callable[[Sequence[Record]], Iterator[Made | Record]]


class LogError(ValueError):
    """A file that is no session log or a damaged one; the message names the line."""


@dataclass(slots=True)
class Run:
    """A slot that the session had: timeline frame = its frame + offset; below floor is dropped. crossfade: the frame of
    the timeline out of which the slot before is mixed."""

    offset: int
    floor: int
    records: list[Record] = field(default_factory=list)
    crossfade: int | None = None


@dataclass(slots=True)
class Logged:
    """What a log holds. ended: whether it goes on to the session's end; cut: why not, as far as the log knows."""

    header: Mapping[str, Any]
    runs: list[Run] = field(default_factory=list)
    ended: bool = False
    cut: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first audio that is not what was played: somewhere in the timeline's samples [begin, end)."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """The newest takes, pcm int16[n, 2] from the timeline's sample `first` on; how many frames were compared with the
    log, of how many that were made; the first difference."""

    first: int
    pcm: NDArray[np.int16]
    compared: int
    made: int
    difference: Difference | None


def read_log(path: Path) -> Logged:
    """A session log. Raises LogError, OSError."""
    logged: Logged | None = None
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            try:
                line = json.loads(text)
            except ValueError:
                if not text.endswith("\n") and logged is not None:  # the process died while it wrote
                    logged.cut = logged.cut or "its last line is half written"
                    break
                raise LogError(f"line {number}: expected a JSON object") from None
            if not isinstance(line, dict):
                raise LogError(f"line {number}: expected a JSON object")
            if logged is None:
                logged = Logged(_checked(line))
            else:
                _enter(logged, line, number)
    if logged is None:
        raise LogError("line 1: expected a session log, found an empty file")
    return logged


def _checked(line: Mapping[str, Any]) -> Mapping[str, Any]:
    if line.get("what") != "session":
        raise LogError("line 1: expected the beginning of a session log")
    if line.get("format") != FORMAT:
        raise LogError(f"line 1: expected format {FORMAT}, got {line.get('format')}")
    return line


def _enter(logged: Logged, line: Mapping[str, Any], number: int) -> None:
    if logged.cut:
        return
    what = line.get("what")
    try:
        if what == "bind":
            logged.runs.append(Run(line["offset"], line["floor"]))
        elif what == "crossfade":
            logged.runs[-1].crossfade = line["frame"]
        elif what == "lost":
            logged.cut = f"line {number}: {line['entries']} entries were lost, the disk being too slow"
        elif what == "full":
            logged.cut = f"line {number}: the log has reached its limit of {line['limit']} bytes"
        elif what == "end":
            logged.ended = True
        elif "slot" in line:
            record = record_of(line, SlotHandle(0, line["slot"]))
            if record is not None:
                logged.runs[line["slot"]].records.append(record)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise LogError(f"line {number}: {error}") from None


def replay(logged: Logged, info: EngineInfo, reenact: Reenact, on_frame: Callable[[], None] = lambda: None) -> Replayed:
    """Make all of a log's audio again. `on_frame` is called after each frame. Raises ReenactError."""
    timeline = _Timeline(info)
    for run in logged.runs:
        timeline.play(run, reenact, on_frame)
    return timeline.finished()


def frames_of(logged: Logged) -> int:
    """How many frames `replay` makes."""
    made = 0
    for run in logged.runs:
        head = 0
        for record in run.records:
            made += max(0, record.at - head)
            head = record.reached if isinstance(record, WentBack) else max(head, record.at)
    return made


class _Timeline:
    """Frames by their number on the timeline, up to `head`."""

    def __init__(self, info: EngineInfo) -> None:
        self._axis = Axis(info)
        self._frames: dict[int, NDArray[np.int16]] = {}
        self._head = 0
        self._last: tuple[int, NDArray[np.int16]] | None = None
        self._compared = self._made = 0
        self._difference: Difference | None = None

    def play(self, run: Run, reenact: Reenact, on_frame: Callable[[], None]) -> None:
        """One slot from beginning to end."""
        tail = self._tail(run)
        self._go_back(max(run.offset, run.floor))
        heard: dict[int, NDArray[np.int16]] = {}
        for item in reenact(run.records):
            if isinstance(item, Made):
                self._made += 1
                heard[item.frame] = item.pcm
                heard.pop(item.frame - _KEPT, None)
                frame, pcm = item.frame + run.offset, item.pcm
                self._last = frame, pcm
                if frame == run.crossfade and tail is not None:
                    pcm, tail = mixed(tail, pcm, self._axis.info.mastering_delay_samples), None
                if frame >= run.floor:
                    self._frames[frame], self._head = pcm, frame + 1
                on_frame()
            elif isinstance(item, Heard):
                self._compare(item, heard, run.offset)
            elif isinstance(item, WentBack | Ended):
                frame = item.reached if isinstance(item, WentBack) else item.at
                self._go_back(max(frame + run.offset, run.floor))

    def finished(self) -> Replayed:
        """What there is in one piece."""
        first = last = min(self._frames, default=0)
        while last in self._frames:
            last += 1
        pcm = np.concatenate([np.zeros((0, CHANNELS), np.int16), *(self._frames[f] for f in range(first, last))])
        begin = self._axis.audible(first)
        skipped = begin - self._axis.sample(first)
        return Replayed(begin, pcm[skipped:], self._compared, self._made, self._difference)

    def _tail(self, run: Run) -> NDArray[np.int16] | None:
        """What the slot before would have played in the frame that is crossfaded: it was made, and heard by nobody."""
        if run.crossfade is None:
            return None
        if self._last is None or self._last[0] != run.crossfade:
            raise ReenactError(f"crossfade at frame {run.crossfade}: expected it to be the last one of the slot before")
        return self._last[1]

    def _go_back(self, frame: int) -> None:
        """Drop frames from this one on."""
        for at in range(frame, self._head):
            self._frames.pop(at, None)
        self._head = min(self._head, frame)

    def _compare(self, heard: Heard, frames: Mapping[int, NDArray[np.int16]], offset: int) -> None:
        self._compared += heard.at - heard.first
        if self._difference is not None:
            return
        crc = 0
        for frame in range(heard.first, heard.at):
            crc = crc_of(frames.get(frame, _NONE), crc)
        if f"{crc:08x}" != heard.crc:
            begin, end = self._axis.audible(heard.first + offset), self._axis.audible(heard.at + offset)
            self._difference = Difference(begin, end)
