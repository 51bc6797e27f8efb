# SPDX-License-Identifier: Apache-2.0
"""Plays a soundtrack by a script, as fast as the engine goes and the same every time: no clock, no listeners, one slot.

The same machine, styles and engine as a live session; only pacing is missing, so a control lands at the frame it names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import (
    CHANNELS,
    FRAME_RATE,
    FRAME_SAMPLES,
    Blocks,
    Conditioning,
    Engine,
    PromptError,
    SlotHandle,
)
from segue_service.session.director import Director, Placement
from segue_service.session.guidance import guidance_of
from segue_service.session.library import Record
from segue_service.session.spacing import Spacing, moments_of
from segue_service.session.stepping import until_frame
from segue_service.session.timeline import Axis
from segue_service.soundtrack import ControlError, Effect, Input, InputResult, MusicClock


@dataclass(frozen=True, slots=True)
class Said:
    """Inputs that happen together at a frame; `Performance.outcomes` tells under `name` what came of them."""

    frame: int
    name: str
    inputs: Sequence[Input]


@dataclass
class Performance:
    """What was played. pcm int16[n, 2] from sample 0; codes int16[frames, levels]; effects in order of their frames."""

    pcm: NDArray[np.int16]
    codes: NDArray[np.int16]
    axis: Axis
    initial_state: str
    effects: list[Effect] = field(default_factory=list)
    outcomes: list[tuple[Said, tuple[InputResult, ...] | ControlError]] = field(default_factory=list)
    beats: list[int] = field(default_factory=list)
    bars: list[int] = field(default_factory=list)


class Performer:
    """One soundtrack on one slot of an engine that nobody else drives meanwhile."""

    def __init__(self, engine: Engine, record: Record, seed: int, executor: Executor) -> None:
        self._engine, self._record, self._seed, self._executor = engine, record, seed, executor
        machine = record.machine
        self._director = Director(machine, machine.start(frame=0), guidance=guidance_of(engine.info))
        self._clock: MusicClock | None = None
        self._axis = Axis(engine.info)
        self._spacing = Spacing(engine.info)

    async def perform(
        self,
        frames: int,
        said: Sequence[Said] = (),
        on_frame: Callable[[int], None] = lambda _: None,
        prefill: NDArray[np.float32] | None = None,
    ) -> Performance:
        """Play `frames` frames of the timeline, going on from `prefill` f32[n, 2] if given.

        Raises ConditioningError, EngineFullError, PromptError for a recording that can't be taken.

        A ControlError of an input does not stop the music: it is that input's outcome.
        """
        engine, axis = self._engine, self._axis
        result = Performance(
            np.zeros((frames * FRAME_SAMPLES, CHANNELS), np.int16),
            np.zeros((frames, engine.info.levels), np.int16),
            axis,
            self._director.state.state,
        )
        waiting = sorted(said, key=lambda one: one.frame)
        last = axis.frame(frames * FRAME_SAMPLES - 1) + 1
        placement, entries = await self._place(0, [])
        handle = engine.insert(self._seed, entries[0][1], self._history(prefill))
        try:
            engine.steer(handle, entries[1:])
            self._keep(placement, result)
            limit = placement.limit
            for frame in range(last):
                now = [one for one in waiting if one.frame <= frame]
                if now or frame >= limit:
                    waiting = waiting[len(now) :]
                    placement, entries = await self._place(frame, now)
                    engine.steer(handle, entries)
                    self._keep(placement, result)
                    limit = placement.limit
                    result.outcomes += zip(now, placement.outcomes, strict=True)
                self._take(self._step(handle), frame, result)
                on_frame(frame + 1)
        finally:
            engine.release(handle)
        result.effects = [effect for effect in result.effects if effect.frame < last]
        return result

    def _step(self, handle: SlotHandle) -> Blocks:
        """One frame, in as many steps as it takes."""
        for _ in until_frame(self._engine, handle):
            self._engine.step([handle])
        blocks = self._engine.flush()
        if blocks is None:
            raise RuntimeError("the engine did not hand over a frame that it had dispatched")
        return blocks

    def _history(self, audio: NDArray[np.float32] | None) -> NDArray[np.int32] | None:
        if audio is None:
            return None
        if self._engine.tokenizer is None:
            raise PromptError(f"the model {self._engine.info.model} can't go on from audio")
        return np.concatenate(list(self._engine.tokenizer.pieces(audio)))

    async def _place(self, frame: int, said: Sequence[Said]) -> tuple[Placement, list[tuple[int, Conditioning]]]:
        clock = self._director.machine.nominal_clock(frame) if self._clock is None else self._clock.at(frame)
        placement = self._director.place(frame, clock, [(one.name, one.inputs) for one in said])
        entries = await self._record.styles.conditionings(placement.points, None, self._executor, placement.limit)
        moments = moments_of(placement, self._director.state_after(placement), None)
        entries = self._spacing.space(entries, placement.limit, moments)
        self._spacing.commit(entries, moments)
        return placement, entries

    def _keep(self, placement: Placement, result: Performance) -> None:
        dropped = self._director.commit(placement)
        foreseen = {id(effect) for entry in dropped for effect, _ in entry.effects}
        result.effects = [effect for effect in result.effects if id(effect) not in foreseen]
        result.effects += [effect for entry in placement.entries for effect, _ in entry.effects]

    def _take(self, blocks: Blocks, frame: int, result: Performance) -> None:
        begin = self._axis.sample(frame)
        pcm = blocks.pcm[0, max(0, -begin) :]
        begin = max(0, begin)
        room = len(result.pcm) - begin
        if room > 0:
            result.pcm[begin : begin + len(pcm)] = pcm[:room]
        codes = blocks.codes[0, 0]
        if frame < len(result.codes):
            result.codes[frame] = codes
        if self._engine.clock is None:
            return
        read = self._engine.clock.read(codes[None])
        self._clock = MusicClock(
            frame=frame,
            bpm=float(read.bpm[0]),
            beats_per_bar=int(read.beats_per_bar[0]),
            frames_to_beat=int(read.frames_to_beat[0]),
            frames_to_bar=int(read.frames_to_bar[0]),
            bar=int(read.bar[0]),
            phrase_bars=read.phrase_bars,
        )
        if read.on_beat[0]:
            result.beats.append(self._axis.audible(frame))
        if read.on_bar[0]:
            result.bars.append(self._axis.audible(frame))


def frame_of(seconds: float) -> int:
    """The frame in which a time of the timeline lies."""
    return round(seconds * FRAME_RATE)
