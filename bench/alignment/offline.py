# SPDX-License-Identifier: Apache-2.0
"""Sessions in one batch, each played a second time up to where its first transition is heard, without it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from alignment.lines import Begun, bar_cut, clock_went, lines, off, table
from alignment.script import OVER, Asked, script
from segue_engine.contract import FRAME_SAMPLES, Engine
from segue_engine.models.starter import tokens
from segue_service.session.ensemble import perform_all
from segue_service.session.library import Record
from segue_service.session.playing import Entries, Part, Performance
from segue_service.session.timeline import Axis
from segue_service.soundtrack import MusicClock, TransitionStarted

_HEARD: Final = 100
"""Frames after a transition's first in which it should be heard."""
_KEPT: Final = 750
"""Frames in which the first transition, wherever it was asked for, has been heard."""
_SETTLED: Final = 50
"""Frames after a fade in which the clock may still change because of it."""


class Watched(Part):
    """A part that remembers what its frames were made under, and of its sound only the beginning."""

    planned: Entries

    async def begin(self) -> Entries:
        """As of a part."""
        self.planned = await super().begin()
        return self.planned

    async def plan(self, frame: int) -> Entries:
        """As of a part."""
        if entries := await super().plan(frame):
            self.planned = [*(one for one in self.planned if one[0] < entries[0][0]), *entries]
        return entries

    def take(self, pcm: NDArray[np.int16], codes: NDArray[np.int16], clock: MusicClock | None) -> None:
        """As of a part."""
        super().take(pcm if clock is not None and clock.frame < _KEPT else pcm[:0], codes, clock)

    def changes(self) -> list[int]:
        """Frames that were made under another conditioning than the one before."""
        pairs = zip(self.planned, self.planned[1:], strict=False)
        return [at for (_, before), (at, after) in pairs if before != after]


@dataclass
class Measured:
    """Of all sessions."""

    begun: list[Begun] = field(default_factory=list)
    not_begun: int = 0
    clocks: Counter[str] = field(default_factory=Counter)
    heard: list[tuple[int, int]] = field(default_factory=list)
    unheard: int = 0
    far: list[dict[str, Any]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "transitions": table(self.begun),
            "not_begun": self.not_begun,
            "clock": dict(self.clocks),
            "first_heard": {
                "sessions": len(self.heard) + self.unheard,
                f"not_within_{_HEARD}_frames": self.unheard,
                "samples_after_told": _spread([samples for samples, _ in self.heard]),
                "samples_after_told_where_its_first_codes_differ": _spread(
                    [s for s, frames in self.heard if not frames]
                ),
                "frames_until_codes_differ": _spread([frames for _, frames in self.heard]),
            },
            "far": self.far,
        }

    def take(self, engine: Engine, part: Watched, asked: list[Asked], played: Performance) -> None:
        """One session."""
        assert engine.clock is not None
        read = engine.clock.read(played.codes)
        places, changes = lines(read), part.changes()
        self.clocks.update(clock_went(read))
        started = [effect for effect in played.effects if isinstance(effect, TransitionStarted)]
        news = _news(played.codes, read.bpm)
        free = 0
        for number, one in enumerate(asked):
            effect = next((e for e in started if e.frame >= one.frame), None)
            if effect is None or effect.target != one.state:
                self.not_begun += 1
                continue
            # In a fade everything changes all the time: there only the told frame can be looked at.
            since = effect.frame if one.kind == OVER else max(free, one.frame)
            at = changes[bisect_left(changes, since)]
            free = effect.ends_at + 1
            if not one.kind:
                continue
            until = asked[number + 1].frame if number + 1 < len(asked) else len(played.codes)
            heard = next((int(frame) - at for frame in news if at <= frame < until), None)
            away = off(at, places[one.place])
            cut = bar_cut(read, at, min(until, effect.ends_at + _SETTLED))
            heard_off = 0 if heard is None else off(at + heard, places[one.place])
            self.begun.append(Begun(one.place, one.kind, away, effect.frame - at, heard, heard_off, cut))
            if abs(away) > 1 or effect.frame != at:
                around = slice(max(0, at - 12), at + 12)
                asked_for = {"seed": part.seed, "frame": one.frame, "place": one.place, "fade": one.kind}
                went = {"to_bar": read.frames_to_bar[around].tolist(), "bpm": read.bpm[around].tolist()}
                self.far.append({**asked_for, "told": effect.frame, "changed": at, "off": away, **went})

    def compare(self, axis: Axis, opening: Opening, without: Performance) -> None:
        """One session's first transition, against the same session without it."""
        sounds = np.flatnonzero((opening.pcm != without.pcm).any(axis=1))
        frames = np.flatnonzero((opening.codes != without.codes).any(axis=1))
        if not len(sounds) or not len(frames):
            self.unheard += 1
            return
        self.heard.append((int(sounds[0]) - axis.audible(opening.told), int(frames[0]) - opening.told))


@dataclass(frozen=True, slots=True)
class Opening:
    """A session up to where its first transition, told to begin at a frame, should be heard."""

    told: int
    pcm: NDArray[np.int16]
    codes: NDArray[np.int16]

    @classmethod
    def of(cls, played: Performance) -> Opening:
        """What is needed of a session; the rest can be forgotten."""
        told = next(effect.frame for effect in played.effects if isinstance(effect, TransitionStarted))
        frames = told + _HEARD
        return cls(told, played.pcm[: frames * FRAME_SAMPLES].copy(), played.codes[:frames].copy())


def _news(codes: NDArray[np.int16], bpm: NDArray[np.float32]) -> NDArray[np.int64]:
    """Frames at which the palette or the tempo changes."""
    palettes = codes[:, [tokens.PALETTE_LOW, tokens.PALETTE_HIGH]]
    return np.flatnonzero((palettes[1:] != palettes[:-1]).any(axis=1) | (bpm[1:] != bpm[:-1])) + 1


def _spread(values: list[int]) -> dict[str, float]:
    if not values:
        return {}
    return {"count": len(values), "least": min(values), "median": float(np.median(values)), "most": max(values)}


async def play(
    engine: Engine, record: Record, executor: Executor, seed: int, rounds: int, slots: int, progress: Progress
) -> Measured:
    """Everything that is measured offline."""
    measured, axis = Measured(), Axis(engine.info)
    scripts = [script(seed + number) for number in range(rounds * slots)]
    parts = [
        Watched(engine.info, record, seed + number, executor, frames, [one.said() for one in asked])
        for number, (asked, frames) in enumerate(scripts)
    ]
    task = progress.add_task("offline", total=sum(part.last for part in parts))
    openings: dict[int, Opening] = {}
    async for place, played in perform_all(engine, parts, slots, lambda n: progress.advance(task, n)):
        measured.take(engine, parts[place], scripts[place][0], played)
        if place < slots:
            openings[place] = Opening.of(played)
    alike = [Part(engine.info, record, seed + place, executor, len(one.codes)) for place, one in openings.items()]
    task = progress.add_task("without transitions", total=sum(part.last for part in alike))
    async for place, without in perform_all(engine, alike, slots, lambda n: progress.advance(task, n)):
        measured.compare(axis, [*openings.values()][place], without)
    return measured
