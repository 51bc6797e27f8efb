# SPDX-License-Identifier: Apache-2.0
"""Where a step's blocks arrive on the event loop: one call per step, array work over all rows.

Sessions are woken only when a message of theirs is due, a beat is to be announced, or their machine must go on.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES, Blocks, ClockReading, Engine, SlotHandle
from segue_service.observe.metrics import Metrics
from segue_service.session.device_thread import StepReport
from segue_service.session.timeline import History
from segue_service.soundtrack import MusicClock

NEVER: Final = np.iinfo(np.int64).max
_NO_PLACE: Final = -1
_FADE_SAMPLES: Final = 960


class Tenant(Protocol):
    """What the hub needs of a session."""

    def on_audio(self, head_sample: int) -> None:
        """The head has reached the sample that was waited for."""

    def on_follow(self) -> None:
        """The head has come near the end of what is planned."""

    def on_beat(self, frame: int, beat: int, bar: int, bpm: float, beats_per_bar: int, phrase_bars: int) -> None:
        """A frame that begins a beat has arrived; beat 0 begins a bar."""

    def on_overtaken(self) -> None:
        """The playhead has overtaken the head."""


class Hub:
    """Books of all sessions by *place*: which slot feeds it, what it waits for, its musical clock. Event loop only."""

    def __init__(self, engine: Engine, places: int, history_frames: int, metrics: Metrics) -> None:
        self.history = History(places, history_frames, engine.info)
        self.wake_sample = np.full(places, NEVER, np.int64)
        self.follow_frame = np.full(places, NEVER, np.int64)
        self._tenants: list[Tenant | None] = [None] * places
        self._clock = engine.clock
        self._metrics = metrics
        slots = engine.info.slots
        self._place_of = np.full(slots, _NO_PLACE, np.int64)
        self._epoch_of = np.full(slots, -1, np.int64)
        self._offset = np.zeros(places, np.int64)
        self._floor = np.zeros(places, np.int64)
        self._tails: dict[int, tuple[int, NDArray[np.int16]]] = {}
        self._readings = np.zeros((places, 6), np.float64)
        self._read_frame = np.full(places, -1, np.int64)
        self._phrase_bars = 0

    @property
    def free_places(self) -> int:
        return self._tenants.count(None)

    def attach(self, tenant: Tenant) -> int:
        """A place for a new session. The caller has made sure that there is one."""
        place = self._tenants.index(None)
        self._tenants[place] = tenant
        self.history.reset(place)
        self.wake_sample[place] = self.follow_frame[place] = NEVER
        self._read_frame[place] = -1
        return place

    def bind(self, place: int, handle: SlotHandle, offset: int = 0, floor: int = 0) -> None:
        """From now on this slot feeds the place: frame f is the timeline's f + offset; below floor is dropped."""
        self.unbind(place)
        self._place_of[handle.index] = place
        self._epoch_of[handle.index] = handle.epoch
        self._offset[place] = offset
        self._floor[place] = floor

    def crossfade(self, place: int, frame: int, tail: NDArray[np.int16]) -> None:
        """Mix what would have come, int16[1920, 2], out of this frame when it arrives."""
        self._tails[place] = (frame, tail)

    def unbind(self, place: int) -> None:
        """No slot feeds the place any more."""
        self._place_of[self._place_of == place] = _NO_PLACE

    def detach(self, place: int) -> None:
        """The session is gone."""
        self.unbind(place)
        self._tenants[place] = None
        self._tails.pop(place, None)
        self.wake_sample[place] = self.follow_frame[place] = NEVER

    def rewind(self, place: int, frame: int) -> None:
        """Frames from this one on are going to be replaced by what comes next."""
        self.history.go_back(place, frame)
        self._read(place, frame - 1)

    def _read(self, place: int, frame: int) -> None:
        """Set the musical clock by a frame that is held; it stays as it is if there is none."""
        codes = self.history.codes_of(place, frame)
        if self._clock is None or codes is None:
            return
        self._readings[place] = _columns(self._clock.read(codes[None]))[0]
        self._read_frame[place] = frame

    def clock_at(self, place: int, frame: int) -> MusicClock | None:
        """The musical clock of a frame, read off the one before it if that is held, else off the head; None if the
        engine has none or nothing has arrived yet."""
        if self._read_frame[place] < 0:
            return None
        if frame <= self._read_frame[place]:
            codes = self.history.codes_of(place, frame - 1)
            if self._clock is not None and codes is not None:
                return self._music_clock(_columns(self._clock.read(codes[None]))[0], frame - 1).at(frame)
        return self._music_clock(self._readings[place], int(self._read_frame[place])).at(frame)

    def _music_clock(self, columns: NDArray[np.float64], frame: int) -> MusicClock:
        _, bar, per_bar, bpm, to_beat, to_bar = columns.tolist()
        return MusicClock(
            frame=frame,
            bpm=bpm,
            beats_per_bar=int(per_bar),
            frames_to_beat=int(to_beat),
            frames_to_bar=int(to_bar),
            bar=int(bar),
            phrase_bars=self._phrase_bars,
        )

    def bpm(self, place: int) -> float:
        """Quarter notes a minute at the head; 0 if unknown."""
        return float(self._readings[place, 3]) if self._read_frame[place] >= 0 else 0.0

    def on_report(self, report: StepReport) -> None:
        """Take one hand-over of the device thread."""
        for slot in report.overtaken.tolist():
            tenant = self._tenant_of(int(slot))
            if tenant is not None:
                tenant.on_overtaken()
        if report.blocks is not None:
            self._take(report.blocks)

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
                self._write(places[rows], frames[rows], pcm[rows, step], blocks.codes[rows, step])
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

    def _write(
        self,
        places: NDArray[np.int64],
        frames: NDArray[np.int64],
        pcm: NDArray[np.int16],
        codes: NDArray[np.int16],
    ) -> None:
        if self._tails:
            pcm = self._mixed(places, frames, pcm)
        self.history.write(places, frames, pcm, codes)
        if self._clock is None:
            return
        reading: ClockReading = self._clock.read(codes)
        self._phrase_bars = reading.phrase_bars
        self._readings[places] = _columns(reading)
        self._read_frame[places] = frames
        for row in np.flatnonzero(reading.on_beat).tolist():
            beat, bar, per_bar, bpm = self._readings[places[row], :4].tolist()
            self._require(int(places[row])).on_beat(
                int(frames[row]), int(beat), int(bar), bpm, int(per_bar), reading.phrase_bars
            )

    def _mixed(self, places: NDArray[np.int64], frames: NDArray[np.int64], pcm: NDArray[np.int16]) -> NDArray[np.int16]:
        """pcm with the old context's last 20 ms faded out of the first frame of a new one (equal power)."""
        for row, place in enumerate(places.tolist()):
            frame, tail = self._tails.get(place, (-1, None))
            if tail is None or frame != frames[row]:
                continue
            del self._tails[place]
            quiet = min(self.history.axis.info.mastering_delay_samples, FRAME_SAMPLES - _FADE_SAMPLES)
            ramp = np.zeros(FRAME_SAMPLES, np.float32)
            ramp[quiet : quiet + _FADE_SAMPLES] = np.arange(1, _FADE_SAMPLES + 1, dtype=np.float32) / _FADE_SAMPLES
            ramp[quiet + _FADE_SAMPLES :] = 1.0
            angle = (ramp * np.float32(np.pi / 2))[:, None]
            mixed = tail * np.cos(angle) + pcm[row] * np.sin(angle)
            pcm = pcm.copy()
            pcm[row] = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
        return pcm

    def _require(self, place: int) -> Tenant:
        tenant = self._tenants[place]
        if tenant is None:
            raise RuntimeError(f"place {place} is fed and belongs to nobody")
        return tenant


def _columns(reading: ClockReading) -> NDArray[np.float64]:
    """A row per reading: what of it a `MusicClock` is made of."""
    return np.stack(
        [
            reading.beat,
            reading.bar,
            reading.beats_per_bar,
            reading.bpm,
            reading.frames_to_beat,
            reading.frames_to_bar,
        ],
        axis=-1,
    ).astype(np.float64)
