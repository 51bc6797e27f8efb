# SPDX-License-Identifier: Apache-2.0
"""The starter's token layout: twelve codes a frame, six that plan and six that play.

Levels 0-5 are *plan* codes (clock, key, chord, two palettes, mix) and are written on every frame; levels 6-11 are
*event* codes (drums and five voices). Each code is a mixed-radix number of small named fields, so that code, embedding
and synthesiser all read the same table. Nothing here needs history: a decoder that joins late is right at once.

numpy only; arrays that are indexed on the device are plain int32 tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int32]

LEVELS: Final = 12
PLAN_LEVELS: Final = 6
CLOCK, KEY, CHORD, PALETTE_LOW, PALETTE_HIGH, MIX, DRUMS, BASS, PAD, ARP, LEAD, COUNTER = range(LEVELS)

STEPS_PER_BAR: Final = 16
STEPS_PER_BEAT: Final = 4
BARS_PER_PHRASE: Final = 8
FRAMES_PER_STEP: Final = (2, 3, 4, 5, 6)  # tempo classes: 187.5, 125, 93.75, 75 and 62.5 BPM
MAX_FRAMES_PER_BAR: Final = 6 * STEPS_PER_BAR

MODES: Final = ("maj", "lyd", "mix", "dor", "min", "phr", "harm", "phrdom")
MODE_SCALES: Final[Mapping[str, tuple[int, ...]]] = {
    "maj": (0, 2, 4, 5, 7, 9, 11),
    "lyd": (0, 2, 4, 6, 7, 9, 11),
    "mix": (0, 2, 4, 5, 7, 9, 10),
    "dor": (0, 2, 3, 5, 7, 9, 10),
    "min": (0, 2, 3, 5, 7, 8, 10),
    "phr": (0, 1, 3, 5, 7, 8, 10),
    "harm": (0, 2, 3, 5, 7, 8, 11),
    "phrdom": (0, 1, 4, 5, 7, 8, 10),
}
QUALITIES: Final = ("maj", "min", "dim", "sus4", "maj7", "min7", "dom7", "power")
QUALITY_TONES: Final[Mapping[str, tuple[int, ...]]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "dom7": (0, 4, 7, 10),
    "power": (0, 7),
}
MOTIFS: Final = ("rest", "A", "B", "C")  # which motif the lead states in this bar

BASS_PATCHES: Final = ("sub", "upright", "saw", "pulse", "fm", "low strings", "drone", "drive")
KITS: Final = ("acoustic", "electronic", "orchestral", "chip")
BEDS: Final = ("none", "wind", "rain", "bubbles", "vinyl", "rumble", "forest", "hum")
COUNTER_PATCHES: Final = ("soft bell", "strings", "pulse", "brass stab")
PAD_PATCHES: Final = ("warm", "strings", "choir", "glass", "organ", "dark drone", "airy", "brass")
ARP_PATCHES: Final = ("harp", "bell", "pulse", "saw pluck", "marimba", "staccato strings", "e-piano", "oud")
LEAD_PATCHES: Final = ("flute", "piano", "saw", "pulse", "violin", "oud", "e-piano", "horn")
DRUM_VOICES: Final = ("kick", "snare", "clap", "closed hat", "open hat", "tom", "crash", "shaker")
EFFECTS: Final = ("riser", "cluster", "sub hit", "reverse cymbal", "whoosh", "scrape", "thump", "toll")

SILENT: Final = 0
HOLD: Final = 1
FIRST_ONSET: Final = 2


@dataclass(frozen=True)
class Field:
    """One mixed-radix digit of a code: `size` values of `vocabulary`, a key of the shared embedding tables."""

    name: str
    size: int
    vocabulary: str


@dataclass(frozen=True)
class Codebook:
    """One level. A plan code or drum code is `fields`, most significant first.

    A voice (`voice=True`) has 0 = silent, 1 = hold, then onsets, each a mixed-radix number of `fields`; the counter's
    codes after its onsets start one of `EFFECTS` in place of a note.
    """

    level: int
    name: str
    fields: tuple[Field, ...]
    voice: bool = False
    effects: int = 0

    @cached_property
    def onsets(self) -> int:
        """How many codes the fields span."""
        return int(np.prod([f.size for f in self.fields]))

    @cached_property
    def size(self) -> int:
        """How many codes the level has."""
        return self.onsets + self.effects + (FIRST_ONSET if self.voice else 0)

    def encode(self, **values: ArrayLike) -> IntArray:
        """Code of the named fields, elementwise. For a voice this is an onset. Raises ValueError out of range."""
        if set(values) != {f.name for f in self.fields}:
            raise ValueError(f"{self.name}: expected fields {[f.name for f in self.fields]}, got {sorted(values)}")
        code = np.zeros((), np.int64)
        for field in self.fields:
            value = np.asarray(values[field.name], np.int64)
            if value.size and (value.min() < 0 or value.max() >= field.size):
                raise ValueError(f"{self.name}.{field.name}: expected 0..{field.size - 1}, got {value}")
            code = code * field.size + value
        return np.asarray(code + (FIRST_ONSET if self.voice else 0), np.int32)

    def decode(self, code: ArrayLike) -> dict[str, IntArray]:
        """Fields of a code, elementwise; of silent, hold and effect codes the digits mean nothing."""
        rest = np.clip(np.asarray(code, np.int64) - (FIRST_ONSET if self.voice else 0), 0, self.onsets - 1)
        out: dict[str, IntArray] = {}
        for field in reversed(self.fields):
            rest, digit = np.divmod(rest, field.size)
            out[field.name] = digit.astype(np.int32)
        return dict(reversed(out.items()))

    def table(self, name: str) -> IntArray:
        """Value of field `name` for every code of the level, [size]: for lookups on the device."""
        return self.decode(np.arange(self.size))[name]


CODEBOOKS: Final[tuple[Codebook, ...]] = (
    Codebook(CLOCK, "clock", (Field("position", 320, "clock"),)),
    Codebook(KEY, "key", (Field("tonic", 12, "tonic"), Field("mode", 8, "mode"), Field("bar", 8, "bar"))),
    Codebook(CHORD, "chord", (Field("root", 12, "root"), Field("quality", 8, "quality"), Field("motif", 4, "motif"))),
    Codebook(
        PALETTE_LOW,
        "palette_low",
        (
            Field("bass", 8, "bass_patch"),
            Field("kit", 4, "kit"),
            Field("bed", 8, "bed"),
            Field("counter", 4, "counter_patch"),
        ),
    ),
    Codebook(
        PALETTE_HIGH,
        "palette_high",
        (Field("pad", 8, "pad_patch"), Field("arp", 8, "arp_patch"), Field("lead", 8, "lead_patch")),
    ),
    Codebook(
        MIX,
        "mix",
        (
            Field("intensity", 8, "intensity"),
            Field("reverb", 4, "reverb"),
            Field("brightness", 4, "brightness"),
            Field("drums", 2, "drums_on"),
        ),
    ),
    Codebook(DRUMS, "drums", (Field("hits", 256, "hits"), Field("accent", 2, "accent"))),
    Codebook(BASS, "bass", (Field("pitch", 36, "bass_pitch"), Field("velocity", 2, "velocity2")), voice=True),
    Codebook(PAD, "pad", (Field("voicing", 8, "voicing"), Field("velocity", 2, "velocity2")), voice=True),
    Codebook(ARP, "arp", (Field("pitch", 48, "pitch"), Field("velocity", 2, "velocity2")), voice=True),
    Codebook(LEAD, "lead", (Field("pitch", 48, "pitch"), Field("velocity", 3, "velocity3")), voice=True),
    Codebook(
        COUNTER,
        "counter",
        (Field("pitch", 48, "pitch"), Field("velocity", 2, "velocity2")),
        voice=True,
        effects=len(EFFECTS),
    ),
)
SIZES: Final[tuple[int, ...]] = tuple(c.size for c in CODEBOOKS)
OFFSETS: Final[tuple[int, ...]] = tuple(int(x) for x in np.cumsum((0, *SIZES)))  # of a level in a joint table
FIRST_EFFECT: Final = CODEBOOKS[COUNTER].size - len(EFFECTS)


# -- clock ------------------------------------------------------------------------------------------------------------

_BAR_FRAMES = np.array([f * STEPS_PER_BAR for f in FRAMES_PER_STEP])
CLOCK_OFFSETS: Final[tuple[int, ...]] = tuple(int(x) for x in np.cumsum((0, *_BAR_FRAMES[:-1])))
_clock = np.arange(SIZES[CLOCK])

CLOCK_TEMPO: Final[IntArray] = (np.searchsorted(CLOCK_OFFSETS, _clock, side="right") - 1).astype(np.int32)
"""Tempo class of each clock code, [320]; frames per sixteenth = FRAMES_PER_STEP[class]."""
CLOCK_FRAMES: Final[IntArray] = np.array(FRAMES_PER_STEP, np.int32)[CLOCK_TEMPO]
"""Frames per sixteenth step of each clock code, [320]."""
CLOCK_POSITION: Final[IntArray] = (_clock - np.array(CLOCK_OFFSETS)[CLOCK_TEMPO]).astype(np.int32)
"""Frame within the bar of each clock code, [320]."""
CLOCK_STEP: Final[IntArray] = (CLOCK_POSITION // CLOCK_FRAMES).astype(np.int32)
"""Sixteenth step within the bar, 0..15, [320]."""
CLOCK_SUBFRAME: Final[IntArray] = (CLOCK_POSITION % CLOCK_FRAMES).astype(np.int32)
"""Frame within the step, [320]; 0 is on the grid."""
CLOCK_SUCCESSOR: Final[IntArray] = np.where(
    _BAR_FRAMES[CLOCK_TEMPO] == CLOCK_POSITION + 1, np.array(CLOCK_OFFSETS)[CLOCK_TEMPO], _clock + 1
).astype(np.int32)
"""The clock code of the following frame at the same tempo, [320]."""


def clock_code(tempo: ArrayLike, position: ArrayLike) -> IntArray:
    """Clock code of a tempo class (index into FRAMES_PER_STEP) and a frame within the bar, elementwise."""
    return np.asarray(np.array(CLOCK_OFFSETS)[np.asarray(tempo)] + np.asarray(position), np.int32)


def tempo_bpm(clock: ArrayLike) -> NDArray[np.float64]:
    """Beats (quarter notes) per minute of a clock code: 25 frames/s · 60 / (4 · frames per sixteenth)."""
    return np.asarray(25.0 * 60.0 / (STEPS_PER_BEAT * CLOCK_FRAMES[np.asarray(clock)]), np.float64)


# -- pitch ------------------------------------------------------------------------------------------------------------

_VOICE_OFFSET: Final[Mapping[int, int]] = {BASS: -24, ARP: 0, LEAD: 0, COUNTER: 0}


def base_midi(tonic: ArrayLike) -> IntArray:
    """The tonic folded into MIDI 54..65."""
    return np.asarray(54 + (np.asarray(tonic) - 6) % 12, np.int32)


def folded_root(root: ArrayLike) -> IntArray:
    """Chord root above the tonic folded into -4..+7 semitones, so that voices stay in their register."""
    return np.asarray((np.asarray(root) + 4) % 12 - 4, np.int32)


def voice_midi(level: int, pitch: ArrayLike, tonic: ArrayLike, root: ArrayLike) -> IntArray:
    """MIDI note of a pitched voice (bass, arp, lead, counter): chord-root-relative, every semitone reachable.

    MIDI = base(tonic) + folded root + pitch - 12, the bass two octaves lower.
    """
    return np.asarray(base_midi(tonic) + folded_root(root) + np.asarray(pitch) - 12 + _VOICE_OFFSET[level], np.int32)


def voice_pitch(level: int, midi: ArrayLike, tonic: ArrayLike, root: ArrayLike) -> IntArray:
    """Inverse of `voice_midi`; the caller checks the range (0..35 for the bass, 0..47 else)."""
    return np.asarray(np.asarray(midi) - base_midi(tonic) - folded_root(root) + 12 - _VOICE_OFFSET[level], np.int32)


# -- factors ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Factors:
    """How codes share embedding vectors: code c of level q sums the rows `columns[OFFSETS[q] + c]` (-1 = no row)."""

    names: tuple[str, ...]
    columns: IntArray  # [sum of SIZES, width]

    @property
    def count(self) -> int:
        return len(self.names)


def build_factors() -> Factors:
    """Factor columns of every code: clock by tempo, step, beat and sub-frame; every field; pitch classes; kinds."""
    names: list[str] = []
    index: dict[str, int] = {}

    def column(name: str) -> int:
        if name not in index:
            index[name] = len(names)
            names.append(name)
        return index[name]

    rows: list[list[int]] = []
    for book in CODEBOOKS:
        fields = book.decode(np.arange(book.size))
        for code in range(book.size):
            labels: list[str] = []
            if book.level == CLOCK:
                frames, step, sub = int(CLOCK_FRAMES[code]), int(CLOCK_STEP[code]), int(CLOCK_SUBFRAME[code])
                labels += [f"tempo/{frames}", f"step/{step}", f"beat step/{step % 4}", f"subframe/{sub}"]
                labels += ["first subframe"] * (sub == 0) + ["last subframe"] * (sub == frames - 1)
                labels += ["last step"] * (step == STEPS_PER_BAR - 1)
            elif book.level == DRUMS:
                hits = int(fields["hits"][code])
                labels += [f"{book.name}/{v}" for i, v in enumerate(DRUM_VOICES) if hits >> i & 1]
                labels += [f"{book.name}/accent/{int(fields['accent'][code])}"] + [f"{book.name}/none"] * (hits == 0)
            elif book.voice and code < FIRST_ONSET:
                labels += [f"{book.name}/{'silent' if code == SILENT else 'hold'}"]
            elif book.effects and code >= FIRST_EFFECT:
                labels += ["effect", f"effect/{code - FIRST_EFFECT}"]
            else:
                prefix = f"{book.name}/" if book.voice else ""
                labels += [f"{prefix}{f.vocabulary}/{int(fields[f.name][code])}" for f in book.fields]
                if "pitch" in fields:
                    labels += [f"{book.name}/onset", f"{book.name}/class/{int(fields['pitch'][code]) % 12}"]
            rows.append([column(label) for label in labels])
    width = max(len(r) for r in rows)
    columns = np.full((len(rows), width), -1, np.int32)
    for i, row in enumerate(rows):
        columns[i, : len(row)] = row
    return Factors(tuple(names), columns)
