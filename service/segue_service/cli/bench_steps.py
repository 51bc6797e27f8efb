# SPDX-License-Identifier: Apache-2.0
"""Timing an engine's steps at one number of slots after the other, and finding how many fit into a frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from segue_service.cli.console import CommandError

if TYPE_CHECKING:
    from segue_engine.contract import Engine, SlotHandle, StyleEncoder

FRAME_MS: Final = 40.0
FEWEST_STEPS: Final = 20
WARM_STEPS: Final = 12
WARM_SECONDS: Final = 6.0
STYLES: Final = (
    "calm exploration, harp",
    "combat, war drums",
    "stealth, dark",
    "synthwave",
    "village, flute",
    "horror",
    "boss, choir",
)


@dataclass(frozen=True)
class StepTimes:
    """Wall milliseconds from dispatch to blocks on the host, all slots due, over `steps` steps."""

    slots: int
    steps: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_ms: float
    """CPU milliseconds of the whole process per step, on all cores."""


Percentile = Callable[[StepTimes], float]


def at_p95(times: StepTimes) -> float:
    return times.p95_ms


def at_p99(times: StepTimes) -> float:
    return times.p99_ms


def largest_measured(measured: Sequence[StepTimes], percentile: Percentile) -> StepTimes | None:
    """The most slots among those measured whose step fits into a frame at that percentile."""
    fitting = [times for times in measured if percentile(times) <= FRAME_MS]
    return max(fitting, key=lambda times: times.slots, default=None)


class StepBench:
    """A warmed-up engine that is filled up slot by slot and timed at each size.

    steps: timed at each size, fewer (never below `FEWEST_STEPS`) where they take longer than `seconds`.
    """

    def __init__(self, engine: Engine, encoder: StyleEncoder, steps: int, seconds: float) -> None:
        from segue_engine.contract import Conditioning, Prompt

        self._engine, self._steps, self._seconds = engine, steps, seconds
        codes = encoder.quantise(encoder.embed([Prompt(text=text) for text in STYLES]).embeddings)
        self._conditioning = [Conditioning(style_codes=tuple(int(c) for c in row)) for row in codes]
        self._handles: list[SlotHandle] = []
        self._known: dict[int, StepTimes] = {}

    def measure(self, slots: int) -> StepTimes:
        """Bind exactly `slots` slots and time steps in which all of them are due. A size is measured once."""
        if slots not in self._known:
            self._known[slots] = self._measure(slots)
        return self._known[slots]

    def largest(self, sizes: Sequence[int], percentile: Percentile) -> StepTimes | None:
        """The most slots whose step fits into a frame at that percentile: bisects between `sizes`."""
        measured = [self.measure(size) for size in sizes]
        best = largest_measured(measured, percentile)
        low = best.slots if best else 0
        high = min((times.slots for times in measured if times.slots > low), default=low)
        while high - low > max(1, low // 16):
            times = self.measure((low + high) // 2)
            if percentile(times) <= FRAME_MS:
                best, low = times, times.slots
            else:
                high = times.slots
        return best

    def _measure(self, slots: int) -> StepTimes:
        while len(self._handles) > slots:
            self._engine.release(self._handles.pop())
        while len(self._handles) < slots:
            i = len(self._handles)
            self._handles.append(self._engine.insert(1000 + i, self._conditioning[i % len(self._conditioning)]))
        began = time.perf_counter()
        for _ in range(WARM_STEPS):
            self._step()
            if time.perf_counter() - began > WARM_SECONDS:
                break
        times: list[float] = []
        began, cpu = time.perf_counter(), time.process_time()
        while len(times) < self._steps:
            times.append(self._step())
            if len(times) >= FEWEST_STEPS and time.perf_counter() - began > self._seconds:
                break
        cpu = (time.process_time() - cpu) / len(times)
        p50, p95, p99 = np.percentile(times, (50, 95, 99))
        return StepTimes(slots, len(times), *(round(float(x), 2) for x in (p50, p95, p99, max(times), cpu * 1000)))

    def _step(self) -> float:
        started = time.perf_counter()
        self._engine.step(self._handles)
        blocks = self._engine.flush()
        if blocks is None or blocks.count != len(self._handles):
            raise CommandError("the engine did not hand over a block for every slot: this is a bug")
        return (time.perf_counter() - started) * 1000
