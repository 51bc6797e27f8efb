# SPDX-License-Identifier: Apache-2.0
"""Motifs: one-bar ideas in scale steps above the chord root, and their exact restatement over other chords."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from segue_engine.models.starter.composer.families import Family
from segue_engine.models.starter.composer.harmony import Chord, chord_tones, scale_of, steps_to_semitones

FORMS: Final = ("AABA", "AABB", "AAAB", "ABAB", "ABAC")
_PHRASES: Final[dict[str, tuple[int, ...]]] = {
    "rise": (1, 1, 2, 1, -1, 2), "fall": (-1, -1, -2, -1, 1, -2), "wave": (1, -1, 2, -2, 1, -2), "arch": (1, 2, 1, -1,
    -2, -1),
    "leap": (2, 2, -2, 4, -4, -2), "repeat": (0, 0, 0, 1, -1, 2), "creep": (1, -1, 1, -1, 0, 1),
}  # fmt: skip


@dataclass
class Motif:
    """Notes (step, length, scale step above the chord root); `exact` keeps each quality's first pitches for
    restatement.
    """

    notes: tuple[tuple[int, int, int], ...]
    exact: dict[int, tuple[int, ...]] = field(default_factory=dict)


def lead_centre(register: float) -> int:
    """Scale step above the low root around which a lead moves; register 0 is about MIDI 72."""
    return round((12 + min(8.0, max(-6.0, register))) * 7 / 12)


def draw_motif(
    rng: Random, family: Family, activity: float, register: float, frames: int, contrast: bool = False
) -> Motif:
    """A one-bar motif in a family's idiom. `activity` 0..1 chooses busier cells, `contrast` a different register
    and shape.
    """
    activity -= 0.25 if frames == 2 else 0.0
    cells = sorted(family.cells, key=len)
    # Busier styles draw from the busier end of the family's own cells.
    reach = min(len(cells) - 1, max(0.0, activity * (len(cells) - 1) + rng.uniform(-1.2, 1.2)))
    first = cells[round(reach)]
    second = (
        first if rng.random() < 0.35 else cells[round(min(len(cells) - 1, max(0.0, reach + rng.uniform(-1.5, 1.0))))]
    )
    places: list[tuple[int, int]] = []
    for half, cell in enumerate((first, second)):
        step = 8 * half
        for length in cell:
            if step < 8 * half + 8:
                places.append((step, min(length, 8 * half + 8 - step)))
            step += length
    kept = [p for i, p in enumerate(places) if i == 0 or rng.random() > 0.12]
    contour = rng.choice(family.contours)
    moves = _PHRASES[contour]
    centre = lead_centre(register) + (rng.choice((-2, 2, 3)) if contrast else 0)
    here = _to_tone(centre + rng.choice((-2, -1, 0, 0, 1, 2)))
    notes: list[tuple[int, int, int]] = []
    for i, (step, length) in enumerate(kept):
        if i:
            move = moves[(i - 1) % len(moves)] if rng.random() < 0.7 else rng.choice((-2, -1, -1, 0, 1, 1, 2))
            here += move
            if here > centre + 6 or here < centre - 5:
                here -= 2 * move
            if contour == "leap" or step % 8 == 0:
                here = _to_tone(here)
            elif here % 7 in (3, 6) and rng.random() < 0.6:
                here += rng.choice((-1, 1))  # fourths and sevenths differ most between chords: keep them rare
        here = min(here, 19)  # the code's range ends three octaves above the low root
        end = kept[i + 1][0] if i + 1 < len(kept) else 16
        held = end - step if family.legato and rng.random() < 0.7 else length
        if not family.legato and held > 1:
            held = max(1, held - (1 if held < 4 else 2))
        notes.append((step, min(held, end - step), here))
    return Motif(tuple(notes))


def _to_tone(step: int) -> int:
    """The nearest scale step that is a root, third or fifth."""
    return min((step + d for d in (0, -1, 1, -2, 2) if (step + d) % 7 in (0, 2, 4)), key=lambda s: abs(s - step))


def _semitones(step: int, mode: int, chord: Chord, strong: bool) -> int:
    """Semitones of a scale step over a chord; on strong beats chord tones of the chord's own quality."""
    above = steps_to_semitones(mode, chord.degree)[min(28, max(-7, step)) + 7]
    if not strong:
        return above
    tones = chord_tones(chord.quality)
    if len(tones) == 2 or above % 12 in tones:  # power chords take the mode's own third
        return above
    return min((above + d for d in (-1, 1, -2, 2, 3) if (above + d) % 12 in tones), key=lambda s: abs(s - above))


def realise(motif: Motif, mode: int, chord: Chord) -> list[tuple[int, int, int]]:
    """(step, length, pitch code) over a chord: the same codes as any earlier statement over this quality, if in key."""
    scale = scale_of(mode)
    kept = motif.exact.get(chord.quality)
    if kept is None or any((chord.root + s) % 12 not in scale for s in kept):
        kept = tuple(_semitones(step, mode, chord, place % 8 == 0) for place, _, step in motif.notes)
        motif.exact.setdefault(chord.quality, kept)
    return [(place, length, min(47, max(0, 12 + s))) for (place, length, _), s in zip(motif.notes, kept, strict=True)]


def close_phrase(notes: list[tuple[int, int, int]], chord: Chord) -> list[tuple[int, int, int]]:
    """Phrase-end variation: the last note becomes the nearest chord root or fifth and rings to the end of the bar."""
    early = [n for n in notes if n[0] <= 12]
    if not early:
        return notes
    place, _, pitch = early[-1]
    fifth = chord_tones(chord.quality)[2] if len(chord_tones(chord.quality)) > 2 else 7
    targets = [p for p in range(48) if (p - 12) % 12 in (0, fifth)]
    return [*early[:-1], (place, 16 - place, min(targets, key=lambda p: abs(p - pitch)))]


def ornament(rng: Random, notes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """A rare grace: one long note repeats after its first half."""
    long = [i for i, n in enumerate(notes) if n[1] >= 4]
    if not long:
        return notes
    i = rng.choice(long)
    place, length, pitch = notes[i]
    half = length // 2
    return [*notes[:i], (place, half, pitch), (place + half, length - half, pitch), *notes[i + 1 :]]


def choose_form(rng: Random, chords: list[Chord], plays: list[bool]) -> str:
    """Eight letters: a form played twice, preferably one whose letters return where the chord quality returns too."""
    weights = []
    for form in FORMS:
        seen: set[tuple[str, int]] = set()
        exact = 0
        for letter, chord, sounds in zip(form * 2, chords, plays, strict=True):
            exact += sounds and (letter, chord.quality) in seen
            if sounds:
                seen.add((letter, chord.quality))
        # More letters need no reward: a form of one letter is not on the list.
        weights.append(2.4**exact)
    return rng.choices(FORMS, weights)[0] * 2


def play_mask(rng: Random, density: float, role: str) -> list[bool]:
    """In which of eight bars the lead plays; halves mostly agree, so that four bars ago is a good guess."""
    if role == "breakdown" and rng.random() < 0.55:
        return [False] * 8
    masks: tuple[str, ...]
    if density >= 0.7:
        masks = ("11111111", "11101110", "11111110")
    elif density >= 0.45:
        masks = ("11111111", "11101110", "11001100", "11011101", "01110111")
    elif density >= 0.25:
        masks = ("10101010", "11001100", "00001111", "10001000", "01010101")
    else:
        masks = ("10001000", "00100010", "10000000", "00110000", "00000000")
    return [c == "1" for c in rng.choice(masks)]
