# SPDX-License-Identifier: Apache-2.0
"""The musical clock of every place: read out of the model's codes where it has one, else tracked from its sound.

Both count frames as the conditioning does: frame f is what codes f sound like, whatever the codec's delay, and a beat
at moment m is heard at sample 1920 · m. Event loop only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import ONSETS, ClockReader, Engine
from segue_service.session.beats import ONSETS_PER_FRAME, BeatTracker
from segue_service.session.timeline import History
from segue_service.soundtrack import Music, MusicClock
from segue_service.soundtrack.clock import DEFAULT_BPM, MIN_CONFIDENCE

Ints = NDArray[np.int64]
Shorts = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat that begins at a moment, in frames; beat 0 begins a bar. phrase_bars is 0 where phrases are unknown."""

    place: int
    moment: float
    beat: int
    bar: int
    bpm: float
    beats_per_bar: int
    phrase_bars: int
    confidence: float


class Clocks(Protocol):
    """Clocks by place. `hear` is called for every frame, in order but for `rewind`."""

    def hear(self, places: Ints, frames: Ints, codes: Shorts, vitals: Shorts) -> Iterator[Beat]:
        """One frame a place has arrived: codes int16[n, levels], vitals int16[n, VITALS]. Gives the beats to tell."""
        ...

    def reset(self, place: int) -> None:
        """A new session has the place."""
        ...

    def expect(self, place: int, music: Music | None, *, scored: bool) -> None:
        """What the place's soundtrack says of its music; scored: its bars condition the model (`session.score`)."""
        ...

    def prime(self, place: int, frame: int, codes: NDArray[np.integer]) -> None:
        """Set the clock by a frame, int[levels], that was played before the first one that arrives here."""
        ...

    def rewind(self, place: int, frame: int) -> None:
        """Frames from this one on are going to be replaced."""
        ...

    def at(self, place: int, frame: int) -> MusicClock | None:
        """The clock of a frame as known before it; None where there is none yet. Its confidence says what it is worth;
        the state machine falls back to the soundtrack's tempo, and to seconds, by itself."""
        ...

    def sure(self, place: int, frame: int) -> int | None:
        """The last frame of which `at` would be certain, by what is known before `frame`: the next beat, where the
        tempo may change. None where it never is."""
        ...

    def trusted(self, place: int) -> bool:
        """Whether beats can be told at the head."""
        ...

    def bpm(self, place: int) -> float:
        """Beats a minute at the head; 0 where unknown or not trusted."""
        ...


def clocks_for(engine: Engine, places: int, history: History) -> Clocks:
    """The model's own clock where it has one, else the tracker. history: where codes of past frames are held."""
    if engine.clock is not None:
        return ModelClocks(engine.clock, places, history)
    return TrackedClocks(places, engine.info.codec_delay_frames)


