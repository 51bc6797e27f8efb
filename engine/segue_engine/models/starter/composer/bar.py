# SPDX-License-Identifier: Apache-2.0
"""One bar as codes: what each voice has on the grid frame of the sixteen steps, and on the frames after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import drums, melody, voices
from segue_engine.models.starter.composer.attributes import Plan
from segue_engine.models.starter.composer.families import TABLE
from segue_engine.models.starter.composer.form import Phrase, Themes
from segue_engine.models.starter.composer.harmony import Chord, next_voicing, pad_notes, scale_of

_VELOCITIES: Final = {tk.BASS: 2, tk.ARP: 2, tk.LEAD: 3, tk.COUNTER: 2}
_TOP: Final = {tk.BASS: 35, tk.ARP: 47, tk.LEAD: 47, tk.COUNTER: 47}
Codes = NDArray[np.int16]


@dataclass
class Line:
    """A voice's codes of a bar: `on` at each step's grid frame, `after` on its other frames."""

    on: list[int] = field(default_factory=lambda: [tk.SILENT] * tk.STEPS_PER_BAR)
    after: list[int] = field(default_factory=lambda: [tk.SILENT] * tk.STEPS_PER_BAR)

    def note(self, step: int, length: int, code: int) -> None:
        """Write an onset (or HOLD) and hold it; a later note cuts an earlier one, the bar line cuts all."""
        end = min(tk.STEPS_PER_BAR, step + length)
        self.on[step], self.after[step] = code, tk.HOLD
        for s in range(step + 1, end):
            self.on[s] = self.after[s] = tk.HOLD
        for s in range(end, tk.STEPS_PER_BAR):
            if self.on[s] != tk.HOLD:
                break
            self.on[s] = self.after[s] = tk.SILENT

    def effect(self, step: int, code: int) -> None:
        """Start an effect: one frame of its code, then silence (the effect rings by itself) until the next onset."""
        self.on[step], self.after[step] = code, tk.SILENT
        for s in range(step + 1, tk.STEPS_PER_BAR):
            if self.on[s] != tk.HOLD:
                break
            self.on[s] = self.after[s] = tk.SILENT


@dataclass
class Bar:
    """Codes of a bar: on and after int16[16, 12] (clock and drum columns are filled by the composer when it emits)."""

    on: Codes
    after: Codes
    notes: dict[int, Line]


@dataclass
class Carry:
    """What a bar needs of the one before it: the pad's notes, and which sustained voices still sound what."""

    pad_notes: tuple[int, ...] = ()
    pad: tuple[int, ...] = ()  # chord, voicing and patch that sound at the end of the bar, () if silent
    bass: tuple[int, ...] = ()


def onset(level: int, pitch: int, velocity: int) -> int:
    """Onset code of a pitched voice; pitch and velocity are clamped by octaves and range."""
    while pitch > _TOP[level]:
        pitch -= 12
    while pitch < 0:
        pitch += 12
    return tk.FIRST_ONSET + pitch * _VELOCITIES[level] + min(_VELOCITIES[level] - 1, max(0, velocity))


def intensity_of(plan: Plan, phrase: Phrase, bar: int) -> float:
    """A bar's intensity: the plan's, the phrase's arc, a little more in its second half."""
    rise = 0.02 * bar if phrase.role == "build" else 0.06 * (bar >= 4)
    return min(1.0, max(0.0, plan.intensity + phrase.arc + rise))


def density_of(plan: Plan, phrase: Phrase, bar: int) -> float:
    """A bar's drum density; breakdowns thin out, builds fill up."""
    extra = {"breakdown": -0.25, "build": -0.15 + 0.05 * bar, "peak": 0.1}.get(phrase.role, 0.0)
    return min(1.0, max(0.1, plan.drum_density + extra + 0.5 * phrase.arc))


def drum_codes(plan: Plan, phrase: Phrase, bar: int, forced: bool, crash: bool) -> list[int]:
    """Drum codes of the 16 steps of a bar; `forced` finds a pattern for styles without drums."""
    pattern, density = plan.drums.pattern, density_of(plan, phrase, bar)
    force = intensity_of(plan, phrase, 0)
    if forced and pattern in ("none", "heartbeat"):
        pattern, density = drums.forced_pattern(plan.intensity), max(0.5, density)
    crash = crash or (bar == 0 and phrase.crash and force > 0.6)
    changes = phrase.fills.get(bar, {}) if pattern == plan.drums.pattern else {}
    return drums.bar_codes(pattern, density, plan.frames, phrase.ghosts[bar % 2], changes, crash, force > 0.6)


