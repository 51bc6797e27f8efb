# SPDX-License-Identifier: Apache-2.0
"""A soundtrack's `music` section as note conditioning, for models that follow notes and have no clock of their own.

A chord a bar: its tones in one octave around middle C and its bass two octaves lower, struck where the bar begins and
then left to the model to hold or repeat. Pitches outside the key are off everywhere; all others are the model's own
choice, so there is room for melody, runs and fills.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from segue_engine.contract import FRAME_RATE, MASKED, NOTE_OFF, NOTE_ON, NOTE_ONSET, NOTES, Capabilities, Conditioning
from segue_service.soundtrack import Music
from segue_service.soundtrack.chords import Chord, read_progression, scale
from segue_service.soundtrack.clock import DEFAULT_BPM

Notes = tuple[int, ...]
CHORD_LOW: Final = 55
"""The octave of the chord's tones begins at G3, so neighbouring chords share a register and move little."""
BASS_LOW: Final = 36
_TOLERANCE: Final = 1e-6


def follows_score(capabilities: Capabilities) -> bool:
    """Whether a model can be given a score: one with a clock of its own keeps its own tempo and harmony."""
    return capabilities.notes and not capabilities.clock


class Score:
    """Notes by frame of the timeline's frame axis. Immutable; pure."""

    def __init__(self, music: Music) -> None:
        self._period = FRAME_RATE * 60.0 / (music.tempo or DEFAULT_BPM) * (music.meter.beats if music.meter else 4)
        allowed = scale(music.key) if music.key is not None else frozenset(range(12))
        chords = read_progression(music.progression, music.key) if music.progression else ()
        self._struck = tuple(_notes(chord, allowed, NOTE_ONSET) for chord in chords)
        self._held = tuple(_notes(chord, allowed, NOTE_ON) for chord in chords)
        self._plain = _background(allowed) if music.key is not None else None

    def notes(self, frame: int) -> Notes | None:
        """What the frame is to be conditioned with; None where the section says nothing of notes."""
        if not self._struck:
            return self._plain
        bar = math.floor(frame / self._period + _TOLERANCE)
        chords = self._struck if frame == self._begin(bar) else self._held
        return chords[bar % len(chords)]

    def weave(self, entries: Sequence[tuple[int, Conditioning]], limit: int) -> list[tuple[int, Conditioning]]:
        """The entries, and more of them where the notes change before frame `limit`, with their notes."""
        ends = [frame for frame, _ in entries[1:]] + [limit]
        return [
            (at, replace(conditioning, notes=self.notes(at)))
            for (frame, conditioning), end in zip(entries, ends, strict=True)
            for at in (frame, *self._changes(frame + 1, end))
        ]

    def _begin(self, bar: int) -> int:
        return math.ceil(bar * self._period - _TOLERANCE)

    def _changes(self, first: int, end: int) -> Iterator[int]:
        """Frames in first..end-1 at which the notes differ from the frame before."""
        if not self._struck:
            return
        bar = max(0, math.floor((first - 1) / self._period + _TOLERANCE))
        while self._begin(bar) < end:
            for at in (self._begin(bar), self._begin(bar) + 1):
                if first <= at < end:
                    yield at
            bar += 1


def _background(allowed: frozenset[int]) -> Notes:
    return tuple(MASKED if pitch % 12 in allowed else NOTE_OFF for pitch in range(NOTES))


def _notes(chord: Chord, allowed: frozenset[int], how: int) -> Notes:
    notes = list(_background(allowed | frozenset(chord.pitch_classes) | {chord.bass}))
    for pitch_class in chord.pitch_classes:
        notes[CHORD_LOW + (pitch_class - CHORD_LOW) % 12] = how
    notes[BASS_LOW + (chord.bass - BASS_LOW) % 12] = how
    return tuple(notes)
