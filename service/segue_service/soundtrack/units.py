# SPDX-License-Identifier: Apache-2.0
"""Quantities as composers write them: lengths ("2 bars"), levels ("-18 LUFS"), metres ("4/4"), keys, chords."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

FRAME_RATE: Final = 25
"""Frames a second, of every model (design.md §1)."""

MAX_SECONDS: Final = 3600.0
MAX_MUSICAL: Final = 1024.0

LengthUnit = Literal["s", "beats", "bars"]

_LENGTH = re.compile(r"(?P<value>[0-9]+(?:\.[0-9]+)?)\s*(?P<unit>[a-z]+)?")
_UNITS: Final[dict[str, tuple[LengthUnit, float]]] = {
    "s": ("s", 1.0),
    "sec": ("s", 1.0),
    "second": ("s", 1.0),
    "seconds": ("s", 1.0),
    "ms": ("s", 0.001),
    "min": ("s", 60.0),
    "beat": ("beats", 1.0),
    "beats": ("beats", 1.0),
    "bar": ("bars", 1.0),
    "bars": ("bars", 1.0),
}
LENGTH_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?\s*(s|sec|seconds?|ms|min|beats?|bars?)$"

MODES: Final[tuple[str, ...]] = (
    "major",
    "minor",
    "harmonic minor",
    "lydian",
    "mixolydian",
    "dorian",
    "phrygian",
    "phrygian dominant",
)
_MODE_ALIASES: Final = {"ionian": "major", "aeolian": "minor", "natural minor": "minor", "maj": "major", "min": "minor"}
_LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
KEY_PATTERN: Final = rf"^[A-G][#b]? ({'|'.join(MODES)}|ionian|aeolian|natural minor|maj|min)$"
METER_PATTERN: Final = r"^([1-9]|1[0-6])/(1|2|4|8|16)$"
_QUALITY: Final = r"(?:maj7|maj9|maj|min7|min|m7b5|m7|m6|m9|m|dim7|dim|aug|sus2|sus4|add9|7|9|6|5|o|\+)?"
CHORD_PATTERN: Final = rf"^(?:[#b]?(?:VII|VI|IV|V|III|II|I|vii|vi|iv|v|iii|ii|i)|[A-G][#b]?){_QUALITY}(?:/[A-G][#b]?)?$"
_CHORD = re.compile(CHORD_PATTERN)


class UnitError(ValueError):
    """A quantity that can't be read; the message says what was expected. offset counts characters into the text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Length:
    """A stretch of time in seconds, beats or bars; becomes frames where it begins (`MusicClock.frames`)."""

    value: float
    unit: LengthUnit = "s"

    def __str__(self) -> str:
        unit = self.unit[:-1] if self.unit != "s" and self.value == 1 else self.unit
        return f"{plain_number(self.value)} {unit}"


ZERO: Final = Length(0.0, "s")


@dataclass(frozen=True, slots=True)
class Meter:
    """beats per bar, and which note value one beat is."""

    beats: int
    unit: int

    def __str__(self) -> str:
        return f"{self.beats}/{self.unit}"


@dataclass(frozen=True, slots=True)
class Key:
    """tonic as written ("F#"), its pitch class 0..11, and a mode of `MODES`."""

    tonic: str
    mode: str

    @property
    def pitch_class(self) -> int:
        return note_pitch_class(self.tonic)

    def __str__(self) -> str:
        return f"{self.tonic} {self.mode}"


def note_pitch_class(name: str) -> int:
    """ "F#" → 6; C is 0."""
    return (_LETTERS[name[0]] + {"#": 1, "b": -1}.get(name[1:], 0)) % 12


def plain_number(value: float) -> str:
    """The shortest text that reads back as the same number, without an exponent for everyday sizes."""
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else repr(float(value))


