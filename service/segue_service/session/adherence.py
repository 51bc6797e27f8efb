# SPDX-License-Identifier: Apache-2.0
"""How like a running session sounds to what it was asked for: an ear listens to its last seconds now and then.

Never on the event loop, and for no more than a share of one core: sessions take turns, whoever has waited longest
first, and after each turn the ear rests in proportion to what it took. Only what was asked for steadily is judged, so a
fade has no verdict. Event loop only, but for what the ear does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_RATE, Conditioning
from segue_service.config import Settings
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.session.liveness import Guard
from segue_service.session.timeline import History

FloatArray = NDArray[np.float32]

TICK: Final = 0.2
_STEP: Final = FRAME_RATE // 5
_FAILURES: Final = 3
"""Failures in a row after which an ear is given up."""
_log = logger("adherence")


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a session was asked for, steadily: the blend f32[768] and its style codes."""

    embedding: FloatArray
    style_codes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """The last seconds of a session: codes int16[window, levels]; pcm int16[n, 2], as much of the window as is on the
    timeline for an ear that wants audio, else empty."""

    codes: NDArray[np.int16]
    pcm: NDArray[np.int16]
    asked: Asked


class Ear(Protocol):
    """window: frames that a verdict rests on. at_once: how many sounds are best judged together."""

    @property
    def window(self) -> int: ...

    @property
    def at_once(self) -> int: ...

    @property
    def wants_audio(self) -> bool: ...

    def judge(self, sounds: Sequence[Sound]) -> Sequence[float]:
        """How like each sound is to what was asked for, 0..1. On a worker thread; may be slow."""
        ...


class Heard(Protocol):
    """What is needed of a session. Nothing here may raise or take long."""

    def asked(self, first: int, end: int) -> Asked | None:
        """What frames [first, end) were asked to be, if that was the same for all of them and is known."""

    def on_adherence(self, frame: int, similarity: float) -> None:
        """What sounds up to a frame is so like what was asked for, 0..1."""


def steady(entries: Sequence[tuple[int, Conditioning]], end: int) -> tuple[int, ...] | None:
    """The style codes of entries, each holding until the next, up to frame `end`; None if they differ or mask it."""
    styles = {conditioning.style_codes for frame, conditioning in entries if frame < end}
    codes = styles.pop() if len(styles) == 1 else ()
    return codes or None


@dataclass(slots=True, eq=False)
class _Seat:
    heard: Heard
    due: int
    """First head frame at which it may be judged again."""
    waiting_since: float
    was: tuple[int, ...] = ()


class Adherence:
    """Turns of all places at one ear. Without one, or with `adherence_every_ms` 0, nothing happens."""

    def __init__(
        self,
        ear: Ear | None,
        history: History,
        guard: Guard,
        executor: Executor,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        """executor: of its own, so that an ear which takes long keeps nobody waiting."""
        self._ear = ear if settings.adherence_every_ms else None
        self._history, self._guard, self._executor, self._metrics = history, guard, executor, metrics
        self._every = settings.adherence_every_ms * FRAME_RATE // 1000
        self._share = settings.adherence_share
        self._seats: dict[int, _Seat] = {}
        self._failures = 0
        if self._ear is not None and self._ear.window > history.frames:
            _log.warning("history_ms is too short for adherence", seconds=self._ear.window / FRAME_RATE)
            self._ear = None

    def attach(self, place: int, heard: Heard) -> None:
        """A session has come, or has begun afresh: it is judged by what follows."""
        if self._ear is not None:
            self._seats[place] = _Seat(heard, int(self._history.head[place]) + self._ear.window, time.monotonic())

    def detach(self, place: int) -> None:
        """A session has gone; no verdict on it will follow."""
        self._seats.pop(place, None)

    async def run(self) -> None:
        """Judge, for as long as there is a server."""
        while self._ear is not None:
            taken = await self.turn()
            await asyncio.sleep(max(TICK, taken / self._share - taken))

    async def turn(self) -> float:
        """Judge those who have waited longest; gives the seconds that it took."""
        ear = self._ear
        if ear is None:
            return 0.0
        found = self._choose(ear)
        if not found:
            return 0.0
        begun = time.perf_counter()
        sounds = [sound for _, _, sound in found]
        try:
            verdicts = await asyncio.get_running_loop().run_in_executor(self._executor, ear.judge, sounds)
        except Exception as error:  # an ear that can't judge must not end the music
            self._failures += 1
            _log.error("adherence could not be told", error=repr(error), failures=self._failures)
            if self._failures == _FAILURES:
                _log.error("adherence is not told any more", exc_info=error)
                self._ear = None
            return time.perf_counter() - begun
        self._failures = 0
        taken = time.perf_counter() - begun
        for (place, end, sound), verdict in zip(found, verdicts, strict=True):
            self._metrics.adherence_seconds.observe(taken / len(found))
            self._tell(place, end, sound, float(verdict))
        return taken

    def _choose(self, ear: Ear) -> list[tuple[int, int, Sound]]:
        found: list[tuple[int, int, Sound]] = []
        history = self._history
        for place, seat in sorted(self._seats.items(), key=lambda item: item[1].waiting_since):
            end = int(history.head[place])
            first = end - ear.window
            if end < seat.due or first < history.tail[place]:
                continue
            asked = seat.heard.asked(first, end)
            if asked is None:
                seat.due = end + _STEP
                continue
            seat.due, seat.waiting_since = end + self._every, time.monotonic()
            found.append(
                (place, end, Sound(history.codes_between(place, first, end), self._pcm(ear, place, end), asked))
            )
            if len(found) == ear.at_once:
                break
        return found

    def _pcm(self, ear: Ear, place: int, end: int) -> NDArray[np.int16]:
        axis = self._history.axis
        last = axis.audible(end)
        first = axis.audible(end - ear.window) if ear.wants_audio and last else last
        return self._history.pcm(place, first, last).copy() if first < last else np.zeros((0, CHANNELS), np.int16)

    def _tell(self, place: int, end: int, sound: Sound, similarity: float) -> None:
        seat, held = self._seats.get(place), self._history.codes_of(place, end - 1)
        replaced = held is None or not np.array_equal(held, sound.codes[-1])
        if seat is None or replaced or not np.isfinite(similarity):
            return
        similarity = min(max(similarity, 0.0), 1.0)
        self._metrics.adherence.observe(similarity)
        seat.heard.on_adherence(end, similarity)
        self._guard.feel(place, end, similarity, anew=seat.was != sound.asked.style_codes)
        seat.was = sound.asked.style_codes
