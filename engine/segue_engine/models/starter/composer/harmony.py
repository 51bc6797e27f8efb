# SPDX-License-Identifier: Apache-2.0
"""Chords of a phrase: progressions in a mode, chord qualities that stay in its scale, and pad voicings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

from segue_engine.models.starter import tokens as tk

_PREFERENCE: Final[dict[str, tuple[str, ...]]] = {
    "triad": ("maj", "min", "dim", "sus4", "power"),
    "power": ("power", "dim", "min", "maj"),
    "seventh": ("maj7", "min7", "dom7", "min", "maj", "dim"),
    "sus7": ("maj7", "sus4", "min7", "maj", "min", "power"),
    "dim": ("dim", "min", "sus4", "maj", "power"),
}


@dataclass(frozen=True)
class Chord:
    """A scale degree, its root above the tonic in semitones, and the index of its quality."""

    degree: int
    root: int
    quality: int


@cache
def scale_of(mode: int) -> tuple[int, ...]:
    """Semitones of a mode index above its tonic."""
    return tk.MODE_SCALES[tk.MODES[mode]]


@cache
def chord_tones(quality: int) -> tuple[int, ...]:
    """Semitones of a quality index above the root."""
    return tk.QUALITY_TONES[tk.QUALITIES[quality]]


@cache
def chord_at(mode: int, degree: int, colour: str) -> Chord | None:
    """The chord of a colour on a degree, all of it in the mode's scale; None where there is none (augmented triads)."""
    scale = scale_of(mode)
    root = scale[degree % 7]
    for name in _PREFERENCE[colour]:
        if all((root + t) % 12 in scale for t in tk.QUALITY_TONES[name]):
            return Chord(degree % 7, root, tk.QUALITIES.index(name))
    return None


@cache
def steps_to_semitones(mode: int, degree: int) -> tuple[int, ...]:
    """Semitones above the chord root of scale steps -7 … 28 above it (index + 7)."""
    scale = scale_of(mode)
    out = []
    for step in range(-7, 29):
        octave, index = divmod(degree + step, 7)
        out.append(12 * octave + scale[index] - scale[degree])
    return tuple(out)


def phrase_chords(
    rng: Random, mode: int, progressions: tuple[tuple[int, ...], ...], colour: str, chord_bars: int
) -> list[Chord]:
    """Eight chords, one a bar: a loop of four degrees played twice (or once, two bars each), at times with a
    cadence.
    """
    degrees = list(rng.choice(progressions))
    bars = degrees * 2 if chord_bars == 1 else [d for d in degrees for _ in range(2)]
    if chord_bars == 1 and rng.random() < 0.4:
        bars[6:8] = [degrees[2], 1 if tk.MODES[mode] == "phrdom" else 4]
    chords = []
    for degree in bars:
        chord = chord_at(mode, degree, colour) or chord_at(mode, 0, colour) or chord_at(mode, 0, "power")
        assert chord is not None  # every mode has a fifth on its tonic
        chords.append(chord)
    return chords


@cache
def pad_notes(tonic: int, root: int, quality: int, voicing: int) -> tuple[int, ...]:
    """MIDI notes of a pad code: voicing = inversion × 2 + octave; the lowest `inversion` tones go up an octave."""
    inversion, octave = divmod(voicing, 2)
    low = int(tk.base_midi(tonic)) + int(tk.folded_root(root)) - 12 + 12 * octave
    tones = chord_tones(quality)
    return tuple(sorted(low + t + (12 if i < inversion else 0) for i, t in enumerate(tones)))


def next_voicing(tonic: int, chord: Chord, before: tuple[int, ...], centre: float = 60.0) -> int:
    """Of the eight voicings the one that moves least from `before` (mean semitones) and stays near the centre."""
    best, best_cost = 0, float("inf")
    for voicing in range(8):
        if voicing // 2 >= len(chord_tones(chord.quality)):
            continue
        notes = pad_notes(tonic, chord.root, chord.quality, voicing)
        cost = 0.4 * abs(sum(notes) / len(notes) - centre)
        if before:
            cost += sum(min(abs(n - b) for b in before) for n in notes) / len(notes)
        if cost < best_cost:
            best, best_cost = voicing, cost
    return best
