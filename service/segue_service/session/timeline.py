# SPDX-License-Identifier: Apache-2.0
"""What has been generated lately: the audio and codes of all sessions, addressed by frame, written a step at a time.

Rows are sessions' *places*; a place keeps its number while a session lives, whatever slot it has. Event loop only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES, VITALS, EngineInfo, sample_of_frame


@dataclass(frozen=True, slots=True)
class Axis:
    """Frames ↔ timeline samples of one engine."""

    info: EngineInfo

    def sample(self, frame: int) -> int:
        """First timeline sample of a frame, negative for what is never on the timeline."""
        return sample_of_frame(frame, self.info)

    def audible(self, frame: int) -> int:
        """First timeline sample at which a frame can be heard."""
        return max(0, self.sample(frame))

    def frame(self, sample: int) -> int:
        """The frame that holds a timeline sample."""
        return (sample + self.info.mastering_delay_samples) // FRAME_SAMPLES + self.info.codec_delay_frames


class History:
    """The last `frames` frames of every place. Memory is touched only where a place has been used."""

    def __init__(self, places: int, frames: int, info: EngineInfo) -> None:
        self.frames = frames
        self.axis = Axis(info)
        self.head = np.zeros(places, np.int64)
        """First frame not received, per place."""
        self.tail = np.zeros(places, np.int64)
        """First frame held, per place."""
        self._pcm = np.zeros((places, frames, FRAME_SAMPLES, CHANNELS), np.int16)
        self._codes = np.zeros((places, frames, info.levels), np.int16)
        self._vitals = np.zeros((places, frames, VITALS), np.int16)

    def reset(self, place: int, frame: int = 0) -> None:
        """The place begins a new timeline at this frame."""
        self.head[place] = self.tail[place] = frame

    def write(
        self,
        places: NDArray[np.int64],
        frames: NDArray[np.int64],
        pcm: NDArray[np.int16],
        codes: NDArray[np.int16],
        vitals: NDArray[np.int16],
    ) -> None:
        """One frame per place: pcm int16[n, 1920, 2], codes int16[n, levels], vitals int16[n, VITALS]."""
        at = frames % self.frames
        self._pcm[places, at] = pcm
        self._codes[places, at] = codes
        self._vitals[places, at] = vitals
        self.head[places] = frames + 1
        self.tail[places] = np.maximum(self.tail[places], frames + 1 - self.frames)

    def go_back(self, place: int, frame: int) -> None:
        """Frames from this one on are going to be replaced."""
        self.head[place] = min(int(self.head[place]), frame)
        self.tail[place] = min(int(self.tail[place]), int(self.head[place]))

    def codes_of(self, place: int, frame: int) -> NDArray[np.int16] | None:
        """Codes of one frame, int16[levels]; None if it is not held."""
        if not self.tail[place] <= frame < self.head[place]:
            return None
        held: NDArray[np.int16] = self._codes[place, frame % self.frames]
        return held

    def vitals_of(self, place: int, frame: int) -> NDArray[np.int16] | None:
        """Vitals of one frame, int16[VITALS], the receiver's own; None if it is not held."""
        if not self.tail[place] <= frame < self.head[place]:
            return None
        held: NDArray[np.int16] = self._vitals[place, frame % self.frames].copy()
        return held

    def codes_between(self, place: int, first: int, end: int) -> NDArray[np.int16]:
        """Codes of frames [first, end), int16[n, levels], the receiver's own. They must be held."""
        codes: NDArray[np.int16] = self._codes[place, np.arange(first, end) % self.frames]
        return codes

    def head_sample(self, place: int) -> int:
        """First timeline sample not received."""
        return self.axis.audible(int(self.head[place]))

    def first_sample(self, place: int) -> int:
        """First timeline sample held."""
        return self.axis.audible(int(self.tail[place]))

    def pcm(self, place: int, begin: int, end: int) -> NDArray[np.int16]:
        """Samples [begin, end) of the timeline, int16[n, 2], to be used at once. They must be held."""
        first, last = self.axis.frame(begin), self.axis.frame(end - 1)
        start, count = first % self.frames, last + 1 - first
        if start + count <= self.frames:
            frames = self._pcm[place, start : start + count]
        else:
            frames = self._pcm[place, np.arange(first, last + 1) % self.frames]
        flat: NDArray[np.int16] = frames.reshape(-1, CHANNELS)
        skipped = begin - self.axis.sample(first)
        return flat[skipped : skipped + end - begin]

    def played(self, place: int, begin: int, end: int) -> tuple[int, NDArray[np.int16], NDArray[np.int16]]:
        """Of the frames that begin in samples [begin, end), and those that nobody hears before the first of all: the
        first frame, codes int16[n, levels], and vitals int16[n, VITALS]. They must be held."""
        first, last = self.axis.frame(begin + FRAME_SAMPLES - 1), self.axis.frame(end - 1)
        if begin <= self.first_sample(place):
            first = int(self.tail[place])
        at = np.arange(first, last + 1) % self.frames
        return first, self._codes[place, at], self._vitals[place, at]
