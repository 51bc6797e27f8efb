# SPDX-License-Identifier: Apache-2.0
"""Beats and bars tracked from onset strengths, causally, for all sessions at once. Event loop only.

Every half second each place's last ten seconds are read (`tempogram`). Where the reading agrees with the clock that
runs already, the clock is drawn towards it by a little; where it keeps disagreeing, steadiness falls, and the clock
begins afresh. Between readings it runs on by itself. Confidence is steadiness times how clearly anything recurs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, ONSET_DELAY_SECONDS
from segue_service.session import bars, tempogram
from segue_service.soundtrack import MusicClock

Ints = NDArray[np.int64]

ONSETS_PER_FRAME: Final = 4
TICKS_PER_FRAME: Final = 2
"""Onset strengths are kept in pairs: as exact in the end, at half the cost."""
_LATE_FRAMES: Final = ONSET_DELAY_SECONDS * FRAME_RATE + 1.0 / TICKS_PER_FRAME - 0.5 / ONSETS_PER_FRAME
"""From what is heard to the end of its tick: a strength stands for where it begins, a pair for the middle of two."""
STRIDE: Final = 12
"""Frames between two readings of a place; places take turns."""
PATIENCE_FRAMES: Final = 60
"""Frames to be heard before the first reading."""
_FRESH: Final = 0.35
"""Steadiness below which a reading that disagrees becomes the clock: after four of them, so two seconds."""
_GAIN: Final = 0.25
"""What one reading weighs in steadiness and clearness."""
_DRAWN_PERIOD, _DRAWN_PHASE = 0.3, 0.4
_SLEW_FRAMES: Final = 0.6
"""By how much a reading draws the clock towards it: shares of the differences, and the most that a beat is moved."""
_TOLERATED_FRAMES: Final = 2.0
"""Beats as near as that agree, in tempi within 4 %."""
_SALIENT: Final = 0.4
"""Salience that is as clear as can be."""
_STRONG: Final = (0.012, 0.024)
"""Strength that is too little to be notes, as of beating partials, and that is enough."""
_STATES: Final = 512
_NOTHING: Final = np.iinfo(np.int64).min
_PERIOD, _AHEAD, _BEAT, _BAR, _STEADY, _CLEAR, _DOUBT, _ACCENTS = 0, 1, 2, 3, 4, 5, 6, 7
"""Of a state: frames a beat (0: no clock), frames from the end of what was heard to the next beat, place in the bar and
bar of the latest beat, how steadily readings agree, how clear they are, the share that the bar line leaves of the
confidence, and the strength of each beat of the bar."""
_COLUMNS: Final = _ACCENTS + bars.MAX_METER


@dataclass(frozen=True, slots=True)
class Begun:
    """Beats that begin within frames just heard: index into the call's places, moment in frames, place in the bar."""

    row: Ints
    moment: NDArray[np.float64]
    beat: Ints
    bar: Ints
    bpm: NDArray[np.float64]
    confidence: NDArray[np.float64]


