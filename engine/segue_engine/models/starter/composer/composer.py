# SPDX-License-Identifier: Apache-2.0
"""The composer: a seeded state machine that walks beats under a style trajectory and writes frames of codes.

It is the source of all training data and the reference for evaluation. With an `Augmentation` it makes the mistakes
that a model makes (groups that miss their moment), repairs them, and says on which frames not to believe it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import effects
from segue_engine.models.starter.composer.attributes import GROUPS, Latents, Plan, make_plan
from segue_engine.models.starter.composer.bar import Bar, Carry, build_bar, drum_codes
from segue_engine.models.starter.composer.families import TABLE
from segue_engine.models.starter.composer.form import Phrase, Themes, draw_phrase, draw_themes, next_role
from segue_engine.styles.tags import FAMILIES, TAGS

RESTART_COSINE: Final = 0.88
_STALE_FIELDS: Final = (*GROUPS, "frames")
_BAR_ONLY: Final = ("harmony", "frames")  # repaired at bar lines, where they can change without a stumble
_VOICE_LEVELS: Final = (tk.BASS, tk.PAD, tk.ARP, tk.LEAD, tk.COUNTER)


@dataclass(frozen=True)
class Augmentation:
    """How often training pieces go wrong: chance that a group misses a change, that it is repaired at a beat or bar
    line, and that a group is corrupted out of the blue at a bar line.
    """

    skip: float = 0.12
    repair_beat: float = 0.35
    repair_bar: float = 0.85
    corrupt: float = 0.015


@dataclass(frozen=True)
class Piece:
    """tokens int16[T, 12], and trusted bool[T]: False on frames whose plan was wrong on purpose where it could be
    right.
    """

    tokens: NDArray[np.int16]
    trusted: NDArray[np.bool_]


class Composer:
    """Composes one piece per call of `run`; the same seed, styles and flags give the same tokens."""

    def __init__(self, seed: int, augmentation: Augmentation | None = None) -> None:
        self._seed = seed
        self._augmentation = augmentation

    def run(self, styles: ArrayLike, drums_flag: ArrayLike | None = None) -> NDArray[np.int16]:
        """tokens int16[T, 12] under styles f32[T, 34] (tag space, any length > 0) and drums_flag i8[T] (-1, 0, 1).

        Raises ValueError for a wrong shape, a style that is zero or not finite, or a flag out of range.
        """
        return self.compose(styles, drums_flag).tokens

    def compose(self, styles: ArrayLike, drums_flag: ArrayLike | None = None) -> Piece:
        """As `run`, with the mask of trusted frames (all True without augmentation)."""
        rows = np.asarray(styles, np.float32)
        if rows.ndim != 2 or rows.shape[1] != len(TAGS) or not len(rows):
            raise ValueError(f"styles: expected [T, {len(TAGS)}], got {list(rows.shape)}")
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        if not np.isfinite(norm).all() or norm.min() <= 1e-6:
            raise ValueError("styles: expected finite vectors that are not zero")
        flags = np.full(len(rows), -1, np.int8) if drums_flag is None else np.asarray(drums_flag, np.int8)
        if flags.shape != rows.shape[:1] or flags.min() < -1 or flags.max() > 1:
            raise ValueError(f"drums_flag: expected [{len(rows)}] of -1, 0 or 1")
        return _Run(Random(self._seed), self._augmentation, rows / norm, flags).play()


class _Run:
    """The state of one piece."""

    def __init__(
        self, rng: Random, augmentation: Augmentation | None, styles: NDArray[np.float32], flags: NDArray[np.int8]
    ) -> None:
        self.rng = rng
        self.augmentation = augmentation
        self.styles = styles
        self.flags = flags
        self.tokens = np.zeros((len(styles) + tk.MAX_FRAMES_PER_BAR, tk.LEVELS), np.int16)
        self.trusted = np.ones(len(styles), np.bool_)
        self.latents = Latents.draw(rng)
        self.tonic = rng.randrange(12)
        self.planned = styles[0]
        self.target: Plan = make_plan(styles[0], self.latents)
        self.plan: Plan = self.target
        self.stale: set[str] = set()
        self.role = "normal"
        self.phrase_age = 0  # phrases since the last key change
        self.themes: Themes = draw_themes(rng, self.plan, None)
        self.phrase: Phrase = draw_phrase(rng, self.plan, self.role)
        self.bar_index = 0
        self.step = 0
        self.beats_since_restart = 0
        self.carry = Carry()
        self.crash = False
        self.arrival: int | None = None
        self.bar: Bar = self._build()
        self.drum_state: tuple[int, int] = (-2, -1)
        self.drums: list[int] = []

    def play(self) -> Piece:
        total = len(self.styles)
        t = 0
        while t < total:
            if t:
                self._at_beat(t)
            t = self._emit(t)
        return Piece(self.tokens[:total].copy(), self.trusted)

    # -- decisions ----------------------------------------------------------------------------------------------------

    def _at_beat(self, t: int) -> None:
        style = self.styles[t]
        closeness = float(style @ self.planned)
        self.beats_since_restart += 1
        if closeness < RESTART_COSINE:
            self._restart(style)
        elif self.step == 0:
            self._next_bar(style, closeness < 1.0 - 1e-6)
        elif self.stale and self._repair(bar_line=False):
            self._rebuild_in_place()
        if self.stale:
            self.trusted[t] = False

    def _restart(self, style: NDArray[np.float32]) -> None:
        """The style jumped: plan anew from this beat. Within a bar of the last restart the metre is kept."""
        before = self.plan.intensity
        fresh = self.beats_since_restart >= 4
        self.latents = self.latents.redraw(self.rng, GROUPS, families=False)
        self._adopt(make_plan(style, self.latents), style)
        self.role = "normal"
        self.themes = draw_themes(self.rng, self.plan, None)
        self.phrase = draw_phrase(self.rng, self.plan, self.role)
        self.crash = self.plan.intensity > before + 0.05 or self.plan.intensity > 0.6
        self.arrival = effects.arrival(TABLE[self.plan.counter.family].effects, self.rng)
        self.carry = Carry(pad_notes=self.carry.pad_notes)
        if fresh:
            self.beats_since_restart = 0
            self.bar_index = self.step = 0
            self.bar = self._build()
        else:
            self._rebuild_in_place()

    def _next_bar(self, style: NDArray[np.float32], drifted: bool) -> None:
        self.bar_index += 1
        before = self.plan
        self.crash, self.arrival = False, None
        if drifted:
            self._adopt(make_plan(style, self.latents), style)
        elif self.stale:
            self._repair(bar_line=True)
        if self.augmentation is not None and not self.stale and self.rng.random() < self.augmentation.corrupt:
            self._corrupt()
        if self.bar_index == 8 or self.plan.harmony != before.harmony:
            self._next_phrase(same_harmony=self.plan.harmony == before.harmony)
        elif self.plan is not before:
            self._refresh(before)
        self.bar = self._build()

    def _next_phrase(self, same_harmony: bool) -> None:
        """Phrase end: a key change at times, one group's options re-drawn at times, new material."""
        ended = self.bar_index == 8
        self.bar_index = 0
        self.phrase_age += 1
        if ended:
            self.role = next_role(self.rng, self.role)
            if self.phrase_age >= 2 and self.rng.random() < 0.16:
                self.tonic = (self.tonic + self.rng.choice((2, 3, 5, 7, 9, 10))) % 12
                self.phrase_age = 0
            if not self.stale and self.rng.random() < 0.35:
                group = self.rng.choice(("drums", "bass", "arp", "lead", "pad", "counter"))
                self.latents = self.latents.redraw(self.rng, (group,), families=True)
                self.plan = self.target = make_plan(self.planned, self.latents)
        keep = same_harmony and ended and self.rng.random() < 0.35
        self.themes = draw_themes(self.rng, self.plan, self.themes)
        self.phrase = draw_phrase(self.rng, self.plan, self.role, self.phrase.chords if keep else None)

    def _refresh(self, before: Plan) -> None:
        """The plan drifted within a phrase: what belongs to groups that did not change stays as it was."""
        old, new = self.phrase, draw_phrase(self.rng, self.plan, self.role, self.phrase.chords)
        new.arc, new.crash = old.arc, old.crash
        if self.plan.lead.family == before.lead.family:
            new.letters, new.lead_plays, new.closes, new.ornaments = (
                old.letters,
                old.lead_plays,
                old.closes,
                old.ornaments,
            )
        else:
            self.themes = draw_themes(self.rng, self.plan, None)
        if self.plan.counter == before.counter:
            new.counter, new.events = old.counter, old.events
        if self.plan.drums == before.drums:
            new.fills, new.ghosts = old.fills, old.ghosts
        if self.plan.arp == before.arp:
            new.arp_plays, new.arp_sparse = old.arp_plays, old.arp_sparse
        self.phrase = new

    # -- mistakes for training ----------------------------------------------------------------------------------------

    def _adopt(self, target: Plan, style: NDArray[np.float32]) -> None:
        """Take a new plan; under augmentation some groups miss the change, and older misses may stay."""
        self.target, self.planned = target, style
        kept: dict[str, object] = {}
        if self.augmentation is not None:
            for name in _STALE_FIELDS:
                old = getattr(self.plan, name)
                chance = 1.0 - self.augmentation.repair_bar if name in self.stale else self.augmentation.skip
                if old != getattr(target, name) and self.rng.random() < chance:
                    kept[name] = old
        self.stale = set(kept)
        self.plan = replace(target, **kept)  # type: ignore[arg-type]

    def _repair(self, bar_line: bool) -> bool:
        assert self.augmentation is not None
        chance = self.augmentation.repair_bar if bar_line else self.augmentation.repair_beat
        names = [
            n
            for n in _STALE_FIELDS
            if n in self.stale and (bar_line or n not in _BAR_ONLY) and self.rng.random() < chance
        ]
        if not names:
            return False
        before = self.plan
        self.stale.difference_update(names)
        self.plan = replace(self.plan, **{n: getattr(self.target, n) for n in names})
        if not bar_line:
            self._refresh(before)
        return True

    def _corrupt(self) -> None:
        """One group takes the plan of some other mood; it will be repaired like a missed change."""
        style = np.zeros(len(TAGS), np.float32)
        style[self.rng.randrange(len(FAMILIES))] = 1.0
        wrong = make_plan(style, self.latents)
        name = self.rng.choice(_STALE_FIELDS)
        if getattr(wrong, name) != getattr(self.plan, name):
            self.stale.add(name)
            self.plan = replace(self.plan, **{name: getattr(wrong, name)})

    # -- writing ------------------------------------------------------------------------------------------------------

    def _build(self) -> Bar:
        self.drum_state = (-2, -1)
        return build_bar(self.plan, self.phrase, self.themes, self.bar_index, self.tonic, self.carry, self.arrival)

    def _rebuild_in_place(self) -> None:
        """Change the bar from the present beat on: sustained voices strike again, others wait for their next note."""
        self.carry.pad = self.carry.bass = ()
        arrival, self.arrival = self.arrival, None
        self.bar = self._build()
        here = self.step
        for level in _VOICE_LEVELS:
            line = self.bar.notes[level]
            if line.on[here] != tk.HOLD:
                continue
            if level in (tk.BASS, tk.PAD):
                start = next(s for s in range(here, -1, -1) if line.on[s] != tk.HOLD)
                self.bar.on[here, level] = line.on[start]
            else:
                end = next((s for s in range(here, tk.STEPS_PER_BAR) if line.on[s] != tk.HOLD), tk.STEPS_PER_BAR)
                self.bar.on[here:end, level] = self.bar.after[here:end, level] = tk.SILENT
        if arrival is not None and self.bar.on[here, tk.COUNTER] == tk.SILENT:
            self.bar.on[here, tk.COUNTER] = tk.FIRST_EFFECT + arrival

    def _emit(self, t: int) -> int:
        """Write the present beat at frame t and return the frame after it."""
        frames, step = self.plan.frames, self.step
        flag = int(self.flags[t])
        if self.drum_state != (flag, self.bar_index):
            self.drums = drum_codes(self.plan, self.phrase, self.bar_index, flag == 1, self.crash)
            self.drum_state = (flag, self.bar_index)
        sounds = flag == 1 or (flag == -1 and self.plan.drums.pattern != "none")
        span = tk.STEPS_PER_BEAT * frames
        rows = self.tokens[t : t + span]
        grid = rows.reshape(tk.STEPS_PER_BEAT, frames, tk.LEVELS)
        on, after = self.bar.on[step : step + 4], self.bar.after[step : step + 4]
        grid[:] = after[:, None]
        grid[:, 0] = on
        grid[:, :, tk.DRUMS] = 0
        if sounds:
            grid[:, 0, tk.DRUMS] = self.drums[step : step + 4]
            grid[:, :, tk.MIX] += 1
        if self.plan.drums.swing and frames >= 4:
            # Odd sixteenths come one frame late; until then the step before goes on.
            grid[1::2, 1, tk.PLAN_LEVELS :] = grid[1::2, 0, tk.PLAN_LEVELS :]
            grid[1::2, 0, tk.PLAN_LEVELS :] = grid[0::2, -1, tk.PLAN_LEVELS :]
        tempo = tk.FRAMES_PER_STEP.index(frames)
        first = tk.CLOCK_OFFSETS[tempo] + step * frames
        rows[:, tk.CLOCK] = np.arange(first, first + span)
        self.step = (step + tk.STEPS_PER_BEAT) % tk.STEPS_PER_BAR
        return t + span
