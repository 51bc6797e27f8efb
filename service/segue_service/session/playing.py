# SPDX-License-Identifier: Apache-2.0
"""One soundtrack played offline on one slot: what to steer the slot by before each frame, and what came of it.

The same machine, styles and spacing as a live session; only pacing is missing, so a control lands at the frame that it
names. Whoever drives the engine asks a part for its entries, steers, steps, and hands the frame back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES, Blocks, Conditioning, Engine, EngineInfo
from segue_service.session.director import Director, Placement
from segue_service.session.guidance import guidance_of
from segue_service.session.library import Record
from segue_service.session.spacing import Spacing, moments_of
from segue_service.session.timeline import Axis
from segue_service.soundtrack import ControlError, Effect, Input, InputResult, MachineState, MusicClock

Entries = list[tuple[int, Conditioning]]


@dataclass(frozen=True, slots=True)
class Said:
    """Inputs that happen together at a frame; `Performance.outcomes` tells under `name` what came of them."""

    frame: int
    name: str
    inputs: Sequence[Input]


@dataclass
class Performance:
    """What was played. pcm int16[n, 2] from sample 0; codes int16[frames, levels]; effects in order of their frames.

    clocks: by frame, the clock read from its codes; empty if the model has none. ending: the machine at the end.
    """

    pcm: NDArray[np.int16]
    codes: NDArray[np.int16]
    axis: Axis
    initial_state: str
    effects: list[Effect] = field(default_factory=list)
    outcomes: list[tuple[Said, tuple[InputResult, ...] | ControlError]] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)
    clocks: list[MusicClock] = field(default_factory=list)
    ending: MachineState | None = None


Ends = Callable[[Sequence[Effect]], int | None]
"""Effects so far → frames of the timeline after which the part is over, None while that is open."""


class Part:
    """One soundtrack's play on a slot that somebody else steps. Calls come as begin, (plan, take)*, finish."""

    def __init__(
        self,
        info: EngineInfo,
        record: Record,
        seed: int,
        executor: Executor,
        frames: int,
        said: Sequence[Said] = (),
        *,
        state: MachineState | None = None,
        ends: Ends = lambda _: None,
    ) -> None:
        """frames: of the timeline, at most; `ends` may end it earlier. state: the machine at frame 0."""
        machine = record.machine
        begins = machine.start(frame=0) if state is None else state
        self.seed: Final = seed
        self.axis: Final = Axis(info)
        self._record, self._executor, self.ends = record, executor, ends
        self._director = Director(machine, begins, guidance=guidance_of(info))
        self._spacing = Spacing(info)
        self._frames = frames
        self._waiting = sorted(said, key=lambda one: one.frame)
        self._limit = 0
        self._pcm: list[NDArray[np.int16]] = []
        self._codes: list[NDArray[np.int16]] = []
        self._clocks: list[MusicClock] = []
        empty = np.zeros((0, CHANNELS), np.int16), np.zeros((0, info.levels), np.int16)
        self._result = Performance(*empty, self.axis, begins.state)

    @property
    def last(self) -> int:
        """The first frame that need not be made."""
        return self.axis.frame(self._frames * FRAME_SAMPLES - 1) + 1

    async def begin(self) -> Entries:
        """What frame 0 and those after it are made under."""
        return await self._place(0, [])

    async def plan(self, frame: int) -> Entries:
        """What to steer by before `frame` is made; empty where nothing changes."""
        now = [one for one in self._waiting if one.frame <= frame]
        if not now and frame < self._limit:
            return []
        self._waiting = self._waiting[len(now) :]
        return await self._place(frame, now)

    def take(self, pcm: NDArray[np.int16], codes: NDArray[np.int16], clock: MusicClock | None) -> None:
        """The next frame: int16[1920, 2], int16[levels], and the clock read from it."""
        self._pcm.append(pcm)
        self._codes.append(codes)
        if clock is None:
            return
        self._clocks.append(clock)
        if clock.frames_to_beat == 0:
            self._result.beats.append(self.axis.audible(clock.frame))
        if clock.frames_to_bar == 0:
            self._result.bars.append(self.axis.audible(clock.frame))

    def finish(self) -> Performance:
        """All that was played. No other call may follow."""
        result, length = self._result, self._frames
        unheard = max(0, -self.axis.sample(0))
        result.pcm = np.concatenate(self._pcm)[unheard:][: length * FRAME_SAMPLES]
        result.codes = np.stack(self._codes)[:length]
        result.clocks = self._clocks
        last = len(self._codes)
        result.effects = [effect for effect in result.effects if effect.frame < last]
        result.ending = self._director.state_at(last - 1)
        return result

    async def _place(self, frame: int, said: Sequence[Said]) -> Entries:
        clock = self._clocks[-1].at(frame) if self._clocks else self._director.machine.nominal_clock(frame)
        sure = self._clocks[-1].next_beat if self._clocks else None
        placement = self._director.place(frame, clock, [(one.name, one.inputs) for one in said], sure=sure)
        entries = await self._record.styles.conditionings(placement.points, None, self._executor, placement.limit)
        moments = moments_of(placement, self._director.state_after(placement), None)
        entries = self._spacing.space(entries, placement.limit, moments)
        self._spacing.commit(entries, moments)
        self._keep(placement)
        self._result.outcomes += zip(said, placement.outcomes, strict=True)
        return entries

    def _keep(self, placement: Placement) -> None:
        result = self._result
        dropped = self._director.commit(placement)
        foreseen = {id(effect) for entry in dropped for effect, _ in entry.effects}
        result.effects = [effect for effect in result.effects if id(effect) not in foreseen]
        result.effects += [effect for entry in placement.entries for effect, _ in entry.effects]
        self._limit = placement.limit
        known = self.ends(result.effects)
        if known is not None:
            self._frames = min(self._frames, known)


def clocks_of(engine: Engine, blocks: Blocks) -> list[MusicClock | None]:
    """The musical clock of each row's first frame; None where the model has none."""
    if engine.clock is None:
        return [None] * blocks.count
    read = engine.clock.read(blocks.codes[:, 0])
    return [
        MusicClock(
            frame=int(blocks.first_frame[row]),
            bpm=float(read.bpm[row]),
            beats_per_bar=int(read.beats_per_bar[row]),
            frames_to_beat=0 if read.on_beat[row] else int(read.frames_to_beat[row]),
            frames_to_bar=0 if read.on_bar[row] else int(read.frames_to_bar[row]),
            bar=int(read.bar[row]),
            phrase_bars=read.phrase_bars,
        )
        for row in range(blocks.count)
    ]