class ModelClocks:
    """Clocks that the model's codes tell. Certain; a frame can be read alone."""

    def __init__(self, reader: ClockReader, places: int, history: History) -> None:
        self._reader, self._history = reader, history
        self._readings = np.zeros((places, _COLUMNS), np.float64)
        self._frame = np.full(places, -1, np.int64)
        self._primed: dict[int, tuple[int, NDArray[np.float64]]] = {}
        self._phrase_bars = 0

    def hear(self, places: Ints, frames: Ints, codes: Shorts, vitals: Shorts) -> Iterator[Beat]:
        """As in `Clocks`."""
        columns, on_beat = self._read(codes)
        self._readings[places] = columns
        self._frame[places] = frames
        for row in np.flatnonzero(on_beat).tolist():
            beat, bar, per_bar, bpm = columns[row, :4].tolist()
            yield Beat(
                *(int(places[row]), float(frames[row]), int(beat), int(bar)),
                *(bpm, int(per_bar), self._phrase_bars, 1.0),
            )

    def reset(self, place: int) -> None:
        """As in `Clocks`."""
        self._frame[place] = -1
        self._primed.pop(place, None)

    def expect(self, place: int, music: Music | None, *, scored: bool) -> None:
        """As in `Clocks`; codes need no advice."""

    def prime(self, place: int, frame: int, codes: NDArray[np.integer]) -> None:
        """As in `Clocks`."""
        columns = self._read(codes[None])[0][0]
        self._primed[place] = (frame, columns)
        self._readings[place], self._frame[place] = columns, frame

    def rewind(self, place: int, frame: int) -> None:
        """As in `Clocks`; where the frame before is not held the clock stays as it is."""
        if self._frame[place] < frame:
            return
        read = self._held(place, frame - 1)
        if read is not None:
            self._frame[place], self._readings[place] = read

    def at(self, place: int, frame: int) -> MusicClock | None:
        """As in `Clocks`."""
        known = self._known(place, frame)
        return None if known is None else known.at(frame)

    def sure(self, place: int, frame: int) -> int | None:
        """As in `Clocks`."""
        known = self._known(place, frame)
        return None if known is None else known.next_beat

    def trusted(self, place: int) -> bool:
        """As in `Clocks`."""
        return bool(self._frame[place] >= 0)

    def bpm(self, place: int) -> float:
        """As in `Clocks`."""
        return float(self._readings[place, 3]) if self.trusted(place) else 0.0

    def _known(self, place: int, frame: int) -> MusicClock | None:
        """The clock of the latest frame before this one that can be read."""
        latest = int(self._frame[place])
        if latest < 0:
            return None
        read = self._held(place, frame - 1) if frame <= latest else None
        at, columns = (latest, self._readings[place]) if read is None else read
        return self._music_clock(columns, at)

    def _held(self, place: int, frame: int) -> tuple[int, NDArray[np.float64]] | None:
        """What the latest frame up to this one says that can still be read."""
        codes = self._history.codes_of(place, frame)
        if codes is not None:
            return frame, self._read(codes[None])[0][0]
        primed = self._primed.get(place)
        return primed if primed is not None and frame <= self._history.tail[place] else None

    def _read(self, codes: NDArray[np.integer]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        reading = self._reader.read(codes)
        self._phrase_bars = reading.phrase_bars
        columns = (
            *(reading.beat, reading.bar, reading.beats_per_bar),
            *(reading.bpm, reading.frames_to_beat, reading.frames_to_bar),
        )
        return np.stack(columns, axis=-1).astype(np.float64), reading.on_beat

    def _music_clock(self, columns: NDArray[np.float64], frame: int) -> MusicClock:
        _, bar, per_bar, bpm, to_beat, to_bar = columns.tolist()
        return MusicClock(
            frame=frame,
            bpm=bpm,
            beats_per_bar=int(per_bar),
            frames_to_beat=int(to_beat),
            frames_to_bar=int(to_bar),
            bar=int(bar),
            phrase_bars=self._phrase_bars,
        )


class TrackedClocks:
    """Clocks by ear. What is heard in block f is what codes f − `codec_delay` sound like."""

    def __init__(self, places: int, codec_delay: int) -> None:
        self._tracker = BeatTracker(places)
        self._delay = codec_delay

    def hear(self, places: Ints, frames: Ints, codes: Shorts, vitals: Shorts) -> Iterator[Beat]:
        """As in `Clocks`; only beats of a trusted clock are told."""
        onsets = vitals[:, ONSETS : ONSETS + ONSETS_PER_FRAME]
        begun = self._tracker.hear(places, frames - self._delay, onsets)
        for row in np.flatnonzero(begun.confidence >= MIN_CONFIDENCE).tolist():
            place = int(places[begun.row[row]])
            yield Beat(
                *(place, float(begun.moment[row]), int(begun.beat[row]), int(begun.bar[row])),
                *(float(begun.bpm[row]), self._tracker.meter(place), 0, float(begun.confidence[row])),
            )

    def reset(self, place: int) -> None:
        """As in `Clocks`."""
        self._tracker.reset(place)
        self._tracker.expect(place, None, 4)

    def expect(self, place: int, music: Music | None, *, scored: bool) -> None:
        """As in `Clocks`."""
        if music is None:
            return
        struck = scored and music.progression is not None
        tempo = music.tempo or (DEFAULT_BPM if struck else None)
        self._tracker.expect(place, tempo, music.meter.beats if music.meter else 4, on_grid=struck)

    def prime(self, place: int, frame: int, codes: NDArray[np.integer]) -> None:
        """As in `Clocks`; codes say nothing here, so the clock is unsure for its first seconds."""

    def rewind(self, place: int, frame: int) -> None:
        """As in `Clocks`."""
        self._tracker.rewind(place, frame - self._delay)

    def at(self, place: int, frame: int) -> MusicClock | None:
        """As in `Clocks`."""
        return self._tracker.at(place, frame)

    def sure(self, place: int, frame: int) -> int | None:
        """As in `Clocks`."""
        return None

    def trusted(self, place: int) -> bool:
        """As in `Clocks`."""
        return self._tracker.confidence(place) >= MIN_CONFIDENCE

    def bpm(self, place: int) -> float:
        """As in `Clocks`."""
        return self._tracker.bpm(place) if self.trusted(place) else 0.0


_COLUMNS: Final = 6
"""Of a reading what a `MusicClock` is made of: beat, bar, beats per bar, bpm, frames to beat and to bar."""