def build_bar(
    plan: Plan, phrase: Phrase, themes: Themes, bar: int, tonic: int, carry: Carry, extra_effect: int | None
) -> Bar:
    """All voices of one bar. `carry` is read and updated. `extra_effect` starts an effect on the first step."""
    chord, following = phrase.chords[bar], phrase.chords[(bar + 1) % 8]
    mode, intensity = plan.harmony.mode, intensity_of(plan, phrase, bar)
    force = intensity_of(plan, phrase, 0)  # one loudness of touch for the whole phrase, so that bars repeat exactly
    loud = force > 0.6
    lines = {
        tk.BASS: _bass(plan, chord, following, bar, carry, loud),
        tk.PAD: _pad(plan, chord, bar, tonic, carry, loud),
        tk.ARP: _arp(plan, phrase, chord, bar, loud),
        tk.LEAD: _lead(phrase, themes, mode, chord, bar, force),
        tk.COUNTER: _counter(phrase, chord, bar, loud, extra_effect),
    }
    on = np.zeros((tk.STEPS_PER_BAR, tk.LEVELS), np.int16)
    motif = tk.MOTIFS.index(phrase.letters[bar]) if phrase.lead_plays[bar] else 0
    on[:, tk.KEY] = (tonic * 8 + mode) * 8 + bar
    on[:, tk.CHORD] = (chord.root * 8 + chord.quality) * 4 + motif
    on[:, tk.PALETTE_LOW] = ((plan.bass.patch * 4 + plan.drums.kit) * 8 + plan.ambience) * 4 + plan.counter.patch
    on[:, tk.PALETTE_HIGH] = (plan.pad.patch * 8 + plan.arp.patch) * 8 + plan.lead.patch
    reverb, brightness = (min(3, max(0, round(x))) for x in (plan.reverb, plan.brightness))
    on[:, tk.MIX] = ((round(7 * intensity) * 4 + reverb) * 4 + brightness) * 2
    after = on.copy()
    for level, line in lines.items():
        on[:, level] = line.on
        after[:, level] = line.after
    return Bar(on, after, lines)


def _bass(plan: Plan, chord: Chord, following: Chord, bar: int, carry: Carry, loud: bool) -> Line:
    line = Line()
    scale = scale_of(plan.harmony.mode)
    low, goal = int(tk.folded_root(chord.root)), int(tk.folded_root(following.root))
    # The approach note is the scale tone just below the next root (or above, when that is nearer), seen from this root.
    below = next(d for d in (-1, -2, -3, 0) if (goal + d) % 12 in scale)
    approach = 7 if goal == low else goal + below - low
    sounding = (chord.root, chord.quality, plan.bass.patch)
    for step, length, pitch, velocity in voices.bass_notes(
        plan.bass.pattern, chord.quality, plan.frames, approach, loud
    ):
        held = plan.bass.pattern == "drone" and bar != 0 and carry.bass == sounding
        line.note(step, length, tk.HOLD if held else onset(tk.BASS, pitch, velocity))
    carry.bass = sounding if line.after[-1] == tk.HOLD else ()
    return line


def _pad(plan: Plan, chord: Chord, bar: int, tonic: int, carry: Carry, loud: bool) -> Line:
    line = Line()
    places = voices.pad_places(plan.pad.pattern)
    if not places:
        carry.pad = ()
        return line
    same = carry.pad[:4] == (tonic, chord.root, chord.quality, plan.pad.patch)
    voicing = carry.pad[4] if same else next_voicing(tonic, chord, carry.pad_notes)
    carry.pad_notes = pad_notes(tonic, chord.root, chord.quality, voicing)
    for step, length in places:
        held = same and plan.pad.pattern == "sustain" and bar != 0
        line.note(step, length, tk.HOLD if held else tk.FIRST_ONSET + voicing * 2 + int(loud))
    sounds = line.after[-1] == tk.HOLD
    carry.pad = (tonic, chord.root, chord.quality, plan.pad.patch, voicing) if sounds else ()
    return line


def _arp(plan: Plan, phrase: Phrase, chord: Chord, bar: int, loud: bool) -> Line:
    line = Line()
    if phrase.arp_plays[bar]:
        lift = 12 if TABLE[plan.arp.family].register >= 5 or plan.arp.pattern == "sparse" else 0
        hits = phrase.arp_sparse[bar % 2]
        for step, length, pitch, velocity in voices.arp_notes(
            plan.arp.pattern, chord.quality, plan.frames, lift, hits, loud
        ):
            line.note(step, length, onset(tk.ARP, pitch, velocity))
    return line


def _lead(phrase: Phrase, themes: Themes, mode: int, chord: Chord, bar: int, force: float) -> Line:
    line = Line()
    if not phrase.lead_plays[bar]:
        return line
    notes = melody.realise(themes.motifs[phrase.letters[bar]], mode, chord)
    if bar == 7 and phrase.closes:
        notes = melody.close_phrase(notes, chord)
    elif bar in phrase.ornaments:
        notes = melody.ornament(Random(phrase.ornaments[bar]), notes)
    for step, length, pitch in notes:
        line.note(step, length, onset(tk.LEAD, pitch, int(force >= 0.35) + int(step % 8 == 0)))
    return line


def _counter(phrase: Phrase, chord: Chord, bar: int, loud: bool, extra_effect: int | None) -> Line:
    line = Line()
    if phrase.counter.plays[bar]:
        for step, length, tone, velocity in phrase.counter.bars[bar % 2]:
            pitch = 12 + phrase.counter.lift - 12 + voices.tone_at(chord.quality, tone)
            line.note(step, length, onset(tk.COUNTER, pitch, max(velocity, int(loud))))
    for (at, step), effect in phrase.events.items():
        if at == bar:
            line.effect(step, tk.FIRST_EFFECT + effect)
    if extra_effect is not None:
        line.effect(0, tk.FIRST_EFFECT + extra_effect)
    return line
