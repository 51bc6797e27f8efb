# SPDX-License-Identifier: Apache-2.0
"""The liveness guard: hears of every frame of every session whether the model still plays, and asks for a refresh.

Near-silence, over-range and adherence are measured elsewhere (`Blocks.vitals`, `adherence`). A stuck loop is seen here:
all codes of a frame equal those of p frames before, for one p of up to two seconds and for as long as `guard_loop_ms`.
That is what a model does whose memory holds a NaN. It is no ostinato: in a starter the clock and the bar move under
one, and a neural codec never writes the same sound in exactly the same codes again and again. Silent frames are left to
the detector of silence.

Array work over all rows; Python runs only for a session that something is wrong with. Event loop only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from segue.v1.stream_pb2 import Refreshed
from segue_engine.contract import FRAME_RATE, OVER_RANGE, SILENT
from segue_service.config import Settings
from segue_service.observe.metrics import FRAME_SECONDS, Metrics

Cause: TypeAlias = Refreshed.Cause.ValueType
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CAUSES: Final[tuple[Cause, ...]] = (
    Refreshed.CAUSE_SILENCE,
    Refreshed.CAUSE_LOOP,
    Refreshed.CAUSE_OVER_RANGE,
    Refreshed.CAUSE_DRIFT,
)
PERIOD: Final = 50
"""The longest loop that is looked for, in frames: a chunk of a model that makes chunks."""
OVER_RANGE_SPAN: Final = 5 * FRAME_RATE
"""Frames of which `guard_over_range_ms` may be over range."""
_SILENCE, _LOOP, _OVER_RANGE, _DRIFT = range(len(CAUSES))
_LAGS: Final = np.arange(1, PERIOD + 1)
_EVER: Final = np.iinfo(np.int64).min // 4


def said(cause: Cause) -> str:
    """A cause in lower case, as logs and metrics have it."""
    return Refreshed.Cause.Name(cause).removeprefix("CAUSE_").lower()


class Watched(Protocol):
    """What the guard needs of a session. Nothing here may raise or take long."""

    def asked_gain_db(self, frame: int) -> float:
        """The gain that was asked for at a frame of the timeline."""

    def on_verdict(self, cause: Cause) -> None:
        """The model must begin afresh. Called once; the next call comes after a while that grows."""

    def on_given_up(self, cause: Cause) -> None:
        """Beginning afresh did not help; it will not be asked for again while this lasts."""


@dataclass(frozen=True, slots=True)
class _Limits:
    """Settings in frames; 0 switches a detector off."""

    silence: int
    loop: int
    over_range: int
    drift: int
    cooldown: int
    calm: int

    @staticmethod
    def of(settings: Settings) -> _Limits:
        names = ("silence", "loop", "over_range", "drift", "cooldown", "calm")
        return _Limits(*(-(-int(getattr(settings, f"guard_{name}_ms")) * FRAME_RATE // 1000) for name in names))


class Guard:
    """Detectors of all places, and what has been done about them. A place is heard once it is watched."""

    def __init__(self, places: int, levels: int, settings: Settings, metrics: Metrics) -> None:
        self.limits = _Limits.of(settings)
        self._on = settings.guard
        self._settings, self._metrics = settings, metrics
        self._watched: list[Watched | None] = [None] * places
        self._heard = np.zeros(places, np.bool_)
        mixed = np.random.default_rng(levels).integers(1 << 62, size=levels) * 2 + 1
        self._mix: Ints = mixed.astype(np.int64)
        self._span = 1 << (self.limits.loop + PERIOD).bit_length()
        self._marks = np.zeros((places, self._span), np.int64)
        """What a frame's codes come to, by frame modulo span, a power of two."""
        self._runs = np.zeros((places, PERIOD), np.int32)
        """Frames in a row up to now that equal the one so many frames before."""
        self._over = np.zeros((places, OVER_RANGE_SPAN), np.bool_)
        self._first = np.zeros(places, np.int64)
        """First frame that counts: of the session, or since the last refresh."""
        self._next = np.zeros(places, np.int64)
        self._low = np.zeros(places, np.int64)
        """Where adherence became low; _EVER where it is not."""
        self._rest = np.zeros(places, np.int64)
        """First frame at which a verdict may be given again."""
        self._bad = np.zeros((places, len(CAUSES)), np.int64)
        """Latest frame with that wrong."""
        self._streak = np.zeros((places, len(CAUSES)), np.int64)
        """Refreshes in a row; one more than are allowed: given up."""

    def watch(self, place: int, watched: Watched) -> None:
        """From now on this session has the place."""
        self._watched[place] = watched
        self._heard[place] = self._on
        self.reset(place)

    def leave(self, place: int) -> None:
        """The session is gone."""
        self._watched[place] = None
        self._heard[place] = False

    def reset(self, place: int) -> None:
        """Forget everything: whoever plays has begun afresh because somebody wished it."""
        self._rest[place] = self._bad[place] = _EVER
        self._streak[place] = 0
        self._fresh(place, int(self._next[place]))

    def rewind(self, place: int, frame: int) -> None:
        """Frames from this one on are going to be replaced."""
        if frame >= self._next[place]:
            return
        dropped = np.arange(max(frame, int(self._next[place]) - OVER_RANGE_SPAN), self._next[place])
        self._over[place, dropped % OVER_RANGE_SPAN] = False
        self._first[place] = min(int(self._first[place]), frame)
        oldest = max(int(self._first[place]), int(self._next[place]) - self._span)
        self._next[place] = frame
        self._runs[place] = self._recount(place, oldest, frame)

    def hear(self, places: Ints, frames: Ints, codes: NDArray[np.int16], vitals: NDArray[np.int16]) -> None:
        """One frame per place: codes int16[n, levels], vitals int16[n, VITALS]. Tells the sessions in trouble."""
        heard = self._heard[places]
        if not heard.all():
            places, frames, codes, vitals = places[heard], frames[heard], codes[heard], vitals[heard]
        if not places.size:
            return
        for row in np.flatnonzero(frames != self._next[places]).tolist():  # the first frame, or a gap
            self._fresh(int(places[row]), int(frames[row]))
        self._next[places] = frames + 1
        silent, over = vitals[:, SILENT], vitals[:, OVER_RANGE] > 0
        self._count(int(np.count_nonzero(silent)), int(np.count_nonzero(over)))
        longest = self._loops(places, frames, codes)
        self._over[places, frames % OVER_RANGE_SPAN] = over
        limits = self.limits
        wrong = np.zeros((places.size, len(CAUSES)), np.bool_)
        if limits.silence:
            wrong[:, _SILENCE] = silent >= limits.silence
        if limits.loop:
            wrong[:, _LOOP] = (longest >= limits.loop) & (silent == 0)
        if limits.over_range and over.any():
            wrong[over, _OVER_RANGE] = self._over[places[over]].sum(axis=1) >= limits.over_range
        if wrong.any():
            self._judge(places, frames, wrong)

    def feel(self, place: int, frame: int, similarity: float, *, anew: bool = False) -> None:
        """How like the sound up to a frame is to what was asked for, 0..1; anew: something else is asked for now."""
        if not self._heard[place] or not self.limits.drift or frame <= self._first[place]:
            return
        if similarity >= self._settings.guard_drift_below:
            self._low[place] = _EVER
        elif anew or self._low[place] == _EVER:
            self._low[place] = frame
        elif frame - self._low[place] >= self.limits.drift:
            wrong = np.zeros((1, len(CAUSES)), np.bool_)
            wrong[0, _DRIFT] = True
            self._judge(np.array([place]), np.array([frame]), wrong)

    # What is heard

    def _loops(self, places: Ints, frames: Ints, codes: NDArray[np.int16]) -> NDArray[np.int32]:
        """The longest run of each row."""
        marks = codes.astype(np.int64) @ self._mix
        before = frames[:, None] - _LAGS
        same = self._marks[places[:, None], before & (self._span - 1)] == marks[:, None]
        same &= before >= self._first[places, None]
        self._marks[places, frames % self._span] = marks
        runs = (self._runs[places] + 1) * same
        self._runs[places] = runs
        longest: NDArray[np.int32] = runs.max(axis=1)
        return longest

    def _recount(self, place: int, oldest: int, frame: int) -> NDArray[np.int32]:
        """Runs up to the frame before this one, from what is still held."""
        at = np.arange(frame - 1, oldest - 1, -1)[:, None]
        before = at - _LAGS
        marks = self._marks[place]
        same = (marks[at % self._span] == marks[before % self._span]) & (before >= oldest)
        counted: NDArray[np.int32] = np.logical_and.accumulate(same, axis=0).sum(axis=0, dtype=np.int32)
        return counted

    def _fresh(self, place: int, frame: int) -> None:
        self._first[place] = self._next[place] = frame
        self._runs[place] = 0
        self._over[place] = False
        self._low[place] = _EVER

    def _count(self, silent: int, over: int) -> None:
        if silent:
            self._metrics.silent_seconds.inc(silent * FRAME_SECONDS)
        if over:
            self._metrics.over_range_frames.inc(over)

    # What is done about it

    def _judge(self, places: Ints, frames: Ints, wrong: Bools) -> None:
        """Decide on rows of which something is wrong: bool[n, causes]."""
        bad, rest = self._bad[places], self._rest[places, None]
        was_calm = frames[:, None] - np.maximum(bad, rest) > self.limits.calm
        streak = np.where(wrong & was_calm, 0, self._streak[places])
        self._streak[places] = streak
        self._bad[places] = np.where(wrong, frames[:, None], bad)
        asks = wrong & (frames[:, None] >= rest) & (streak <= self._settings.guard_refreshes)
        for row in np.flatnonzero(asks.any(axis=1)).tolist():
            self._act(int(places[row]), int(frames[row]), int(np.argmax(asks[row])))

    def _act(self, place: int, frame: int, kind: int) -> None:
        watched, cause = self._watched[place], CAUSES[kind]
        if watched is None or watched.asked_gain_db(frame) <= self._settings.guard_quiet_db:
            return
        self._streak[place, kind] += 1
        count = int(self._streak[place, kind])
        if count > self._settings.guard_refreshes:
            self._metrics.guard_given_up.labels(said(cause)).inc()
            watched.on_given_up(cause)
            return
        self._rest[place] = frame + self.limits.cooldown * 2 ** (count - 1)
        self._fresh(place, frame + 1)
        self._metrics.guard_verdicts.labels(said(cause)).inc()
        watched.on_verdict(cause)
