# SPDX-License-Identifier: Apache-2.0
"""Plays a soundtrack by a script on one slot, as fast as the engine goes and the same every time: no clock, no
listeners.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, Blocks, Engine, PromptError, SlotHandle
from segue_service.session.library import Record
from segue_service.session.playing import Part, Performance, Said, clocks_of
from segue_service.session.stepping import until_frame

__all__ = ["Performance", "Performer", "Said", "frame_of"]


class Performer:
    """One soundtrack on one slot of an engine that nobody else drives meanwhile."""

    def __init__(self, engine: Engine, record: Record, seed: int, executor: Executor) -> None:
        self._engine, self._record, self._seed, self._executor = engine, record, seed, executor

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
        engine = self._engine
        part = Part(engine.info, self._record, self._seed, self._executor, frames, said)
        entries = await part.begin()
        handle = engine.insert(self._seed, entries[0][1], self._history(prefill))
        try:
            engine.steer(handle, entries[1:])
            for frame in range(part.last):
                if entries := await part.plan(frame):
                    engine.steer(handle, entries)
                await asyncio.sleep(0)  # where Ctrl-C and cancellation get their turn
                blocks = self._step(handle)
                part.take(blocks.pcm[0], blocks.codes[0, 0], clocks_of(engine, blocks)[0])
                on_frame(frame + 1)
        finally:
            engine.release(handle)
        return part.finish()

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


def frame_of(seconds: float) -> int:
    """The frame in which a time of the timeline lies."""
    return round(seconds * FRAME_RATE)
