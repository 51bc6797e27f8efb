# SPDX-License-Identifier: Apache-2.0
"""What the sessions of `bench/bars.py` play: states of five tempi, and transitions at random times."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from segue_service.session.playing import Said
from segue_service.soundtrack import ExitPoint, SetState, Soundtrack, parse_soundtrack
from segue_service.soundtrack.machine import parse_fade

PHRASE_BARS: Final = 4
PLACES: Final[tuple[ExitPoint, ...]] = ("next_beat", "next_bar", "exit_cue")
FADES: Final = ("step", "0.5 s", "1 bar")
OVER: Final = "step, over a fade"
"""Asked for while a fade of two bars is under way, in which tempi change and bars are broken off."""
_LONGEST_BAR: Final = 96
_WAITS: Final = {"next_beat": 24, "next_bar": _LONGEST_BAR, "exit_cue": PHRASE_BARS * _LONGEST_BAR}
_LASTS: Final = {"step": 0, "0.5 s": 13, "1 bar": _LONGEST_BAR}
_BEGINS: Final = 120
_AFTER: Final = (10, 110)
"""Frames between a transition's end, at the latest, and the next word."""

# The dungeon's styles, and a faster and a slower one. A state's fade is that of the way to it.
_STYLES: Final = {
    "explore": ("{ prompts: { calm exploration: 1.0, harp: 0.4 } }", "1 bar"),
    "tension": ("{ prompts: { stealth: 1.0, dark: 0.5, sparse: 0.3 }, gain_db: -2 }", "0.5 s"),
    "combat": ("{ prompts: { combat: 1.0, war drums: 0.5 }, guidance: 2, drums: on }", "step"),
    "boss": ("{ prompts: { boss: 1.0, choir: 0.5, intense: 0.6 }, guidance: 2, drums: on }", "1 bar"),
    "victory": ("{ prompts: { victory: 1.0, brass: 0.5 } }", "0.5 s"),
    "chase": ("{ prompts: { chiptune: 1.0, fast: 1.0 } }", "step"),
    "rest": ("{ prompts: { space: 1.0, slow: 1.0 } }", "1 bar"),
}
STATES: Final = tuple(_STYLES)
TEXT: Final = "\n".join(
    [
        f"soundtrack: bars\ninitial: explore\nmusic: {{ phrase_bars: {PHRASE_BARS} }}\nstyles:",
        *(f"  {name}: {style}" for name, (style, _) in _STYLES.items()),
        "states:",
        *(f"  {name}: {{ style: {name} }}" for name in STATES),
        "transitions:",
        *(f"  - {{ from: any, to: {name}, on: to_{name}, fade: {fade} }}" for name, (_, fade) in _STYLES.items()),
    ]
)


def soundtrack() -> Soundtrack:
    """All states, a way from each to each."""
    return parse_soundtrack(TEXT)


def fade_to(state: str) -> str:
    """How a state's music comes in unless a control says otherwise."""
    return _STYLES[state][1]


@dataclass(frozen=True, slots=True)
class Asked:
    """A transition that was asked for at a frame."""

    frame: int
    state: str
    place: ExitPoint
    fade: str
    kind: str

    def said(self) -> Said:
        """As a part takes it."""
        return Said(self.frame, self.state, [SetState(self.state, self.place, parse_fade(self.fade))])


def script(seed: int) -> tuple[list[Asked], int]:
    """A session's transitions, of all kinds in any order, each over before the next; and its length in frames."""
    rng = random.Random(seed)
    kinds = [*((place, fade) for place in PLACES for fade in FADES), *(("next_bar", OVER),) * 3, ("next_beat", OVER)]
    rng.shuffle(kinds)
    state, frame = "explore", _BEGINS + rng.randrange(_LONGEST_BAR)
    asked: list[Asked] = []

    def ask(place: ExitPoint, fade: str, kind: str) -> None:
        nonlocal state
        state = rng.choice([name for name in STATES if name != state])
        asked.append(Asked(frame, state, place, fade, kind))

    for place, kind in kinds:
        until = _WAITS[place] + _LASTS.get(kind, 0) + rng.randrange(*_AFTER)
        if kind == OVER:
            ask("immediate", "2 bars", "")
            frame += rng.randrange(5, 80)
            until += _LONGEST_BAR  # a bar may be broken off, and the next one be waited for
        fade = "step" if kind == OVER else kind
        ask(place, fade, kind)
        frame += until
    return asked, frame
