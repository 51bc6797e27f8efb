# SPDX-License-Identifier: Apache-2.0
"""What is still to be played, by its place on the timeline: blocks go in, a sound card takes samples out.

A later take replaces what lies from its first sample on. Where that has begun to be played, the new one is faded in.
What it replaces is kept until it is there: on a bad network the beginning of a take may come and what follows be late,
and then the older version goes on instead of silence.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.reception import Block

FADE: Final = 960
"""Samples over which a take that came too late is faded in, and the seam to an older version smoothed: 20 ms."""


class PlaybackBuffer:
    """Samples int16[n, 2] ahead of a playhead, at most `seconds` of them. Any threads: one puts, another reads."""

    def __init__(self, seconds: float = 15.0, sample_rate: int = 48_000) -> None:
        self._size = int(seconds * sample_rate)
        self._ring: NDArray[np.int16] = np.zeros((self._size, 2), np.int16)
        self._older: NDArray[np.int16] = np.zeros((self._size, 2), np.int16)
        self._lock = threading.Lock()
        self._begin: int | None = None
        self._end = 0
        self._older_end = 0
        self._take = 0
        self._is_behind = False
        self.missed = 0
        """Samples that were asked for and not there; silence was played."""
        self.late_takes = 0
        """Takes whose first samples had been played already in their older version."""
        self.outdated = 0
        """Samples that were played in an older version, because the newer one had begun but not gone on in time."""

    @property
    def playhead(self) -> int:
        """First sample that has not been read; 0 before there is any."""
        return self._begin or 0

    @property
    def reserve(self) -> int:
        """Samples that are there to be read, in their newest version."""
        return 0 if self._begin is None else max(0, self._end - self._begin)

    def put(self, block: Block) -> None:
        """Take in a block. One of an older take is left out; so is what lies before the playhead or beyond the size."""
        with self._lock:
            if block.take < self._take:
                return
            if self._begin is None or block.first_sample > self._end:
                self._begin = self._end = self._older_end = block.first_sample
                self._is_behind = False
            pcm, first = block.pcm, block.first_sample
            is_new, self._take = block.take > self._take, block.take
            if is_new:
                self._keep(first)
            skipped = max(0, self._begin - first)
            if skipped:
                pcm, first = pcm[skipped:], self._begin
                self.late_takes += is_new
                self._is_behind = self._is_behind or is_new
            pcm = pcm[: self._size - (first - self._begin)]
            if self._is_behind and len(pcm):
                pcm = _faded(self._older[self._places(first, max(first, self._older_end))], pcm)
                self._is_behind = False
            self._ring[self._places(first, first + len(pcm))] = pcm
            self._end = max(self._begin, first + len(pcm))

    def read(self, count: int) -> NDArray[np.int16]:
        """The next `count` samples, int16[count, 2]. Before the first block silence, later what is missing of them is;
        the playhead only moves over what is there."""
        out = np.zeros((count, 2), np.int16)
        with self._lock:
            if self._begin is None:
                return out
            newest = min(count, max(0, self._end - self._begin))
            out[:newest] = self._ring[self._places(self._begin, self._begin + newest)]
            self._begin += newest
            older = min(count - newest, max(0, self._older_end - self._begin))
            if older:
                if not self._is_behind:
                    self._smooth(self._begin)
                    self._is_behind = True
                out[newest : newest + older] = self._older[self._places(self._begin, self._begin + older)]
                self._begin += older
                self.outdated += older
            self.missed += count - newest - older
        return out

    def _keep(self, first: int) -> None:
        """Keep what a take replaces from `first` on."""
        places = self._places(max(first, self._begin or 0), self._end)
        self._older[places] = self._ring[places]
        self._older_end = max(self._older_end, self._end)

    def _smooth(self, sample: int) -> None:
        """Let the older version go on at `sample` from where the newer one has got to: the step between them decays."""
        length = min(FADE, self._older_end - sample)
        before, places = (sample - 1) % self._size, self._places(sample, sample + length)
        step = self._ring[before].astype(np.float32) - self._older[before]
        decay = 1 - np.arange(1, length + 1, dtype=np.float32) / np.float32(FADE + 1)
        moved = self._older[places] + decay[:, None] * step
        self._older[places] = np.clip(np.rint(moved), -32768, 32767).astype(np.int16)

    def _places(self, begin: int, end: int) -> NDArray[np.int64]:
        return np.arange(begin, max(begin, end)) % self._size


class NewestTakes:
    """Everything that was sent from the first block on, in its newest takes: for recordings, not for playing."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []

    @property
    def end(self) -> int:
        """The sample after the last; 0 if there is none."""
        return self._blocks[-1].end if self._blocks else 0

    @property
    def pcm(self) -> NDArray[np.int16]:
        """int16[n, 2]."""
        return np.concatenate([np.zeros((0, 2), np.int16), *(block.pcm for block in self._blocks)])

    def put(self, block: Block) -> None:
        """Take in a block; what it replaces is dropped."""
        while self._blocks and self._blocks[-1].first_sample >= block.first_sample:
            self._blocks.pop()
        if self._blocks and self._blocks[-1].end > block.first_sample:
            last = self._blocks[-1]
            self._blocks[-1] = replace(last, pcm=last.pcm[: block.first_sample - last.first_sample])
        self._blocks.append(block)


def _faded(old: NDArray[np.int16], new: NDArray[np.int16]) -> NDArray[np.int16]:
    """`new` with its first samples mixed out of `old` (equal power), as far as both go."""
    length = min(FADE, len(old), len(new))
    angle = (np.arange(1, length + 1, dtype=np.float32) / np.float32(length + 1) * np.float32(np.pi / 2))[:, None]
    mixed = old[:length] * np.cos(angle) + new[:length] * np.sin(angle)
    return np.concatenate([np.clip(np.rint(mixed), -32768, 32767).astype(np.int16), new[length:]])
