# SPDX-License-Identifier: Apache-2.0
"""The explicit musical clock: where in beat, bar and phrase one frame is. Nothing here knows what time it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from segue_service.soundtrack.units import FRAME_RATE, Length

ExitPoint = Literal["immediate", "next_beat", "next_bar", "exit_cue"]

DEFAULT_BPM: Final = 120.0
MIN_CONFIDENCE: Final = 0.3
"""Below this a reading is not followed."""

_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class MusicClock:
    """The musical position of one frame.

    frames_to_beat / frames_to_bar: frames until the next one begins if the tempo holds, 0 where `frame` begins one.
    bpm: beats (of the metre) a minute. bar: 0-based bar of the phrase that `frame` lies in where phrase_bars is given,
    else a count of bars that never restarts. confidence 0..1: 1 where read from the model's own codes.
    """

    frame: int
    bpm: float = DEFAULT_BPM
    beats_per_bar: int = 4
    frames_to_beat: int = 0
    frames_to_bar: int = 0
    bar: int = 0
    phrase_bars: int | None = None
    confidence: float = 1.0

    @property
    def frames_per_beat(self) -> float:
        return FRAME_RATE * 60.0 / self.bpm

    @property
    def frames_per_bar(self) -> float:
        return self.frames_per_beat * self.beats_per_bar

    @property
    def next_beat(self) -> int:
        """The first frame after this one that begins a beat if the tempo holds."""
        return self.frame + (self.frames_to_beat or math.ceil(self.frames_per_beat - _TOLERANCE))

    @property
    def trusted(self) -> bool:
        return self.confidence >= MIN_CONFIDENCE

    def at(self, frame: int) -> MusicClock:
        """The clock of another frame, later or earlier, if the tempo holds."""
        if frame == self.frame:
            return self
        to_beat = _until(self.frame + self.frames_to_beat, self.frames_per_beat, frame)
        to_bar = _until(self.frame + self.frames_to_bar, self.frames_per_bar, frame)
        bar_began = self.frame if self.frames_to_bar == 0 else self.frame + self.frames_to_bar - self.frames_per_bar
        bar = self.bar + math.floor((frame - bar_began) / self.frames_per_bar + _TOLERANCE)
        if self.phrase_bars is not None:
            bar %= self.phrase_bars
        return MusicClock(frame, self.bpm, self.beats_per_bar, to_beat, to_bar, bar, self.phrase_bars, self.confidence)

    def frames(self, length: Length) -> int:
        """A length in frames at this tempo; what is not nothing lasts at least one frame."""
        if length.value == 0.0:
            return 0
        per_unit = {"s": float(FRAME_RATE), "beats": self.frames_per_beat, "bars": self.frames_per_bar}[length.unit]
        return max(1, round(length.value * per_unit))

    def frames_to(self, exit_point: ExitPoint, phrase_bars: int | None = None) -> int:
        """Frames until the first fitting place, 0 if `frame` itself fits; phrase_bars is the soundtrack's.

        The phrase is the soundtrack's where it divides the clock's (or the clock has none), else the clock's; where
        neither is known an exit cue is the next bar.
        """
        match exit_point:
            case "immediate":
                return 0
            case "next_beat":
                return self.frames_to_beat
            case "next_bar":
                return self.frames_to_bar
            case "exit_cue":
                return self._frames_to_phrase(phrase_bars)

    def _frames_to_phrase(self, wanted: int | None) -> int:
        phrase = self.phrase_bars
        if wanted is not None and (phrase is None or phrase % wanted == 0):
            phrase = wanted
        if phrase is None:
            return self.frames_to_bar
        next_bar = self.bar if self.frames_to_bar == 0 else self.bar + 1
        return self.frames_to_bar + round((-next_bar % phrase) * self.frames_per_bar)


def _until(begins: int, period: float, frame: int) -> int:
    turns = math.ceil((frame - begins) / period - _TOLERANCE)
    return max(0, math.ceil(begins + turns * period - frame - _TOLERANCE))


def grid_clock(frame: int, bpm: float, beats_per_bar: int = 4, *, confidence: float = 1.0) -> MusicClock:
    """A steady clock whose first bar begins at frame 0; bars are counted without end."""
    return MusicClock(0, bpm, beats_per_bar, confidence=confidence).at(frame)
