# SPDX-License-Identifier: Apache-2.0
"""Effect events of a phrase (risers, hits, tolls), which sound in place of counter notes."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Final

from segue_engine.models.starter import tokens as tk

_INDEX: Final = {name: i for i, name in enumerate(tk.EFFECTS)}

# Where each effect makes sense: (bar, step) choices within a phrase.
_PLACES: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "riser": ((7, 0), (3, 0), (6, 8)),
    "cluster": ((2, 0), (3, 8), (5, 0), (6, 0), (1, 8)),
    "sub hit": ((0, 0), (4, 0)),
    "reverse cymbal": ((7, 8), (3, 8)),
    "whoosh": ((7, 12), (3, 12), (5, 8), (1, 8)),
    "scrape": ((1, 4), (3, 6), (4, 10), (6, 2), (2, 12)),
    "thump": ((1, 0), (2, 8), (5, 0), (6, 8)),
    "toll": ((0, 0), (2, 0), (4, 0), (6, 0)),
}


def schedule(rng: Random, rates: Mapping[str, float], intensity: float, frames: int) -> dict[tuple[int, int], int]:
    """Effects of one phrase, (bar, step) to index in `EFFECTS`. A riser in the last bar is answered where it leads.

    `rates` are mean counts per phrase at five frames a sixteenth, so that fast pieces are not crowded; the second
    half echoes half of the first half's events four bars later.
    """
    events: dict[tuple[int, int], int] = {}
    for name, rate in rates.items():
        mean = rate * (0.7 + 0.6 * intensity) * frames / 5.0
        count = int(mean) + (rng.random() < mean - int(mean))
        for place in rng.sample(_PLACES[name], min(count, len(_PLACES[name]))):
            events.setdefault(place, _INDEX[name])
    for (bar, step), effect in list(events.items()):
        if bar < 4 and rng.random() < 0.5:
            events.setdefault((bar + 4, step), effect)
    return events


def arrival(rates: Mapping[str, float], rng: Random) -> int | None:
    """The effect that marks a restart, for styles that have hits: its index, or None."""
    options = [n for n in ("sub hit", "toll", "thump") if rates.get(n, 0.0) >= 0.3]
    return _INDEX[rng.choice(options)] if options and rng.random() < 0.6 else None