class BeatTracker:
    """A clock per place, with what it was at each of the last 20 s of frames, so that it can go back."""

    def __init__(self, places: int) -> None:
        self._ticks = TICKS_PER_FRAME * _STATES + tempogram.TICKS
        self._strengths = np.zeros((places, self._ticks), np.int16)
        self._now = np.zeros((places, _COLUMNS), np.float32)
        self._states = np.zeros((places, _STATES, _COLUMNS), np.float32)
        self._first = np.zeros(places, np.int64)
        self._next = np.full(places, _NOTHING, np.int64)
        """First frame not heard."""
        self._meter = np.full(places, 4, np.int64)
        self._priors = np.tile(tempogram.prior(None), (places, 1))
        self._nominal = np.zeros(places, np.float32)

    def expect(self, place: int, bpm: float | None, beats_per_bar: int, *, on_grid: bool = False) -> None:
        """What the soundtrack says of its music; on_grid: bars begin where its tempo has them, from frame 0 on.

        A bar of more than `bars.MAX_METER` beats is counted by that many.
        """
        self._meter[place] = min(max(1, beats_per_bar), bars.MAX_METER)
        self._priors[place] = tempogram.prior(bpm)
        self._nominal[place] = 60.0 * FRAME_RATE / bpm if on_grid and bpm is not None else 0.0

    def reset(self, place: int) -> None:
        """Forget what was heard."""
        self._next[place] = _NOTHING

    def rewind(self, place: int, frame: int) -> None:
        """Forget what was heard from this frame on; all of it where the frame before is not known any more."""
        if self._next[place] <= frame:
            return
        if not self._known(place, frame - 1):
            self.reset(place)
            return
        self._next[place] = frame
        self._now[place] = self._states[place, (frame - 1) % _STATES]

    def hear(self, places: Ints, frames: Ints, onsets: NDArray[np.int16]) -> Begun:
        """One frame of each place, onsets int16[n, 4] in thousandths. A gap before it is as a fresh start."""
        fresh = self._next[places] != frames
        if fresh.any():
            at = places[fresh]
            self._first[at] = frames[fresh]
            self._now[at] = self._strengths[at] = 0
        columns = (TICKS_PER_FRAME * frames[:, None] + np.arange(TICKS_PER_FRAME)) % self._ticks
        pairs = onsets.reshape(-1, TICKS_PER_FRAME, 2).sum(axis=2, dtype=np.int32)
        self._strengths[places[:, None], columns] = np.minimum(pairs, 32_767)
        self._next[places] = frames + 1
        state = self._now[places]
        begun = self._run(places, frames, state)
        due = ((frames + places) % STRIDE == 0) & (frames - self._first[places] >= PATIENCE_FRAMES)
        if due.any():
            state[due] = self._read(places[due], frames[due] + 1, state[due])
        self._now[places] = state
        self._states[places, frames % _STATES] = state
        return begun

    def at(self, place: int, frame: int) -> MusicClock | None:
        """The clock of a frame, as it was known before that frame; None where there is none yet."""
        if self._next[place] == _NOTHING:
            return None
        last = int(self._next[place]) - 1
        known = min(frame - 1, last)
        if known < last and not self._known(place, known):
            return None
        state = self._states[place, known % _STATES]
        if state[_PERIOD] <= 0.0:
            return None
        return _music_clock(state, known + 1, int(self._meter[place])).at(frame)

    def confidence(self, place: int) -> float:
        """Of the clock at the head; 0 where there is none."""
        return float(_confidence(self._now[place])) if self._next[place] != _NOTHING else 0.0

    def meter(self, place: int) -> int:
        """Beats in a bar."""
        return int(self._meter[place])

    def bpm(self, place: int) -> float:
        """At the head; 0 where there is no clock."""
        period = float(self._now[place, _PERIOD])
        return 60.0 * FRAME_RATE / period if self._next[place] != _NOTHING and period > 0.0 else 0.0

    def _known(self, place: int, frame: int) -> bool:
        newest = int(self._next[place]) - 1
        return max(int(self._first[place]), newest - _STATES + 1) <= frame <= newest

    def _run(self, places: Ints, frames: Ints, state: NDArray[np.float32]) -> Begun:
        """Let a frame pass; gives the beats in it."""
        running = state[:, _PERIOD] > 0.0
        begins = state[:, _AHEAD]
        row = np.flatnonzero(running & (begins < 1.0))
        moment = (frames[row] + begins[row]).astype(np.float64)
        beat = (state[row, _BEAT] + 1) % self._meter[places[row]]
        state[row, _BEAT] = beat
        state[row, _BAR] += beat == 0
        state[row, _AHEAD] += state[row, _PERIOD]
        state[running, _AHEAD] -= 1.0
        return Begun(
            row=row,
            moment=moment,
            beat=state[row, _BEAT].astype(np.int64),
            bar=state[row, _BAR].astype(np.int64),
            bpm=60.0 * FRAME_RATE / state[row, _PERIOD].astype(np.float64),
            confidence=_confidence(state[row]).astype(np.float64),
        )

    def _read(self, places: Ints, ends: Ints, state: NDArray[np.float32]) -> NDArray[np.float32]:
        """The clocks, drawn towards what has been heard up to frame `ends`."""
        ticks = (TICKS_PER_FRAME * ends[:, None] + np.arange(-tempogram.TICKS, 0)) % self._ticks
        strengths = self._strengths[places[:, None], ticks].astype(np.float32) / 1000.0
        ahead, period, steady = state[:, _AHEAD], state[:, _PERIOD], state[:, _STEADY]
        running = period > 0.0
        safe = np.where(running, period, 1.0)
        since = np.mod(-(ahead + _LATE_FRAMES), safe)
        found = tempogram.read(
            strengths,
            self._priors[places],
            TICKS_PER_FRAME * period,
            TICKS_PER_FRAME * since,
            np.where(running, steady, 0.0),
        )
        beat_frames = found.period / TICKS_PER_FRAME
        seen = np.mod(-(found.since / TICKS_PER_FRAME + _LATE_FRAMES), beat_frames)
        error = np.mod(seen - ahead + safe / 2, safe) - safe / 2
        close = np.abs(np.log(beat_frames / safe)) < 0.04
        agrees = running & close & (np.abs(error) < np.minimum(_TOLERATED_FRAMES, 0.2 * safe))
        heard = found.salience > 0.05
        after = state.copy()
        after[:, _STEADY] += _GAIN * ((agrees & heard) - steady)
        after[:, _CLEAR] += _GAIN * (_clarity(found) - after[:, _CLEAR])
        drawn = agrees
        after[drawn, _PERIOD] += _DRAWN_PERIOD * (beat_frames - period)[drawn]
        after[drawn, _AHEAD] += np.clip(_DRAWN_PHASE * error, -_SLEW_FRAMES, _SLEW_FRAMES)[drawn]
        afresh = heard & ~agrees & (after[:, _STEADY] < _FRESH)
        after[afresh, _PERIOD] = beat_frames[afresh]
        after[afresh, _AHEAD] = seen[afresh]
        after[afresh, _ACCENTS:] = 0.0
        after[:, _AHEAD] = np.maximum(after[:, _AHEAD], 0.0)
        self._count_bars(places, ends, strengths, after)
        return after

    def _count_bars(self, places: Ints, ends: Ints, strengths: NDArray[np.float32], state: NDArray[np.float32]) -> None:
        """Move the bar lines of running clocks to where they belong."""
        rows = np.flatnonzero(state[:, _PERIOD] > 0.0)
        period, ahead, beat = state[rows, _PERIOD], state[rows, _AHEAD], state[rows, _BEAT].astype(np.int64)
        meter, nominal = self._meter[places[rows]], self._nominal[places[rows]]
        since = np.maximum(period - ahead - _LATE_FRAMES, 0.0)
        new = bars.accents(strengths[rows], TICKS_PER_FRAME * since, TICKS_PER_FRAME * period, beat, meter)
        known = bars.learnt(state[rows, _ACCENTS:], new)
        by_ear = bars.shift(known, meter)
        by_grid = bars.shift_on_grid(ends[rows] + ahead.astype(np.float64), period, nominal, (beat + 1) % meter, meter)
        told = nominal > 0.0
        by = np.where(told, by_grid, by_ear)
        known = bars.turned(known, by, meter)
        state[rows, _BEAT] = np.mod(beat - by, meter)
        state[rows, _ACCENTS:] = known
        state[rows, _DOUBT] = np.where(told, 1.0, bars.doubt(bars.certainty(known, meter)))