def parse_length(raw: object) -> Length:
    """ "0.5 s", "250 ms", "1 beat", "2 bars" → Length. Raises UnitError."""
    if isinstance(raw, Length):
        return raw
    expected = 'expected a length such as "0.5 s", "1 beat" or "2 bars"'
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise UnitError(f"{expected}, got {describe(raw)}")
    text = str(raw).strip().lower()
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise UnitError(f"{expected}, got {describe(raw)}")
    number = float(found["value"])
    if found["unit"] is None:
        raise UnitError(f'{expected}; {plain_number(number)} has no unit. Did you mean "{plain_number(number)} s"?')
    if found["unit"] not in _UNITS:
        raise UnitError(f'{expected}; there is no unit "{found["unit"]}"')
    unit, scale = _UNITS[found["unit"]]
    value = round(number * scale, 9)
    limit = MAX_SECONDS if unit == "s" else MAX_MUSICAL
    if not value <= limit:
        raise UnitError(f"expected at most {plain_number(limit)} {unit}, got {describe(raw)}")
    return Length(value, unit)


def parse_level(raw: object, unit: str, low: float, high: float) -> float:
    """ "-18 LUFS" → −18.0, within low..high; a bare number is taken as being in `unit`. Raises UnitError."""
    expected = f'expected a level such as "{plain_number((low + high) // 2)} {unit}"'
    value = math.nan
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        value = float(raw)
    elif isinstance(raw, str):
        found = re.fullmatch(rf"([+-]?[0-9]+(?:\.[0-9]+)?)\s*(?:{unit})?", raw.strip(), re.IGNORECASE)
        if found is not None:
            value = float(found[1])
    if math.isnan(value):
        raise UnitError(f"{expected}, got {describe(raw)}")
    if not low <= value <= high:
        raise UnitError(
            f"expected {plain_number(low)} to {plain_number(high)} {unit}, got {plain_number(value)} {unit}"
        )
    return value


def parse_meter(raw: object) -> Meter:
    """ "4/4" → Meter(4, 4). Raises UnitError."""
    if isinstance(raw, Meter):
        return raw
    if not isinstance(raw, str) or re.fullmatch(METER_PATTERN, raw.strip()) is None:
        raise UnitError(f'expected a metre such as "4/4", "3/4" or "6/8", got {describe(raw)}')
    beats, unit = raw.strip().split("/")
    return Meter(int(beats), int(unit))


def parse_key(raw: object) -> Key:
    """ "D minor" → Key("D", "minor"). Raises UnitError."""
    if isinstance(raw, Key):
        return raw
    expected = 'expected a key such as "D minor" or "F# dorian"'
    found = re.fullmatch(r"([A-G][#b]?)\s+([A-Za-z ]+)", raw.strip()) if isinstance(raw, str) else None
    if found is None:
        raise UnitError(f"{expected}, got {describe(raw)}")
    mode = " ".join(found[2].lower().split())
    mode = _MODE_ALIASES.get(mode, mode)
    if mode not in MODES:
        raise UnitError(f'{expected}; there is no mode "{mode}" (modes: {", ".join(MODES)})')
    return Key(found[1], mode)


def parse_chord(raw: object) -> str:
    """A chord as a degree ("i", "VI", "bVII", "V7") or by name ("Dm", "Bbmaj7"). Raises UnitError."""
    if not isinstance(raw, str) or _CHORD.fullmatch(raw.strip()) is None:
        raise UnitError(f'expected a chord such as "i", "bVII", "V7", "Dm" or "Bbmaj7", got {describe(raw)}')
    return raw.strip()


def describe(raw: object, limit: int = 40) -> str:
    """How a wrong value is quoted in a message."""
    if raw is None:
        return "nothing"
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str):
        return f'"{raw[:limit]}…"' if len(raw) > limit else f'"{raw}"'
    if isinstance(raw, (int, float)):
        return plain_number(raw) if math.isfinite(raw) else str(raw)
    if isinstance(raw, dict):
        return "a map"
    if isinstance(raw, (list, tuple)):
        return "a list"
    return type(raw).__name__
