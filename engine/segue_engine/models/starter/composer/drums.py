# SPDX-License-Identifier: Apache-2.0
"""Drum patterns: one table of priorities gives every density, so that intensity opens a pattern smoothly."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Final

from segue_engine.models.starter import tokens as tk

_BIT: Final = {name: 1 << i for i, name in enumerate(tk.DRUM_VOICES)}
CRASH: Final = _BIT["crash"]

# Sixteen steps of priorities 1-9; a hit sounds where priority >= 10 - 10 · density.
_PATTERNS: Final[dict[str, dict[str, str]]] = {
    "none": {},
    "light": {
        "kick": "9.......6.......",
        "shaker": "7.5.7.5.7.5.7.5.",
        "clap": "....4.......7...",
        "tom": "..............3.",
    },
    "stealth": {
        "kick": "9.....7...5.....",
        "closed hat": "7.6.7.6.7.6.7.63",
        "clap": "....7.......8..4",
        "shaker": "..3...3...3...3.",
    },
    "war": {
        "tom": "9..7..8.9..7..86",
        "kick": "9.......8.....6.",
        "snare": "....6..3....7.33",
        "shaker": "5.4.5.4.5.4.5.4.",
    },
    "taiko": {
        "tom": "9..9..9.9.9.7.66",
        "kick": "9.....9...9.....",
        "snare": "....7.......8.55",
        "crash": "4...............",
    },
    "metal": {
        "kick": "9.778.779.778.77",
        "snare": "....9.......9...",
        "closed hat": "8.8.8.8.8.8.8.8.",
        "tom": "..............45",
    },
    "march": {
        "snare": "9..98.7.9..98.77",
        "kick": "9...6...9...6...",
        "tom": "........5.....5.",
        "crash": "3...............",
    },
    "folk": {
        "kick": "9.....6.8.......",
        "clap": "....8.......8..4",
        "shaker": "9.679.679.679.67",
        "tom": "......5.......5.",
    },
    "heartbeat": {"kick": "9..8............", "tom": "..............2."},
    "four": {
        "kick": "9...9...9...9...",
        "snare": "....9.......9...",
        "clap": "....7.......7..3",
        "open hat": "..8...8...8...8.",
        "closed hat": "5.46....5.465.46",
    },
    "outrun": {
        "kick": "9.....9...9.....",
        "snare": "....9.......9...",
        "clap": "....6.......6...",
        "closed hat": "8.7.8.7.8.7.8.7.",
        "tom": ".............444",
    },
    "boombap": {"kick": "9..4...6..9..3..", "snare": "....9.......9..3", "closed hat": "9.8.9.8.9.8.9.85"},
    "chip": {"kick": "9.....6.9...6...", "snare": "....9.......9.5.", "closed hat": "8.6.8.6.8.6.8.64"},
    "maqsum": {
        "tom": "9.......9.......",
        "clap": "..9...8.....9...",
        "shaker": "6.4.6.4.6.4.6.44",
        "kick": "7.......6.......",
    },
    "minimal": {"kick": "9.......8.......", "closed hat": "..8...7...8...7.", "clap": "............7..."},
    "rock": {
        "kick": "9.....7.9.6.....",
        "snare": "....9.......9...",
        "closed hat": "9.8.9.8.9.8.9.8.",
        "open hat": "..............4.",
    },
    "clock": {
        "clap": "9...7...9...7.4.",
        "closed hat": "..7...7...7...75",
        "shaker": "5.4.5.4.5.4.5.4.",
        "kick": "8.......6.......",
    },
    "sleigh": {"shaker": "9.8.9.8.9.8.9.8.", "kick": "7...............", "closed hat": "....4.......4..."},
}
PATTERNS: Final[tuple[str, ...]] = tuple(_PATTERNS)

_FORCED: Final = ((0.33, "light"), (0.6, "rock"), (1.1, "war"))


def forced_pattern(intensity: float) -> str:
    """The pattern that drums play when they are switched on in a style without any."""
    return next(name for limit, name in _FORCED if intensity < limit)


@cache
def hits_of(pattern: str, tenths: int, fast: bool) -> tuple[int, ...]:
    """Hit masks of the 16 steps at density tenths / 10; at the fastest tempo cymbals and shakers leave odd steps."""
    out = [0] * tk.STEPS_PER_BAR
    for voice, row in _PATTERNS[pattern].items():
        for step, digit in enumerate(row):
            if digit == "." or (fast and step % 2 and voice in ("closed hat", "open hat", "shaker", "kick")):
                continue
            if int(digit) >= 10 - tenths:
                out[step] |= _BIT[voice]
    return tuple(out)


@cache
def ghost_options(pattern: str) -> tuple[int, ...]:
    """Voices that may play quiet extra hits in a pattern."""
    return tuple(_BIT[v] for v in _PATTERNS[pattern] if v in ("snare", "closed hat", "shaker", "tom", "clap")) or (0,)


def fill(rng: Random, pattern: str, steps: int, fast: bool) -> dict[int, int]:
    """A fill over the last `steps` sixteenths: step to hit mask."""
    if pattern in ("none", "heartbeat"):
        return {}
    quiet = pattern in ("light", "minimal", "sleigh", "clock", "stealth")
    voices = ("clap", "tom", "clap", "shaker") if quiet else ("snare", "tom", "tom", "snare")
    shape = rng.choice(("x.x.x.xx", "x..x..xx", "xx.xx.xx", "x.xxx.xx", "..x.x.xx"))[-steps:]
    if fast or quiet:
        shape = "".join(c if i % 2 == 0 or i >= len(shape) - 1 else "." for i, c in enumerate(shape))
    first = tk.STEPS_PER_BAR - steps
    out: dict[int, int] = {}
    for i, c in enumerate(shape):
        out[first + i] = _BIT[voices[(i // 2) % 4]] if c == "x" else 0
    if not quiet:
        out[first] = out.get(first, 0) | _BIT["kick"]
    return out


def bar_codes(
    pattern: str, density: float, frames: int, ghosts: dict[int, int], changes: dict[int, int], crash: bool, loud: bool
) -> list[int]:
    """Drum codes of the 16 steps of a bar. `changes` replace steps (a fill), `ghosts` add hits, `loud` accents
    beats.
    """
    base = hits_of(pattern, min(10, max(1, round(density * 10))), frames == 2)
    out = []
    for step in range(tk.STEPS_PER_BAR):
        hits = changes.get(step, base[step] | ghosts.get(step, 0))
        if crash and step == 0 and pattern != "none":
            hits |= CRASH
        accent = int(hits != 0 and (step % 8 == 0 or (loud and step % 4 == 0)))
        out.append(hits * 2 + accent)
    return out