def _clarity(found: tempogram.Readings) -> NDArray[np.float32]:
    """0..1: how clearly something recurs, and that it is notes that do."""
    notes = np.clip((found.strength - _STRONG[0]) / (_STRONG[1] - _STRONG[0]), 0.0, 1.0)
    clear: NDArray[np.float32] = np.clip(found.salience / _SALIENT, 0.0, 1.0) * notes
    return clear


def _confidence(state: NDArray[np.float32]) -> NDArray[np.float32]:
    confidence: NDArray[np.float32] = state[..., _STEADY] * state[..., _CLEAR] * state[..., _DOUBT]
    return confidence


def _music_clock(state: NDArray[np.float32], frame: int, meter: int) -> MusicClock:
    """The clock of the first frame after those that the state knows."""
    period, ahead, beat, bar = (float(state[column]) for column in (_PERIOD, _AHEAD, _BEAT, _BAR))
    number = int(beat) + 1
    if ahead - period >= -0.5:  # it has begun in the frame before, and nearer to this one
        number, ahead = number - 1, 0.0
    to_beat = round(ahead)
    next_bar = -number % meter
    return MusicClock(
        frame=frame,
        bpm=60.0 * FRAME_RATE / period,
        beats_per_bar=meter,
        frames_to_beat=to_beat,
        frames_to_bar=round(ahead + next_bar * period),
        bar=int(bar) + (number == meter and to_beat == 0),
        confidence=float(_confidence(state)),
    )
