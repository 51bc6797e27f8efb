# SPDX-License-Identifier: Apache-2.0
"""Plays edges as slots of one engine, each with its own seed, and measures each as soon as it is over."""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE, Engine
from segue_service.rehearsal.ears import Blends, Ear, Hearing
from segue_service.rehearsal.edges import Edge
from segue_service.rehearsal.metrics import Figures, Places, Question, measure
from segue_service.rehearsal.staging import FAR, CannotHappen, Stage, first_change, is_edge, stage
from segue_service.session.ensemble import perform_all
from segue_service.session.library import Record
from segue_service.session.playing import Ends, Part, Performance, Said
from segue_service.soundtrack import Effect, Machine, StingerStarted, TransitionStarted


@dataclass(frozen=True, slots=True)
class Plan:
    """An edge with the stage that brings it about, or the reason why none does."""

    edge: Edge
    stage: Stage | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Take:
    """An edge, played once. figures None: it did not happen, and `why` says what did.

    ends: the blends of source and target, by their place.
    """

    edge: Edge
    seed: int
    performance: Performance
    ends: tuple[int, int]
    figures: Figures | None = None
    hearing: Hearing | None = None
    why: str = ""

    @property
    def pcm(self) -> NDArray[np.int16]:
        """All that was played, int16[n, 2]."""
        return self.performance.pcm


@dataclass(frozen=True, slots=True)
class Lengths:
    """Seconds that the source plays before the change is decided, and that are heard after the fade."""

    before: float = 6.0
    after: float = 8.0


def plans(machine: Machine, edges: Sequence[Edge], lengths: Lengths) -> list[Plan]:
    """A plan for each edge. Nothing is played."""
    out = []
    for edge in edges:
        try:
            out.append(Plan(edge, stage(machine, edge, round(lengths.before * FRAME_RATE))))
        except CannotHappen as reason:
            out.append(Plan(edge, None, str(reason)))
    return out


def blends_of(record: Record, planned: Sequence[Plan]) -> Blends:
    """The distinct blends between which the planned edges go, at least one of which can happen."""
    stages = [plan.stage for plan in planned if plan.stage is not None]
    return Blends.among(
        np.stack([record.styles.blend(weights) for one in stages for weights in (one.source, one.target)])
    )


def seed_of(seed: int, take: int, edge: Edge) -> int:
    """An edge's own seed, by its name: it does not change with what else is tested."""
    digest = hashlib.sha256(f"{seed}/{take}/{edge.name}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


async def rehearse(
    engine: Engine,
    record: Record,
    planned: Sequence[Plan],
    ear: Ear | None,
    blends: Blends,
    executor: Executor,
    *,
    seed: int,
    takes: int,
    lengths: Lengths,
    slots: int,
    on_frames: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[Take]:
    """Every planned edge that can happen, `takes` times with different seeds, in the order in which they end."""
    jobs = [(plan.edge, plan.stage, seed_of(seed, take, plan.edge))
            for take in range(takes) for plan in planned if plan.stage is not None]  # fmt: skip
    parts = [_part(engine, record, edge, stage, own, executor, lengths) for edge, stage, own in jobs]
    async for place, performance in perform_all(engine, parts, slots, on_frames):
        edge, staged, own = jobs[place]
        yield _take(record, edge, staged, own, performance, ear, blends)


def _part(
    engine: Engine, record: Record, edge: Edge, staged: Stage, seed: int, executor: Executor, lengths: Lengths
) -> Part:
    said = [Said(frame, edge.cause, inputs) for frame, inputs in staged.said]
    most = staged.cue + 2 * FAR
    part = Part(engine.info, record, seed, executor, most, said, state=staged.state, ends=lambda _: None)
    part.ends = _ends(edge, part, round(lengths.after * FRAME_RATE))
    return part


def _ends(edge: Edge, part: Part, after: int) -> Ends:
    def ends(effects: Sequence[Effect]) -> int | None:
        change = first_change(edge, iter(effects))
        if change is None:
            return None
        if not is_edge(edge, change):
            return change.frame + FRAME_RATE
        through = change.frame if change.ends_at is None else change.ends_at
        wanted = math.ceil(part.axis.audible(through) / FRAME_SAMPLES) + after
        left = _left_again(effects, change)
        return wanted if left is None else min(wanted, max(1, part.axis.audible(left) // FRAME_SAMPLES))

    return ends


def _left_again(effects: Sequence[Effect], change: TransitionStarted | StingerStarted) -> int | None:
    later = [e.frame for e in effects if isinstance(e, TransitionStarted) and e is not change]
    return min((frame for frame in later if frame >= change.frame), default=None)


def _take(
    record: Record, edge: Edge, staged: Stage, seed: int, performance: Performance, ear: Ear | None, blends: Blends
) -> Take:
    change = first_change(edge, iter(performance.effects))
    ends = blends.of(record.styles.blend(staged.source)), blends.of(record.styles.blend(staged.target))
    if change is None or not is_edge(edge, change):
        why = "nothing happened" if change is None else f"{_name(change)} came first"
        return Take(edge, seed, performance, ends, why=why)
    axis, heard = performance.axis, len(performance.pcm) / SAMPLE_RATE
    told = staged.said[-1][0] if staged.said else change.frame
    through = change.frame if change.ends_at is None else change.ends_at
    said_at, begins, ends_at = (axis.audible(frame) / SAMPLE_RATE for frame in (told, change.frame, through))
    places = Places(said_at, begins, ends_at, heard)
    styles = [style.gain_db for style in record.soundtrack.styles.values()]
    gain = float((staged.target - staged.source) @ np.asarray(styles))
    music = record.soundtrack.music
    question = Question(
        source=ends[0],
        target=ends[1],
        gain_db=round(gain, 3),
        exit_source_at=edge.exit_source_at,
        phrase_bars=None if music is None else music.phrase_bars,
        stinger=edge.stinger is not None,
    )
    figures, hearing = measure(performance, places, question, ear, change.frame)
    return Take(edge, seed, performance, ends, figures, hearing)


def _name(change: TransitionStarted | StingerStarted) -> str:
    if isinstance(change, StingerStarted):
        return f"stinger {change.name}"
    return f"{change.source} → {change.target} ({change.cause})"
