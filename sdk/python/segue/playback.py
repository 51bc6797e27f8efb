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
        # The last sample that was read stays: what follows may have to begin from there.
        self._size = int(seconds * sample_rate)
        self._ring: NDArray[np.int16] = np.zeros((self._size + 1, 2), np.int16)
        self._older: NDArray[np.int16] = np.zeros((self._size + 1, 2), np.int16)
        self._lock = threading.Lock()
        self._begin: int | None = None
        self._end = 0
        # Where the older version goes on from the newest; behind it, the older version's own past is held.
        self._older_first = 0
        self._older_end = 0
        self._take = 0
        self._take_first = 0
        # What comes before the newest version's next sample is of the older one: it is to be faded in.
        self._is_behind = False
        # The fade that was begun last; it may go on in the next block.
        self._fade_first = 0
        self._fade_length = 0
        # What is mixed of two versions lies in [from, to).
        self._mixed_from = 0
        self._mixed_to = 0
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
                self._begin_at(block.first_sample)
            begin = self._begin or 0
            first, is_new = max(block.first_sample, begin), block.take > self._take
            # A stream that comes back may send from before its take's beginning.
            if is_new or block.first_sample < self._take_first:
                self._replace(first, is_new and block.first_sample < begin)
                self._take_first = block.first_sample
            self._take = block.take
            pcm = block.pcm[first - block.first_sample :][: self._size - (first - begin)]
            if len(pcm):
                if self._is_behind:
                    self._begin_fade(first)
                pcm = self._faded_in(first, pcm)
            self._end = first + len(pcm)
            self._ring[self._places(first, self._end)] = pcm

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
                self._ring[self._places(self._begin - 1, self._begin)] = out[newest + older - 1]
                self.outdated += older
            self.missed += count - newest - older
        return out

    def _begin_at(self, sample: int) -> None:
        self._begin = self._end = self._older_first = self._older_end = self._take_first = sample
        self._mixed_from = self._mixed_to = sample
        self._is_behind = False

    def _replace(self, first: int, is_late: bool) -> None:
        """Keep what a take replaces from `first` on. `is_late`: it should have begun before the playhead."""
        self.late_takes += is_late
        # Within a fade it goes on from a take which is not all that is heard yet.
        is_faded_in = is_late or self._mixed_from <= first < self._mixed_to
        is_seam = first < self._end or (first == self._end and is_faded_in and not self._is_behind)
        if self._end < self._older_end and is_seam:
            self._smooth(self._end)  # two older versions meet there
        if first < self._end:
            self._older_first = first
            places = self._places(first, self._end)
            self._older[places] = self._ring[places]
        self._older_end = max(self._older_end, self._end)
        self._mixed_to = min(self._mixed_to, first)
        self._is_behind = self._is_behind or is_faded_in

    def _begin_fade(self, first: int) -> None:
        self._fade_first, self._fade_length = first, min(FADE, max(0, self._older_end - first))
        self._is_behind = False
        self._mixed_from = self._mixed_from if first == self._mixed_to else first
        self._mixed_to = first + self._fade_length

    def _faded_in(self, first: int, new: NDArray[np.int16]) -> NDArray[np.int16]:
        """Samples of a take with those that lie in its fade mixed out of the older version, at equal power."""
        old = self._older[self._places(first, min(first + len(new), self._mixed_to))]
        if not len(old):
            return new
        step = np.float32(np.pi / 2 / (self._fade_length + 1))
        angle = (np.arange(1, len(old) + 1, dtype=np.float32) + np.float32(first - self._fade_first))[:, None] * step
        mixed = old * np.cos(angle) + new[: len(old)] * np.sin(angle)
        return np.concatenate([np.clip(np.rint(mixed), -32768, 32767).astype(np.int16), new[len(old) :]])

    def _smooth(self, sample: int) -> None:
        """Let the older version go on at `sample` from where the newer one has got to: the step between them decays."""
        if sample <= self._older_first:
            return  # it goes on from there by itself
        length = min(FADE, self._older_end - sample)
        before, places = self._places(sample - 1, sample), self._places(sample, sample + length)
        step = self._ring[before].astype(np.float32) - self._older[before]
        decay = 1 - np.arange(1, length + 1, dtype=np.float32) / np.float32(FADE + 1)
        moved = self._older[places] + decay[:, None] * step
        self._older[places] = np.clip(np.rint(moved), -32768, 32767).astype(np.int16)

    def _places(self, begin: int, end: int) -> NDArray[np.int64]:
        return np.arange(begin, max(begin, end)) % (self._size + 1)


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
