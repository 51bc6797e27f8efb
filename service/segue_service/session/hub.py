# SPDX-License-Identifier: Apache-2.0
"""Where a step's blocks arrive on the event loop: one call per step, array work over all rows.

Sessions are woken only when a message of theirs is due, a beat is to be announced, or their machine must go on.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import (
    CHANNELS,
    FRAME_RATE,
    FRAME_SAMPLES,
    MOMENTARY,
    RIDER,
    Blocks,
    Engine,
    SlotHandle,
)
from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.observe.session_log import SessionLogs
from segue_service.session.clocks import clocks_for
from segue_service.session.crossfade import mixed
from segue_service.session.device_thread import StepReport
from segue_service.session.liveness import Guard
from segue_service.session.timeline import History
from segue_service.session.ways import Ways
from segue_service.soundtrack import Music, MusicClock

NEVER: Final = np.iinfo(np.int64).max
_NO_PLACE: Final = -1


class Tenant(Protocol):
    """What the hub needs of a session."""

    def on_audio(self, head_sample: int) -> None:
        """The head has reached the sample that was waited for."""

    def on_follow(self) -> None:
        """The head has come near the end of what is planned."""

    def on_beat(
        self, frame: float, beat: int, bar: int, bpm: float, beats_per_bar: int, phrase_bars: int, confidence: float
    ) -> None:
        """A beat has arrived, heard from sample 1920 · frame on; beat 0 begins a bar. phrase_bars is 0 if unknown."""

    def on_overtaken(self) -> None:
        """The playhead has overtaken the head."""


class Hub:
    """Books of all sessions by *place*: which slot feeds it, what it waits for, its musical clock. Event loop only."""

    def __init__(
        self,
        engine: Engine,
        places: int,
        history_frames: int,
        metrics: Metrics,
        logs: SessionLogs | None = None,
        guard: Guard | None = None,
    ) -> None:
        self.history = History(places, history_frames, engine.info)
        self.wake_sample = np.full(places, NEVER, np.int64)
        self.follow_frame = np.full(places, NEVER, np.int64)
        self._tenants: list[Tenant | None] = [None] * places
        self._clocks = clocks_for(engine, places, self.history)
        self._metrics, self._hand_over = metrics, metrics.part_seconds.labels("hand_over")
        self._reports = 0
        self._logs = SessionLogs() if logs is None else logs
        self.guard = Guard(places, engine.info.levels, Settings(), metrics) if guard is None else guard
        slots = engine.info.slots
        self._place_of = np.full(slots, _NO_PLACE, np.int64)
        self._epoch_of = np.full(slots, -1, np.int64)
        self._offset = np.zeros(places, np.int64)
        self._floor = np.zeros(places, np.int64)
        self._tails: dict[int, tuple[int, NDArray[np.int16]]] = {}
        self._ways: dict[int, Ways] = {}

    @property
    def free_places(self) -> int:
        return self._tenants.count(None)

    def attach(self, tenant: Tenant, frame: int = 0) -> int:
        """A place for a new session, whose timeline begins at a frame here. The caller has made sure that there is
        one."""
        place = self._tenants.index(None)
        self._tenants[place] = tenant
        self.history.reset(place, frame)
        self.wake_sample[place] = self.follow_frame[place] = NEVER
        self._clocks.reset(place)
        return place

    def bind(self, place: int, handle: SlotHandle, offset: int = 0, floor: int = 0) -> None:
        """From now on this slot feeds the place: frame f is the timeline's f + offset; below floor is dropped."""
        self.unbind(place)
        self._place_of[handle.index] = place
        self._epoch_of[handle.index] = handle.epoch
        self._offset[place] = offset
        self._floor[place] = floor
        self._logs.bind(place, handle, offset, floor)

    def crossfade(self, place: int, frame: int, tail: NDArray[np.int16]) -> None:
        """Mix what would have come, int16[1920, 2], out of this frame when it arrives."""
        self._tails[place] = (frame, tail)
        self._logs.crossfade(place, frame)

    def follow_ways(self, place: int, ways: Ways) -> None:
        """Tell them of the place's frames, until none of them is open any more."""
        self._ways[place] = ways

    def unbind(self, place: int) -> None:
        """No slot feeds the place any more."""
        self._place_of[self._place_of == place] = _NO_PLACE

    def detach(self, place: int) -> None:
        """The session is gone."""
        self.unbind(place)
        self._logs.end(place)
        self.guard.leave(place)
        self._tenants[place] = None
        self._tails.pop(place, None)
        self._ways.pop(place, None)
        self.wake_sample[place] = self.follow_frame[place] = NEVER

    def rewind(self, place: int, frame: int) -> None:
        """Frames from this one on are going to be replaced by what comes next."""
        self.history.go_back(place, frame)
        self.guard.rewind(place, frame)
        self._clocks.rewind(place, frame)

    def prime(self, place: int, frame: int, codes: NDArray[np.integer]) -> None:
        """Set the musical clock by codes int[levels] of a frame that was played before the place's first."""
        self._clocks.prime(place, frame, codes)

    def expect(self, place: int, music: Music | None, *, scored: bool) -> None:
        """What the soundtrack says of its music, for a clock that is tracked; scored: it conditions the model."""
        self._clocks.expect(place, music, scored=scored)

    def clock_at(self, place: int, frame: int) -> MusicClock | None:
        """The musical clock of a frame as known before it, with its confidence; None if there is none yet."""
        return self._clocks.at(place, frame)

    def clock_sure(self, place: int, frame: int) -> int | None:
        """The last frame of which the clock is certain, by what is known before `frame`; None where it never is."""
        return self._clocks.sure(place, frame)

    def clock_trusted(self, place: int) -> bool:
        """Whether the place's musical clock is sure enough, at the head, for controls to land by it."""
        return self._clocks.trusted(place)

    def bpm(self, place: int) -> float:
        """Beats a minute at the head; 0 if unknown."""
        return self._clocks.bpm(place)

    def on_report(self, report: StepReport) -> None:
        """Take one hand-over of the device thread."""
        begun = time.perf_counter()
        for slot in report.overtaken.tolist():
            tenant = self._tenant_of(int(slot))
            if tenant is not None:
                tenant.on_overtaken()
        if report.blocks is not None:
            self._take(report.blocks)
            if self._ways:
                self._tell_ways(report.began)
        self._hand_over.observe(time.perf_counter() - begun)

    def _tenant_of(self, slot: int) -> Tenant | None:
        place = int(self._place_of[slot])
        return None if place == _NO_PLACE else self._tenants[place]

    def _take(self, blocks: Blocks) -> None:
        slots = blocks.slots
        places = self._place_of[slots]
        mine = (places != _NO_PLACE) & (self._epoch_of[slots] == blocks.epochs)
        pcm = blocks.pcm.reshape(blocks.count, -1, FRAME_SAMPLES, CHANNELS)
        for step in range(blocks.codes.shape[1]):
            frames = blocks.first_frame + step + self._offset[places]
            rows = np.flatnonzero(mine & (frames >= self._floor[places]))
            if rows.size:
                self._write(
                    *(places[rows], frames[rows], pcm[rows, step]),
                    *(blocks.codes[rows, step], blocks.vitals[rows, step]),
                )
        touched = places[mine]
        self._metrics.frames.inc(float(touched.size * blocks.codes.shape[1]))
        heads = self.history.head[touched]
        axis = self.history.axis
        samples = FRAME_SAMPLES * (heads - axis.info.codec_delay_frames) - axis.info.mastering_delay_samples
        for place in touched[heads >= self.follow_frame[touched]].tolist():
            self.follow_frame[place] = NEVER
            self._require(place).on_follow()
        ready = samples >= self.wake_sample[touched]
        for place, sample in zip(touched[ready].tolist(), samples[ready].tolist(), strict=True):
            self._require(place).on_audio(max(0, sample))

    def _tell_ways(self, step_began: float) -> None:
        for place, ways in list(self._ways.items()):
            ways.made(int(self.history.head[place]), step_began)
            if ways.is_idle:
                del self._ways[place]

    def _write(
        self,
        places: NDArray[np.int64],
        frames: NDArray[np.int64],
        pcm: NDArray[np.int16],
        codes: NDArray[np.int16],
        vitals: NDArray[np.int16],
    ) -> None:
        if self._tails:
            pcm = self._mixed(places, frames, pcm)
        self.history.write(places, frames, pcm, codes, vitals)
        self.guard.hear(places, frames, codes, vitals)
        self._reports += 1
        if self._reports % FRAME_RATE == 0:
            loudness = vitals[:, MOMENTARY].astype(np.float64) + vitals[:, RIDER]
            self._metrics.loudness.observe(loudness / 100)
        for beat in self._clocks.hear(places, frames, codes, vitals):
            self._require(beat.place).on_beat(
                *(beat.moment, beat.beat, beat.bar, beat.bpm),
                *(beat.beats_per_bar, beat.phrase_bars, beat.confidence),
            )

    def _mixed(self, places: NDArray[np.int64], frames: NDArray[np.int64], pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """pcm with the old context faded out of the first frame of a new one."""
        for row, place in enumerate(places.tolist()):
            frame, tail = self._tails.get(place, (-1, None))
            if tail is None or frame != frames[row]:
                continue
            del self._tails[place]
            delay = self.history.axis.info.mastering_delay_samples
            pcm = pcm.copy()
            pcm[row] = mixed(tail, pcm[row], delay)
        return pcm

    def _require(self, place: int) -> Tenant:
        tenant = self._tenants[place]
        if tenant is None:
            raise RuntimeError(f"place {place} is fed and belongs to nobody")
        return tenant
