# SPDX-License-Identifier: Apache-2.0
"""Traced controls of one session on their way from where they landed to the first listener's ears. Event loop only.

What a control changes may be made and sent before its call hears where it has landed. So the ways are *armed* when the
engine has taken a control up, and remember what is made and sent from then on until they know what to look for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from segue_engine.contract import SAMPLE_RATE
from segue_service.observe.tracing import Trace

_MOST: Final = 16
"""Ways that are followed at once; the oldest is given up for a new one."""
_ARMED_SECONDS: Final = 1.0
_REMEMBERED: Final = 64


@dataclass(slots=True)
class _Way:
    trace: Trace
    frame: int
    sample: int
    made_at: float | None = None


@dataclass(frozen=True, slots=True)
class _Made:
    head: int
    step_began: float
    at: float


@dataclass(frozen=True, slots=True)
class _Sent:
    listener: str
    begin: int
    end: int
    asked: float
    encoded: float
    at: float


class Ways:
    """Open ways. Without traced controls there are none, and asking costs a look at two attributes."""

    def __init__(self, playhead: Callable[[], int]) -> None:
        """playhead: of the session, now."""
        self._playhead = playhead
        self._open: list[_Way] = []
        self._armed_until = 0.0
        self._made: list[_Made] = []
        self._sent: list[_Sent] = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing needs to be told."""
        return not self._open and not self._armed_until

    def arm(self) -> None:
        """The engine has taken a traced control up, wherever that may land."""
        self._armed_until = time.monotonic() + _ARMED_SECONDS
        self._made, self._sent = [], []

    def begin(self, trace: Trace, frame: int, sample: int) -> None:
        """A control has landed: this frame is the first to differ, and is heard from this sample on."""
        if len(self._open) >= _MOST:
            self._give_up(self._open.pop(0))
        now = time.monotonic()
        began = min((now, *(one.step_began for one in self._made if frame < one.head)))
        way = _Way(trace.after("to_sound", began, audible_at_sample=sample), frame, sample)
        self._open.append(way)
        for made in self._made:
            self._tell_made(way, made)
        for sent in self._sent:
            if way in self._open:
                self._tell_sent(way, sent)

    def made(self, head: int, step_began: float) -> None:
        """Frames below `head` are there; the step that made the last of them was begun then."""
        made = _Made(head, step_began, time.monotonic())
        for way in self._open:
            self._tell_made(way, made)
        if self._is_armed(made.at) and len(self._made) < _REMEMBERED:
            self._made.append(made)

    def wanted(self, begin: int, end: int) -> bool:
        """Whether it is of interest that samples [begin, end) are sent."""
        return bool(self._armed_until) or any(begin <= way.sample < end for way in self._open)

    def sent(self, listener: str, begin: int, end: int, asked: float, encoded: float) -> None:
        """A listener has been handed samples [begin, end), whose encoding took from `asked` to `encoded`."""
        sent = _Sent(listener, begin, end, asked, encoded, time.monotonic())
        for way in list(self._open):
            self._tell_sent(way, sent)
        if self._is_armed(sent.at) and len(self._sent) < _REMEMBERED:
            self._sent.append(sent)

    def end(self) -> None:
        """The session is over."""
        for way in self._open:
            self._give_up(way)
        self._open.clear()
        self._armed_until = 0.0

    def _is_armed(self, now: float) -> bool:
        if self._armed_until and now > self._armed_until:
            self._armed_until = 0.0
            self._made, self._sent = [], []
        return bool(self._armed_until)

    def _tell_made(self, way: _Way, made: _Made) -> None:
        if way.made_at is None and way.frame < made.head:
            way.made_at = made.at
            way.trace.lap("step", made.step_began, made.at, frame=way.frame)

    def _tell_sent(self, way: _Way, sent: _Sent) -> None:
        if not sent.begin <= way.sample < sent.end:
            return
        self._open.remove(way)
        if way.made_at is not None:
            way.trace.lap("chunk_wait", min(way.made_at, sent.asked), sent.asked)
        way.trace.lap("encode", sent.asked, sent.encoded)
        way.trace.lap("send", sent.encoded, sent.at, listener=sent.listener)
        heard = sent.at + max(0, way.sample - self._playhead()) / SAMPLE_RATE
        way.trace.lap("playout", sent.at, heard, estimated=True)
        way.trace.end(heard)

    def _give_up(self, way: _Way) -> None:
        way.trace.tell(given_up=True)
        way.trace.end()
