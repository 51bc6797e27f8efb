# SPDX-License-Identifier: Apache-2.0
"""A phrase: eight bars of material drawn once, so that bars repeat exactly and vary where phrases end."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from segue_engine.models.starter.composer import effects, melody
from segue_engine.models.starter.composer.attributes import Plan
from segue_engine.models.starter.composer.drums import fill, ghost_options
from segue_engine.models.starter.composer.families import TABLE
from segue_engine.models.starter.composer.harmony import Chord, phrase_chords
from segue_engine.models.starter.composer.voices import CounterLine, counter_line, sparse_hits

ROLES: Final = ("normal", "build", "peak", "breakdown")
_NEXT_ROLE: Final[dict[str, tuple[float, ...]]] = {
    "normal": (0.50, 0.20, 0.12, 0.18),
    "build": (0.30, 0.00, 0.70, 0.00),
    "peak": (0.55, 0.00, 0.15, 0.30),
    "breakdown": (0.35, 0.50, 0.15, 0.00),
}
_ARC: Final = {"normal": 0.0, "build": 0.03, "peak": 0.12, "breakdown": -0.13}


@dataclass
class Themes:
    """The motifs in use (A, B, C), how many phrases they have lasted, and the last few A's, which may come back."""

    motifs: dict[str, melody.Motif]
    key: tuple[int, int]  # lead family and register step that they were drawn for
    age: int = 0
    past: list[melody.Motif] = field(default_factory=list)


@dataclass
class Phrase:
    """Material of eight bars."""

    role: str
    chords: list[Chord]
    letters: str
    lead_plays: list[bool]
    closes: bool
    ornaments: dict[int, int]
    arp_plays: list[bool]
    arp_sparse: list[list[tuple[int, int]]]
    counter: CounterLine
    events: dict[tuple[int, int], int]
    fills: dict[int, dict[int, int]]
    ghosts: list[dict[int, int]]
    crash: bool
    arc: float


def next_role(rng: Random, role: str) -> str:
    return rng.choices(ROLES, _NEXT_ROLE[role])[0]


def draw_themes(rng: Random, plan: Plan, old: Themes | None) -> Themes:
    """Themes for the coming phrase: kept, half renewed, recalled or new. Every theme is left after two or three
    phrases.
    """
    family = TABLE[plan.lead.family]
    key = (plan.lead.family, melody.lead_centre(plan.register))
    activity = 0.7 * plan.lead_density + 0.35 * plan.intensity

    def draw(contrast: bool) -> melody.Motif:
        return melody.draw_motif(rng, family, activity, plan.register, plan.frames, contrast)

    if old is not None and old.key == key and old.age < 2 and rng.random() < 0.6:
        motifs = dict(old.motifs)
        if rng.random() < 0.6:
            motifs["B"], motifs["C"] = draw(True), draw(True)
        return Themes(motifs, key, old.age + 1, old.past)
    past = old.past if old is not None and old.key == key else []
    first = rng.choice(past) if past and rng.random() < 0.35 else draw(False)
    return Themes({"A": first, "B": draw(True), "C": draw(True)}, key, 0, [*past, first][-3:])


def draw_phrase(rng: Random, plan: Plan, role: str, chords: list[Chord] | None = None) -> Phrase:
    """Draw a phrase for a plan; `chords` are kept if given (the same progression again)."""
    harmony = TABLE[plan.harmony.family]
    if chords is None:
        chords = phrase_chords(
            rng, plan.harmony.mode, harmony.progressions, plan.harmony.colour, plan.harmony.chord_bars
        )
    lead = melody.play_mask(
        rng, plan.lead_density * (0.6 if role == "breakdown" else 1.1 if role == "peak" else 1.0), role
    )
    arp = [True] * 8
    draw = rng.random()
    if role == "breakdown" and draw < 0.35:
        arp = [False] * 4 + [True] * 4
    elif role != "peak" and draw < 0.12 and any(lead):
        arp = [False, False, True, True] * 2
    fast = plan.frames == 2
    steps = 8 if plan.intensity > 0.6 else 4
    turn = fill(rng, plan.drums.pattern, steps, fast)
    fills = {bar: turn for bar in (3, 7) if rng.random() < (0.6 if bar == 3 else 0.85)}
    ghosts: list[dict[int, int]] = []
    for _ in range(2):  # even and odd bars
        hits = {
            s: rng.choice(ghost_options(plan.drums.pattern))
            for s in range(1, 16)
            if rng.random() < 0.03 * plan.drum_density
        }
        ghosts.append({} if plan.drums.pattern in ("none", "heartbeat") else hits)
    share = plan.counter_share + {"peak": 0.25, "breakdown": -0.2}.get(role, 0.0)
    rates = dict(TABLE[plan.counter.family].effects)
    if role == "build" and "riser" in rates:
        rates["riser"] = max(rates["riser"], 0.8)
    return Phrase(
        role=role,
        chords=chords,
        letters=melody.choose_form(rng, chords, lead),
        lead_plays=lead,
        closes=rng.random() < 0.65,
        ornaments={bar: rng.randrange(1 << 30) for bar in (5, 6) if rng.random() < 0.12},
        arp_plays=arp,
        arp_sparse=sparse_hits(rng),
        counter=counter_line(rng, plan.counter.pattern, share, lead),
        events=effects.schedule(rng, rates, plan.intensity, plan.frames),
        fills=fills,
        ghosts=ghosts,
        crash=rng.random() < 0.85,
        arc=_ARC[role] + rng.choice((-0.06, 0.0, 0.0, 0.06)),
    )
