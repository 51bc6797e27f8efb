# SPDX-License-Identifier: Apache-2.0
"""An engine without a model: deterministic tones, for tests of the service and the SDKs and for load tests. numpy only.

Each frame is a stereo tone, left by (seed, style codes), right by all of the conditioning. Pitches are multiples of
25 Hz, so a frame holds whole cycles: tones meet without a click wherever the conditioning changes, and a frame's sound
needs no history. Codes: level 0 is a clock (93.75 BPM, 4/4, phrases of 8 bars), the others are the style codes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.manifest import Manifest
from segue_engine.batch.plan import Entries, Plans
from segue_engine.batch.rows import HostRows
from segue_engine.batch.slots import SlotTable
from segue_engine.contract import (
    FRAME_RATE,
    FRAME_SAMPLES,
    INTEGRATED,
    KNOWN,
    MOMENTARY,
    STYLE_CODES,
    STYLE_LEVELS,
    VITALS,
    Blocks,
    Capabilities,
    ClockReading,
    Conditioning,
    ConditioningError,
    EngineError,
    EngineInfo,
    Guidance,
    Past,
    PromptError,
    Sampling,
    SlotHandle,
)

FRAMES_PER_BEAT: Final = 16
BEATS_PER_BAR: Final = 4
FRAMES_PER_BAR: Final = FRAMES_PER_BEAT * BEATS_PER_BAR
PHRASE_BARS: Final = 8
CLOCK_CODES: Final = FRAMES_PER_BAR * PHRASE_BARS
LEVELS: Final = 12
PITCHES: Final = 64
_LOWEST: Final = 8  # 8 cycles a frame: 200 Hz
_PEAK: Final = 0.126  # a stereo sine of this amplitude measures about -18 LUFS
_SILENCE: Final = PITCHES

_INFO: Final = EngineInfo(
    model="fake",
    version="fake-1",
    device="numpy",
    slots=16,
    levels=LEVELS,
    capabilities=Capabilities(notes=True, drums=True, guidance=True, clock=True),
    codec_delay_frames=0,
    mastering_delay_samples=0,
    rewind_frames=250,
    memory_frames=500,
    style_interval_frames=1,
    bytes_per_slot=4096,
    default_sampling=Sampling(temperature=1.0, top_k=0, min_p=0.0),
    default_guidance=Guidance(),
    loudness_lufs=-18.0,
    true_peak_dbtp=-1.0,
)


def _tones() -> NDArray[np.int16]:
    """One frame of every pitch and, last, of silence: int16[PITCHES + 1, FRAME_SAMPLES]."""
    cycles = np.arange(_LOWEST, _LOWEST + PITCHES)[:, None]
    wave = np.sin(2 * np.pi * cycles * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)
    return np.concatenate([np.round(_PEAK * 32767 * wave), np.zeros((1, FRAME_SAMPLES))]).astype(np.int16)


def _pitch_of(checksum: int) -> int:
    # Multiplied, because a CRC is linear: some pairs of conditionings would share their low bits whatever the seed.
    return (checksum * 2_654_435_761 & 0xFFFF_FFFF) * PITCHES >> 32


class FakeClock:
    """Reads beats and bars out of level 0."""

    def read(self, codes: NDArray[np.integer]) -> ClockReading:
        """codes[..., levels] → one reading per frame."""
        position = np.asarray(codes)[..., 0].astype(np.int32) % CLOCK_CODES
        to_beat, to_bar = -position % FRAMES_PER_BEAT, -position % FRAMES_PER_BAR
        return ClockReading(
            on_beat=to_beat == 0,
            on_bar=to_bar == 0,
            beat=(position // FRAMES_PER_BEAT % BEATS_PER_BAR).astype(np.int32),
            bar=(position // FRAMES_PER_BAR).astype(np.int32),
            beats_per_bar=np.full(position.shape, BEATS_PER_BAR, np.int32),
            bpm=np.full(position.shape, 25.0 * 60 / FRAMES_PER_BEAT, np.float32),
            frames_to_beat=to_beat.astype(np.int32),
            frames_to_bar=to_bar.astype(np.int32),
            phrase_bars=PHRASE_BARS,
        )


@dataclass(frozen=True, slots=True)
class _Snapshot:
    head: int
    clock: int
    row: NDArray[np.int32]
    pitches: NDArray[np.int16]
    gains: NDArray[np.float32]
    plan: Entries


class FakeTokenizer:
    """Codes of a recording: the clock runs from its beginning, the other levels are its loudness by frame."""

    def __init__(self, levels: int) -> None:
        self._levels = levels

    def pieces(self, audio: NDArray[np.float32]) -> Iterator[NDArray[np.int32]]:
        """int32[5 or fewer, levels] for every 200 ms. Raises PromptError for less than a frame."""
        frames = len(audio) // FRAME_SAMPLES
        if not frames:
            raise PromptError("audio: expected at least 40 ms")
        return self._read(audio[: frames * FRAME_SAMPLES].reshape(frames, -1))

    def _read(self, audio: NDArray[np.float32]) -> Iterator[NDArray[np.int32]]:
        loud = (np.abs(audio).mean(axis=1) * STYLE_CODES).astype(np.int32).clip(0, STYLE_CODES - 1)
        codes = np.tile(loud[:, None], (1, self._levels))
        codes[:, 0] = np.arange(len(codes)) % CLOCK_CODES
        for at in range(0, len(codes), 5):
            yield codes[at : at + 5]


class FakeEngine:
    """Fulfils `contract.Engine` without JAX; whole steps are vectorised over slots.

    Keyword arguments beyond `slots` replace fields of its `EngineInfo` (such as rewind_frames=50,
    mastering_delay_samples=72, codec_delay_frames=1); delays delay the tones as they would real audio.
    """

    def __init__(self, slots: int = 16, **info: Any) -> None:
        self._info = replace(_INFO, slots=slots, **info)
        if self._info.levels < 1:
            raise ValueError(f"levels: expected at least 1, got {self._info.levels}")
        self._late = self._info.codec_delay_frames * FRAME_SAMPLES + self._info.mastering_delay_samples
        self._history = self._info.rewind_frames + 2 + self._late // FRAME_SAMPLES
        self._tones = _tones()
        self._table = SlotTable(slots)
        self._plans = Plans(slots, self._info.rewind_frames)
        self._rows = HostRows(slots, self._info.default_sampling)
        self._clock_offset = np.zeros(slots, np.int64)
        self._pitch = np.full((slots, 2), _SILENCE, np.int16)
        self._pitches = np.full((slots, self._history, 2), _SILENCE, np.int16)
        self._gains = np.ones((slots, self._history), np.float32)
        self._flight: tuple[Manifest, NDArray[np.int16], NDArray[np.int16]] | None = None
        self._snapshots: dict[int, _Snapshot] = {}
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def clock(self) -> FakeClock:
        return FakeClock()

    @property
    def tokenizer(self) -> FakeTokenizer:
        return FakeTokenizer(self._info.levels)

    def insert(
        self,
        seed: int,
        conditioning: Conditioning,
        prefill: NDArray[np.integer] | None = None,
        past: Past | None = None,
    ) -> SlotHandle:
        """As in the contract; the clock goes on from the prefill's last frame."""
        self._check_open()
        conditioning.validate()
        if past is not None:
            past.validate()
        offset = self._prefilled(prefill)
        handle = self._table.claim()
        slot = handle.index
        self._rows.start(slot, seed, conditioning)
        self._plans.start(slot, conditioning)
        self._clock_offset[slot] = offset
        self._pitches[slot] = _SILENCE
        self._gains[slot] = 1.0
        return handle

    def steer(self, slot: SlotHandle, plan: Sequence[tuple[int, Conditioning]]) -> None:
        self._check_open()
        index = self._table.check(slot)
        self._plans.steer(index, int(self._table.heads[index]), plan)

    def step(self, due: Sequence[SlotHandle] | None = None) -> Blocks | None:
        self._check_open()
        before, self._flight = self._flight, self._dispatch(self._table.due(due))
        return _landed(before)

    def flush(self) -> Blocks | None:
        self._check_open()
        before, self._flight = self._flight, None
        return _landed(before)

    def rewind(self, slot: SlotHandle, frame: int) -> int:
        self._check_open()
        index = self._table.check(slot)
        head = int(self._table.heads[index])
        reached = self._table.go_back(index, frame, self._info.rewind_frames)
        if reached < head:
            self._plans.aim(index, reached)
            self._drop_flight(index, reached)
        return reached

    def release(self, slot: SlotHandle) -> None:
        self._check_open()
        if self._table.release(slot):
            self._plans.clear(slot.index)
            self._drop_flight(slot.index)

    def head(self, slot: SlotHandle) -> int:
        return int(self._table.heads[self._table.check(slot)])

    def heads(self) -> NDArray[np.int64]:
        return self._table.heads.copy()

    def snapshot(self, slot: SlotHandle) -> object:
        self._check_open()
        index = self._table.check(slot)
        taken = _Snapshot(
            head=int(self._table.heads[index]),
            clock=int(self._clock_offset[index]),
            row=self._rows.packed[index].copy(),
            pitches=self._pitches[index].copy(),
            gains=self._gains[index].copy(),
            plan=self._plans.copy(index),
        )
        self._snapshots[id(taken)] = taken
        return taken

    def restore(self, snapshot: object) -> SlotHandle:
        self._check_open()
        taken = self._snapshots.get(id(snapshot))
        if taken is None:
            raise EngineError("snapshot: expected one that this engine took and that was not dropped")
        handle = self._table.claim()
        slot = handle.index
        self._table.heads[slot] = taken.head
        self._clock_offset[slot] = taken.clock
        self._rows.packed[slot] = taken.row
        self._pitches[slot] = taken.pitches
        self._gains[slot] = taken.gains
        self._plans.paste(slot, taken.head, taken.plan)
        return handle

    def drop(self, snapshot: object) -> None:
        self._snapshots.pop(id(snapshot), None)

    def warm_up(self) -> None:
        self._check_open()

    def close(self) -> None:
        self._closed = True
        self._flight = None
        self._snapshots.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("the engine is closed")

    def _drop_flight(self, slot: int, frame: int = 0) -> None:
        if self._flight is not None:
            self._flight[0].drop(slot, frame)

    def _prefilled(self, prefill: NDArray[np.integer] | None) -> int:
        """Clock position of the frame after the prefill."""
        if prefill is None:
            return 0
        if prefill.ndim != 2 or prefill.shape[1] != self._info.levels:
            raise ConditioningError(f"prefill: expected int[frames, {self._info.levels}], got shape {prefill.shape}")
        if prefill.size and (int(prefill.min()) < 0 or int(prefill.max()) >= STYLE_CODES):
            raise ConditioningError(f"prefill: expected codes 0..{STYLE_CODES - 1}")
        return int(prefill[-1, 0]) + 1 if len(prefill) else 0

    def _dispatch(self, slots: NDArray[np.int64]) -> tuple[Manifest, NDArray[np.int16], NDArray[np.int16]] | None:
        if not slots.size:
            return None
        heads = self._table.heads[slots]
        for slot in self._plans.due(slots, heads).tolist():
            self._apply(slot, self._plans.take(slot, int(self._table.heads[slot])))
        self._pitches[slots, heads % self._history] = self._pitch[slots]
        self._gains[slots, heads % self._history] = 10.0 ** (self._rows.levels[slots, 0] / 20.0)
        manifest = Manifest(slots, self._table.epochs[slots], heads)
        codes = np.zeros((slots.size, 1, self._info.levels), np.int16)
        codes[:, 0, 0] = (heads + self._clock_offset[slots]) % CLOCK_CODES
        shown = min(self._info.levels - 1, STYLE_LEVELS)
        codes[:, 0, 1 : 1 + shown] = np.maximum(self._rows.style_codes[slots, :shown], 0)
        pcm = self._sound(slots, heads)
        self._table.heads[slots] += 1
        return manifest, pcm, codes

    def _apply(self, slot: int, conditioning: Conditioning) -> None:
        rows = self._rows
        rows.set_conditioning(slot, conditioning)
        left = zlib.crc32(rows.style_codes[slot].tobytes(), zlib.crc32(rows.seed[slot].tobytes()))
        drawn = (rows.temperature, rows.top_k, rows.min_p)
        rest = (
            *(rows.notes[slot], rows.drums[slot : slot + 1], rows.guidance[slot]),
            *(column[slot : slot + 1] for column in drawn),
        )
        right = zlib.crc32(b"".join(part.tobytes() for part in rest), left)
        self._pitch[slot] = (_pitch_of(left), _pitch_of(right))

    def _sound(self, slots: NDArray[np.int64], heads: NDArray[np.int64]) -> NDArray[np.int16]:
        """int16[n, FRAME_SAMPLES, 2]: the tones of the frames `heads`, late by the delays that `info` states."""
        whole, part = divmod(self._late, FRAME_SAMPLES)
        pcm = np.empty((slots.size, FRAME_SAMPLES, 2), np.int16)
        self._tone(pcm[:, part:], slots, heads - whole, slice(0, FRAME_SAMPLES - part))
        if part:
            self._tone(pcm[:, :part], slots, heads - whole - 1, slice(FRAME_SAMPLES - part, FRAME_SAMPLES))
        return pcm

    def _tone(self, out: NDArray[np.int16], slots: NDArray[np.int64], frames: NDArray[np.int64], part: slice) -> None:
        pitch = np.where(frames[:, None] >= 0, self._pitches[slots, frames % self._history], _SILENCE)
        for channel in range(2):
            out[:, :, channel] = self._tones[pitch[:, channel], part]
        gains = self._gains[slots, frames % self._history]
        loud = np.flatnonzero(gains != 1.0)
        if loud.size:
            out[loud] = np.clip(np.round(out[loud] * gains[loud, None, None]), -32768, 32767)


def _landed(flight: tuple[Manifest, NDArray[np.int16], NDArray[np.int16]] | None) -> Blocks | None:
    if flight is None:
        return None
    manifest, pcm, codes = flight
    keep = manifest.wanted
    if not keep.any():
        return None
    every = bool(keep.all())
    vitals = np.zeros((int(keep.sum()), 1, VITALS), np.int16)
    vitals[..., [MOMENTARY, INTEGRATED]] = -1800  # its tones are as loud as that
    vitals[:, 0, KNOWN] = np.minimum(manifest.frames[keep] * 10 // FRAME_RATE, 32_767)
    return Blocks(
        slots=manifest.slots[keep].astype(np.int32),
        epochs=manifest.epochs[keep],
        first_frame=manifest.frames[keep],
        pcm=pcm if every else pcm[keep],
        codes=codes if every else codes[keep],
        vitals=vitals,
    )
