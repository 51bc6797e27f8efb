# SPDX-License-Identifier: Apache-2.0
"""Bass, arpeggio, pad and counter patterns, as notes in one bar relative to the chord."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

from segue_engine.models.starter.composer.harmony import chord_tones

Note = tuple[int, int, int, int]
"""(step 0..15, length in steps, pitch code above the chord root, velocity)."""

# (step, length, degree): r root, 5 fifth, o octave, t third, a approach to the next chord.
_BASS: Final[dict[str, str]] = {
    "whole": "0:16r", "drone": "0:16r", "half": "0:8r 8:8r", "root5": "0:4r 4:2r 8:4f 12:4f",
    "eighth": "0:2r 2:2r 4:2r 6:2r 8:2r 10:2r 12:2r 14:2a", "octave": "0:2r 2:2o 4:2r 6:2o 8:2r 10:2o 12:2r 14:2o",
    "gallop": "0:2r 2:1r 3:1r 4:2r 6:1r 7:1r 8:2r 10:1r 11:1r 12:2f 14:1r 15:1r",
    "sixteen": "0:1r 1:1r 2:1o 3:1r 4:1r 5:1r 6:1o 7:1r 8:1r 9:1r 10:1o 11:1r 12:1r 13:1r 14:1o 15:1f",
    "lofi": "0:6r 7:2r 10:4f 14:2a", "walk": "0:4r 4:4t 8:4f 12:4a", "sync": "0:3r 3:3r 6:2f 10:2r 12:3o",
    "sparse": "0:3r 10:2f",
}  # fmt: skip
BASS_PATTERNS: Final = tuple(_BASS)
BASS_FASTER: Final = {"whole": "half", "drone": "half", "half": "eighth", "root5": "eighth", "sparse": "sync",
"eighth": "gallop",
                      "lofi": "sync", "walk": "eighth", "octave": "sixteen"}  # fmt: skip
BASS_SLOWER: Final = {"gallop": "eighth", "eighth": "half", "octave": "half", "sixteen": "eighth", "half": "whole",
"root5": "half",
                      "sync": "sparse", "lofi": "half", "walk": "half"}  # fmt: skip
_HALVED: Final = {"gallop": "eighth", "sixteen": "eighth"}


def bass_notes(pattern: str, quality: int, frames: int, approach: int, loud: bool) -> list[Note]:
    """Bass of one bar. `approach` is the semitone distance of the scale tone that leads on to the next chord."""
    tones = chord_tones(quality)
    third = tones[1] if len(tones) > 2 else 7
    fifth = tones[-1] if len(tones) < 4 else tones[2]
    pitch = {"r": 12, "f": 12 + fifth, "o": 24, "t": 12 + third, "a": 12 + approach}
    out = []
    for item in _BASS[_HALVED.get(pattern, pattern) if frames == 2 else pattern].split():
        step, rest = item.split(":")
        out.append((int(step), int(rest[:-1]), pitch[rest[-1]], int(loud or int(step) % 8 == 0)))
    return out


# grid in steps, chord-tone indices (continued over octaves), gate in steps; per half bar unless longer.
_ARP: Final[dict[str, tuple[int, tuple[int, ...], int]]] = {
    "up8": (2, (0, 1, 2, 3, 4, 3, 2, 1), 2), "updown8": (2, (0, 2, 1, 2, 3, 2, 1, 2), 2),
    "up16": (1, (0, 1, 2, 3, 0, 1, 2, 3), 1), "chip16": (1, (0, 1, 2), 1), "alberti": (2, (0, 2, 1, 2), 2),
    "ost16": (1, (0, 0, 2, 0, 1, 0, 2, 1), 1), "ost8": (2, (0, 0, 2, 0, 1, 0, 2, 1), 1), "broken4": (4, (0, 1, 2, 1),
    4),
    "slow": (8, (0, 2), 8), "ping": (2, (0, 3, 1, 4, 2), 1),
}  # fmt: skip
_COMP: Final = ((0, 3), (3, 4), (8, 3), (11, 4))
ARP_PATTERNS: Final = (*_ARP, "comp", "sparse", "none")
ARP_FASTER: Final = {"slow": "up8", "sparse": "slow", "comp": "alberti", "ping": "up8", "broken4": "updown8",
"up8": "up16",
                     "updown8": "up16", "alberti": "up16", "ost8": "ost16"}  # fmt: skip
ARP_SLOWER: Final = {"up16": "up8", "chip16": "up8", "ost16": "ost8", "up8": "broken4", "updown8": "broken4",
                     "alberti": "broken4", "ost8": "slow", "ping": "sparse", "broken4": "slow",
                     "comp": "sparse"}  # fmt: skip
_ARP_HALVED: Final = {"up16": "up8", "chip16": "alberti", "ost16": "ost8"}


@cache
def tone_at(quality: int, index: int) -> int:
    """Semitones of chord tone `index` above the root, continued over octaves (index may exceed the chord)."""
    tones = chord_tones(quality)
    if len(tones) == 2:
        tones = (0, 7)
    octave, place = divmod(index, len(tones))
    return 12 * octave + tones[place]


def arp_notes(
    pattern: str, quality: int, frames: int, lift: int, sparse: list[tuple[int, int]], loud: bool
) -> list[Note]:
    """Arpeggio of one bar. `lift` is 0, 12 (octaves above the root); `sparse` are (step, tone index) of the sparse
    pattern.
    """
    base = 12 + lift
    if pattern == "none":
        return []
    if pattern == "sparse":
        return [(step, min(4, 16 - step), base + tone_at(quality, index), 0) for step, index in sparse]
    if pattern == "comp":
        return [
            (step, length, base + tone_at(quality, 1 + i % 3), int(step == 0)) for i, (step, length) in enumerate(_COMP)
        ]
    grid, order, gate = _ARP[_ARP_HALVED.get(pattern, pattern) if frames == 2 else pattern]
    out = []
    for i, step in enumerate(range(0, 16, grid)):
        strong = step % 8 == 0 or (loud and step % 4 == 0)
        # Eighths that do not divide the bar (ping) start over at each bar line, so that bars repeat exactly.
        out.append((step, gate, base + tone_at(quality, order[i % len(order)]), int(strong)))
    return out


def sparse_hits(rng: Random) -> list[list[tuple[int, int]]]:
    """Bell places of two alternating bars for the sparse arpeggio: (step, tone index) lists."""
    steps = (0, 4, 6, 8, 10, 12, 14)
    first = sorted(rng.sample(steps, rng.choice((1, 2, 2, 3))))
    second = sorted(rng.sample(steps, rng.choice((0, 1, 2))))
    return [[(s, rng.choice((0, 1, 2, 2, 3, 4))) for s in row] for row in (first, second)]


PAD_PATTERNS: Final = ("sustain", "offbeat", "accent", "pump", "none")


def pad_places(pattern: str) -> tuple[tuple[int, int], ...]:
    """(step, length) of pad onsets in a bar; sustained pads are handled by the chord's length instead."""
    return {
        "offbeat": ((4, 2), (12, 2)),
        "accent": ((0, 12), (12, 4)),
        "pump": ((2, 2), (6, 2), (10, 2), (14, 2)),
        "none": (),
    }.get(pattern, ((0, 16),))


