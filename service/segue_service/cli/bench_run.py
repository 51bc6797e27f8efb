# SPDX-License-Identifier: Apache-2.0
"""One benchmark from engine to figures. What does not fit into memory is left out with a sentence, the rest stands."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from segue_service.cli.bench_steps import StepBench, StepTimes, at_p95, at_p99, largest_measured
from segue_service.cli.console import CommandError

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_engine.assemble_profile import Examined
    from segue_engine.batch.profile import PartTimes, Profile
    from segue_engine.batch.profile_passes import EncoderTimes, PassProfile
    from segue_engine.contract import Engine, EngineInfo

Tell = Callable[[str], None]
"""Is told what is being done."""


@dataclass(frozen=True)
class Plan:
    """What to measure. sizes: numbers of slots, ascending. seconds: longest time at one size."""

    sizes: tuple[int, ...]
    steps: int
    seconds: float
    rewind_frames: int
    parts: bool


@dataclass(frozen=True)
class LeftOut:
    """A number of slots that did not fit into the device's memory. what: "engine", "steps", "parts" or "passes"."""

    slots: int
    what: str
    reason: str


@dataclass
class Figures:
    """What was measured, as far as it came. examined: None for an engine without parts; encoder: for a model without
    one."""

    info: EngineInfo
    ready_s: float
    steps: list[StepTimes] = field(default_factory=list)
    best_p95: StepTimes | None = None
    best_p99: StepTimes | None = None
    examined: Examined | None = None
    parts: list[PartTimes] = field(default_factory=list)
    encoder: EncoderTimes | None = None
    left_out: list[LeftOut] = field(default_factory=list)


def run(assembly: Assembly, plan: Plan, started: float, tell: Tell, ready: Callable[[Figures], None]) -> Figures:
    """Warm the assembly's engine up for the plan's sizes, measure, and close it.

    started: when loading began, by `time.perf_counter`. `ready` is given the figures as soon as the engine can be
    stepped. Raises CommandError where not even the smallest size fits into memory.
    """
    from segue_engine.assemble_profile import examine

    left_out: list[LeftOut] = []
    engine, sizes = _warmed_up(assembly.engine, plan, tell, left_out)
    try:
        figures = Figures(engine.info, round(time.perf_counter() - started, 2), left_out=left_out)
        figures.examined = examine(engine)
        ready(figures)
        _steps(figures, StepBench(engine, assembly.style_encoder, plan.steps, plan.seconds), sizes, tell)
    finally:
        engine.close()
    if plan.parts and figures.examined is not None:
        _parts(figures, tell)
    return figures


def _warmed_up(engine: Engine, plan: Plan, tell: Tell, left_out: list[LeftOut]) -> tuple[Engine, tuple[int, ...]]:
    """An engine for the largest of the sizes that fits into memory, and the sizes up to it."""
    from segue_engine.assemble_profile import resized

    sizes = plan.sizes
    while sizes:
        tell(f"compiling for {_some(sizes[-1])} (kept for the next run)")
        engine = resized(engine, sizes, plan.rewind_frames)
        if fits(sizes[-1], "engine", left_out, engine.warm_up):
            return engine, sizes
        engine.close()
        sizes = sizes[:-1]
    raise CommandError(f"{_some(plan.sizes[0])} do not fit into the device's memory: {left_out[-1].reason}")


def _steps(figures: Figures, bench: StepBench, sizes: Sequence[int], tell: Tell) -> None:
    for size in sizes:
        tell(f"steps of {_some(size)}")
        if not fits(size, "steps", figures.left_out, partial(_measure, figures, bench, size)):
            # the engine's state is lost with the step that failed, so nothing more can be measured
            figures.best_p95, figures.best_p99 = (largest_measured(figures.steps, at) for at in (at_p95, at_p99))
            return
    tell("most sessions in real time")
    figures.best_p95, figures.best_p99 = (bench.largest(sizes, at) for at in (at_p95, at_p99))


def _parts(figures: Figures, tell: Tell) -> None:
    assert figures.examined is not None
    profile = figures.examined.profile
    for times in figures.steps:
        tell(f"parts of a step of {_some(times.slots)}")
        fits(times.slots, "parts", figures.left_out, partial(_take_apart, figures, profile, times.slots))
    passes, sizes = figures.examined.passes, [times.slots for times in figures.steps]
    if passes is not None and sizes:
        tell("passes of the encoder")
        fits(sizes[-1], "passes", figures.left_out, partial(_passes, figures, passes, sizes))


def _measure(figures: Figures, bench: StepBench, slots: int) -> None:
    figures.steps.append(bench.measure(slots))


def _take_apart(figures: Figures, profile: Profile, slots: int) -> None:
    figures.parts.extend(profile.measure(slots))


def _passes(figures: Figures, passes: PassProfile, sizes: Sequence[int]) -> None:
    figures.encoder = passes.measure(sizes)


def fits(slots: int, what: str, left_out: list[LeftOut], work: Callable[[], object]) -> bool:
    """Do the work. False, with an entry in `left_out`, if device memory ran out; any other error passes."""
    try:
        work()
    except (MemoryError, RuntimeError) as error:  # jax's errors are RuntimeErrors, and this must not import jax
        reason = out_of_memory(error)
        if reason is None:
            raise
        left_out.append(LeftOut(slots, what, reason))
        return False
    return True


def out_of_memory(error: BaseException) -> str | None:
    """What an error says of memory that ran out, in one line; None for one of another kind."""
    text = str(error)
    if not isinstance(error, MemoryError) and not re.search(r"RESOURCE_EXHAUSTED|out of memory", text, re.IGNORECASE):
        return None
    line = next(iter(text.strip().splitlines()), "") or "out of memory"
    return line if len(line) <= 200 else line[:199] + "…"


def _some(slots: int) -> str:
    return f"{slots} slot{'' if slots == 1 else 's'}"
