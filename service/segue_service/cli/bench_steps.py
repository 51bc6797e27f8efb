# SPDX-License-Identifier: Apache-2.0
"""Timing an engine's steps at one number of slots after the other, and finding how many fit into a frame.

Frames are counted, since a slot that is due need not get one in each step: some models have passes to work off between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from segue_service.cli.console import CommandError
from segue_service.session.stepping import PATIENCE

if TYPE_CHECKING:
    from segue_engine.contract import Engine, SlotHandle, StyleEncoder

FRAME_MS: Final = 40.0
FEWEST_STEPS: Final = 20
WARM_STEPS: Final = 12
WARM_SECONDS: Final = 6.0
INTERVALS: Final = 4
"""Every slot's frames are timed in multiples of so many intervals between changes of style, where those are longer
than a frame: such a model has passes to work off before each chunk, and of Magenta RT 1 these are two chunks."""
STYLES: Final = (
    "calm exploration, harp",
    "combat, war drums",
    "stealth, dark",
    "synthwave",
    "village, flute",
    "horror",
    "boss, choir",
)


Percentile = Callable[["StepTimes"], float]


@dataclass(frozen=True)
class StepTimes:
    """Wall milliseconds from dispatch to blocks on the host, all slots due, over `steps` steps.

    frames: handed over in them, all slots together; `slots` · `steps` unless slots had to wait.
    """

    slots: int
    steps: int
    frames: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cpu_ms: float
    """CPU milliseconds of the whole process per step, on all cores."""
    frame_ms: float
    """Mean wall milliseconds in which every slot gets a frame."""

    def fits(self, percentile: Percentile) -> bool:
        """Whether steps fit into a frame at that percentile, and frames come as fast as they are played."""
        return percentile(self) <= FRAME_MS and self.frame_ms <= FRAME_MS


def at_p95(times: StepTimes) -> float:
    return times.p95_ms


def at_p99(times: StepTimes) -> float:
    return times.p99_ms


def largest_measured(measured: Sequence[StepTimes], percentile: Percentile) -> StepTimes | None:
    """The most slots among those measured whose step fits into a frame at that percentile."""
    fitting = [times for times in measured if times.fits(percentile)]
    return max(fitting, key=lambda times: times.slots, default=None)


class StepBench:
    """A warmed-up engine that is filled up slot by slot and timed at each size.

    steps: timed at each size, fewer (never below `FEWEST_STEPS`) where they take longer than `seconds`; more where
    the slots' frames have not come to a multiple of `INTERVALS` intervals.
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
            if times.fits(percentile):
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
        self._warm_up()
        times: list[float] = []
        frames, began, cpu = np.zeros(slots, np.int64), time.perf_counter(), time.process_time()
        while not self._enough(len(times), int(frames.min()), time.perf_counter() - began):
            spent, got = self._step()
            times.append(spent)
            frames += got
            if len(times) > frames.sum() + PATIENCE:
                raise _stuck()
        cpu = (time.process_time() - cpu) / len(times)
        p50, p95, p99 = np.percentile(times, (50, 95, 99))
        figures = p50, p95, p99, max(times), cpu * 1000, sum(times) * slots / int(frames.sum())
        return StepTimes(slots, len(times), int(frames.sum()), *(round(float(x), 2) for x in figures))

    def _enough(self, steps: int, frames: int, seconds: float) -> bool:
        """frames: of the slot that has had fewest. Only whole periods, or passes would count too much or too little."""
        interval = self._engine.info.style_interval_frames
        period = INTERVALS * interval if interval > 1 else 1
        if steps < FEWEST_STEPS or not frames or frames % period:
            return False
        return steps >= self._steps or seconds > self._seconds

    def _warm_up(self) -> None:
        """Step until every slot has had a frame, and some more."""
        began, waits = time.perf_counter(), np.ones(len(self._handles), np.bool_)
        for step in range(PATIENCE):
            waits &= ~self._step()[1]
            late = time.perf_counter() - began > WARM_SECONDS
            if not waits.any() and (step + 1 >= WARM_STEPS or late):
                return
        raise _stuck()

    def _step(self) -> tuple[float, NDArray[np.bool_]]:
        """One step with all slots due: milliseconds, and which of the slots have got a frame."""
        slots = [handle.index for handle in self._handles]
        before = self._engine.heads()[slots]
        started = time.perf_counter()
        self._engine.step(self._handles)
        blocks = self._engine.flush()
        spent = (time.perf_counter() - started) * 1000
        got = self._engine.heads()[slots] > before
        if (0 if blocks is None else blocks.count) != int(got.sum()):
            raise CommandError("the engine did not hand over a block for every frame that it dispatched: this is a bug")
        return spent, got


def _stuck() -> CommandError:
    return CommandError(f"the engine made no frame in {PATIENCE} steps: this is a bug")
