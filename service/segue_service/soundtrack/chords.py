# SPDX-License-Identifier: Apache-2.0
"""Keys and chords as pitch classes: what "i VI III VII" in "D minor" means in notes. Pitch class 0 is C."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from segue_service.soundtrack.units import Key, note_pitch_class

SCALES: Final[dict[str, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "phrygian dominant": (0, 1, 4, 5, 7, 8, 10),
}
"""Semitones above the tonic, by the modes of `units.MODES`."""

_QUALITIES: Final[dict[str, tuple[int, ...]]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "5": (0, 7),
    "6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "m7b5": (0, 3, 6, 10),
    "dim7": (0, 3, 6, 9),
    "9": (0, 2, 4, 7, 10),
    "maj9": (0, 2, 4, 7, 11),
    "min9": (0, 2, 3, 7, 10),
    "add9": (0, 2, 4, 7),
    "minadd9": (0, 2, 3, 7),
}
_SPELLINGS: Final = {"m": "min", "m6": "min6", "m7": "min7", "m9": "min9", "o": "dim", "+": "aug"}
_OF_MINOR_DEGREES: Final = {"": "min", "6": "min6", "7": "min7", "9": "min9", "add9": "minadd9"}
_ROMAN: Final = {"I": 0, "II": 1, "III": 2, "IV": 3, "V": 4, "VI": 5, "VII": 6}
_DEGREE = re.compile(
    r"(?P<shift>[#b]?)(?P<roman>VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)(?P<rest>[^/]*)(?:/(?P<bass>.+))?"
)
_NAMED = re.compile(r"(?P<root>[A-G][#b]?)(?P<rest>[^/]*)(?:/(?P<bass>.+))?")


@dataclass(frozen=True, slots=True)
class Chord:
    """Pitch classes that sound, ascending, and the one in the bass."""

    pitch_classes: tuple[int, ...]
    bass: int


def is_degree(text: str) -> bool:
    """Whether a chord is written as a degree, which means nothing without a key."""
    return _DEGREE.fullmatch(text) is not None


def scale(key: Key) -> frozenset[int]:
    """The pitch classes of a key."""
    return frozenset((key.pitch_class + step) % 12 for step in SCALES[key.mode])


def read_chord(text: str, key: Key | None) -> Chord:
    """A chord that `units.parse_chord` let through.

    A degree counts on the key's own scale ("VI" in D minor is B flat); with an accidental it counts on the major scale
    ("bVII" is a whole tone below the tonic in any mode). Capitals are major, small letters minor. Raises ValueError for
    a degree without a key.
    """
    degree = _DEGREE.fullmatch(text)
    if degree is None:
        named = _NAMED.fullmatch(text)
        if named is None:
            raise ValueError(f'expected a chord, got "{text}"')
        return _chord(
            note_pitch_class(named["root"]), _SPELLINGS.get(named["rest"], named["rest"] or "maj"), named["bass"]
        )
    if key is None:
        raise ValueError(f'"{text}" is a degree: it needs a key')
    roman, rest = degree["roman"], degree["rest"]
    steps = SCALES["major"] if degree["shift"] else SCALES[key.mode]
    root = key.pitch_class + steps[_ROMAN[roman.upper()]] + {"#": 1, "b": -1}.get(degree["shift"], 0)
    quality = _SPELLINGS.get(rest, rest or "maj")
    if roman.islower():
        quality = _OF_MINOR_DEGREES.get(rest, quality)
    return _chord(root, quality, degree["bass"])


def read_progression(texts: Sequence[str], key: Key | None) -> tuple[Chord, ...]:
    """Chords, one a bar. Raises ValueError as `read_chord`."""
    return tuple(read_chord(text, key) for text in texts)


def _chord(root: int, quality: str, bass: str | None) -> Chord:
    root %= 12
    tones = frozenset((root + step) % 12 for step in _QUALITIES[quality])
    low = root if bass is None else note_pitch_class(bass)
    return Chord(tuple(sorted(tones)), low)