@dataclass(frozen=True)
class CounterLine:
    """A phrase's counter material: (step, length, tone index, velocity) of even and odd bars, and the bars that
    play.
    """

    bars: tuple[tuple[tuple[int, int, int, int], ...], tuple[tuple[int, int, int, int], ...]]
    lift: int
    plays: tuple[bool, ...]


_STABS: Final = (((0, 2), (6, 2)), ((0, 2), (6, 2), (12, 2)), ((0, 1), (3, 1), (6, 2)), ((4, 2), (12, 3)))
_FILLS: Final = ((2, 6, 10, 14), (6, 14), (3, 7, 11), (10, 12, 14), (2, 10), (6, 8, 14))


def counter_line(rng: Random, kind: str, share: float, lead_plays: list[bool]) -> CounterLine:
    """Draw the counter of a phrase. Its bars repeat exactly; "answer" and "echo" fill the bars where the lead rests."""
    rows: list[tuple[tuple[int, int, int, int], ...]] = []
    lift = 12
    for bar in range(2):
        if kind == "stabs":
            places = rows and rng.random() < 0.6 and rows[0]
            rows.append(tuple(places) if places else tuple((s, n, 2 if s else 1, 1) for s, n in rng.choice(_STABS)))
        elif kind == "fanfare":
            rows.append(
                ((0, 3, 0, 1), (3, 1, 0, 0), (4, 4, 1, 1), (8, 8, 2, 1)) if bar == 0 else ((0, 4, 2, 1), (4, 12, 1, 0))
            )
        elif kind == "long":
            a, b = rng.choice(((1, 2), (2, 1), (0, 1), (2, 3)))
            rows.append(((0, 8, a, 0), (8, 8, b, 0)) if rng.random() < 0.6 else ((0, 16, a, 0),))
            lift = 0
        elif kind == "bells":
            rows.append(tuple((s, 2, rng.choice((1, 2, 3, 4)), 0) for s in rng.choice(_FILLS)))
            lift = 24 if rng.random() < 0.4 else 12
        else:  # answer, echo
            cell = rng.choice(((0, 2), (2, 2), (4, 4), (8, 6)) if kind == "echo" else ((4, 2), (6, 2), (8, 4), (12, 4)))
            steps = ((cell[0], cell[1]), (8, 2), (10, 2), (12, 4)) if cell[0] < 8 else ((0, 4), (cell[0], 4))
            rows.append(tuple((s, n, rng.choice((0, 1, 2, 3)), 0) for s, n in steps))
    if kind in ("answer", "echo") and not all(lead_plays):
        plays = [not p and rng.random() < 0.5 + share for p in lead_plays]
    else:
        masks = ("00000000", "00010001", "01010101", "00110011", "00001111", "11111111")
        reach = min(len(masks) - 1, max(0, round(share * 5 + rng.uniform(-1.4, 1.4))))
        plays = [c == "1" for c in masks[reach]]
    return CounterLine((rows[0], rows[1]), lift, tuple(plays))
