# SPDX-License-Identifier: Apache-2.0
"""A session's frames in one compressed encoding, each encoded once however many listen. Event loop only.

A *run* is a stretch of frames that one encoder has made, one after the other. Usually there is one: whoever listens
extends it at the head. A listener that begins further back begins a run of its own, and moves over to the next run
where that begins. A take ends the runs that hold what it replaces. Whoever enters a run gets its lead-in before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES
from segue_service.session.codecs import FrameCodec
from segue_service.session.timeline import History

# A listener so few frames ahead of a run has it extended up to there, rather than begin another one.
_NEAR: Final = 25


class Run:
    """Frames [begin, next) by one encoder; listeners may enter it from `first` on."""

    def __init__(self, begin: int, first: int, state: Any) -> None:
        self.begin, self.first, self.state = begin, first, state
        self.payloads: list[bytes] = []
        self.wanted = first
        """Frames before this one are asked for."""
        self.goes_on = True
        self.is_last = False
        """The music ends: what is asked for beyond its end is silence."""
        self.work: asyncio.Task[None] | None = None

    @property
    def next(self) -> int:
        """First frame not encoded."""
        return self.begin + len(self.payloads)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Payload that decodes to `skip` samples to be dropped and then those up to the sample `end`."""

    payload: bytes
    skip: int
    end: int
    run: Run


class Packets:
    """The runs of one session in one encoding."""

    def __init__(self, history: History, place: int, codec: FrameCodec) -> None:
        self._history, self._place, self._codec = history, place, codec
        self._runs: list[Run] = []
        self.encoded = 0
        """Frames encoded so far."""

    async def read(self, begin: int, end: int, run: Run | None, *, is_last: bool = False) -> Stretch | None:
        """Samples [begin, end), less if another run begins in between, for a listener that has read `run` so far.

        None if the timeline was replaced meanwhile. is_last: the music ends at `end`.
        """
        axis, codec = self._history.axis, self._codec
        first, last = axis.frame(begin + codec.delay), axis.frame(end - 1 + codec.delay)
        found = self._run_for(first)
        stop = min(last + 1, self._border(found))
        found.is_last |= is_last
        await self._reach(found, stop)
        if not found.begin <= first < stop <= found.next:
            return None
        lead = 0 if found is run else min(codec.lead_in, first - found.begin)
        payload = b"".join(found.payloads[first - lead - found.begin : stop - found.begin])
        skip = begin - axis.sample(first - lead) + codec.delay
        return Stretch(payload, skip, min(end, axis.sample(stop) - codec.delay), found)

    def replaced(self, sample: int) -> None:
        """The timeline is another one from this sample on."""
        frame = self._history.axis.frame(sample)
        for run in self._runs:
            if max(run.wanted, run.next) > frame:
                run.goes_on = False
                del run.payloads[max(0, frame - run.begin) :]
        self._runs = [run for run in self._runs if run.goes_on or run.first < run.next]

    def _run_for(self, frame: int) -> Run:
        """The run to read a frame from; a new one if no other can be extended to it."""
        history = self._history
        tail = int(history.tail[self._place])
        self._forget(tail)
        before = [run for run in self._runs if run.first <= frame]
        if before:
            run = max(before, key=lambda run: run.first)
            extends = run.goes_on and run.next >= tail and frame - max(run.next, run.wanted) <= _NEAR
            if frame < run.next or extends:
                return run
        begin = min(frame, max(frame - self._codec.lead_in, history.axis.frame(0), tail))
        run = Run(begin, frame, self._codec.begin())
        self._runs.append(run)
        return run

    def _border(self, run: Run) -> int:
        """The frame at which a run ends because another one begins or it was ended."""
        following = [other.first for other in self._runs if other.first > run.first]
        if not run.goes_on:
            following.append(run.next)
        return min(following, default=np.iinfo(np.int64).max)

    def _forget(self, tail: int) -> None:
        """Drop what the timeline doesn't hold any more, but for lead-ins."""
        keep = tail - self._codec.lead_in
        for run in self._runs:
            gone = min(keep - run.begin, len(run.payloads))
            if gone > 0:
                del run.payloads[:gone]
                run.begin += gone
        self._runs = [run for run in self._runs if run.next > keep or run.work is not None]

    async def _reach(self, run: Run, end: int) -> None:
        """Extend a run up to a frame; gives up if it can't go on."""
        run.wanted = max(run.wanted, end)
        while run.next < end and run.goes_on:
            if run.work is None:
                run.work = asyncio.create_task(self._extend(run))
            # The work goes on if this listener goes away: others may wait for it, and the encoder has moved on.
            await asyncio.shield(run.work)

    async def _extend(self, run: Run) -> None:
        end = run.wanted if run.is_last else min(run.wanted, int(self._history.head[self._place]))
        try:
            if end <= run.next:  # what was asked for has been taken back
                run.goes_on = False
                return
            payloads = await self._codec.encode(run.state, self._pcm(run.next, end))
        except BaseException:
            run.goes_on = False
            raise
        finally:
            run.work = None
        self.encoded += len(payloads)
        if run.goes_on:
            run.payloads += payloads

    def _pcm(self, first: int, end: int) -> NDArray[np.int16]:
        """Samples of frames [first, end) with the codec's context before them; silence where the timeline has none."""
        history, axis = self._history, self._history.axis
        begin = axis.sample(first) - self._codec.context
        pcm = np.zeros((self._codec.context + FRAME_SAMPLES * (end - first), CHANNELS), np.int16)
        low = max(begin, history.first_sample(self._place))
        high = min(axis.sample(end), history.head_sample(self._place))
        if low < high:
            pcm[low - begin : high - begin] = history.pcm(self._place, low, high)
        return pcm
