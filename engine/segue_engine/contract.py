# SPDX-License-Identifier: Apache-2.0
"""What the engine and whoever drives it agree on. Importing this module must not import jax.

The words are design.md's: a *slot* is one row of the engine's batch, a *frame* is 40 ms, a *block* is what one step
yields for one slot. All verbs of `Engine` belong to one thread, the device thread, unless a docstring says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE: Final = 48_000
CHANNELS: Final = 2
FRAME_RATE: Final = 25
FRAME_SAMPLES: Final = SAMPLE_RATE // FRAME_RATE
EMBEDDING_WIDTH: Final = 768
STYLE_LEVELS: Final = 12
STYLE_CODES: Final = 1024
NOTES: Final = 128

LOUDNESS_LUFS: Final = -18.0
"""What mastering brings a session to where its conditioning asks for no gain."""
TRUE_PEAK_DBTP: Final = -1.0

VITALS: Final = 11
MOMENTARY, RIDER, INTEGRATED, KNOWN, SILENT, OVER_RANGE, PEAK, ONSETS = 0, 1, 2, 3, 4, 5, 6, 7
"""Columns of `Blocks.vitals`, what mastering measures of a frame, before it changes anything.

MOMENTARY, INTEGRATED: loudness of the last 400 ms and of the last minutes, 0.01 LUFS. RIDER: gain of the loudness
rider, 0.01 dB. KNOWN: how much music INTEGRATED rests on, 0.1 s. SILENT: frames of near-silence in a row. OVER_RANGE: 1
where the frame is. PEAK: 0.01 dBFS. ONSETS..ONSETS + 3: how much begins in each 10 ms, in thousandths; 0 where the
model has a clock of its own.
"""

ONSET_DELAY_SECONDS: Final = 0.004
"""By how much later than it is heard what begins is found in the 10 ms of `Blocks.vitals`, on average."""

MASKED: Final = -1
NOTE_OFF, NOTE_HELD, NOTE_ONSET, NOTE_ON = 0, 1, 2, 3
DRUMS_OFF, DRUMS_ON = 0, 1


class EngineError(Exception):
    """Base of everything that an engine raises on purpose."""


class EngineFullError(EngineError):
    """No slot is free."""


class StaleSlotError(EngineError):
    """The handle's slot has been released or belongs to somebody else by now."""


class ConditioningError(EngineError, ValueError):
    """A conditioning or sampling value is out of range; the message names the field and the range."""


@dataclass(frozen=True, slots=True)
class Guidance:
    """How strongly each part of the conditioning pulls. 1 is plain sampling; the range is the model's (see `Range`)."""

    style: float = 1.0
    notes: float = 1.0
    drums: float = 1.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How codes are drawn: temperature 0 is greedy; top_k 0 and min_p 0 switch the filter off.

    None leaves the choice to the model's own default.
    """

    temperature: float | None = None
    top_k: int | None = None
    min_p: float | None = None

    def validate(self) -> None:
        """Raises ConditioningError naming the first field out of range."""
        if self.temperature is not None and not 0.0 <= self.temperature <= 4.0:
            raise ConditioningError(f"temperature: expected 0..4, got {self.temperature}")
        if self.top_k is not None and not 0 <= self.top_k <= STYLE_CODES:
            raise ConditioningError(f"top_k: expected 0..{STYLE_CODES}, got {self.top_k}")
        if self.min_p is not None and not 0.0 <= self.min_p < 1.0:
            raise ConditioningError(f"min_p: expected 0 <= min_p < 1, got {self.min_p}")


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What a slot's next frame is generated under.

    style_codes: up to 12 RVQ codes in 0..1023; fewer are padded with MASKED, an empty tuple masks the style.
    notes: 128 values in {MASKED, NOTE_OFF, NOTE_HELD, NOTE_ONSET, NOTE_ON}, or None where the model decides.
    drums: MASKED (the model decides), DRUMS_OFF or DRUMS_ON.
    gain_db: level relative to LOUDNESS_LUFS, applied by mastering before its limiter.
    true_peak_dbtp: the limiter's ceiling.
    sampling: how the frame's codes are drawn; what it leaves open is the model's default.
    """

    style_codes: tuple[int, ...] = ()
    notes: tuple[int, ...] | None = None
    drums: int = MASKED
    guidance: Guidance = field(default_factory=Guidance)
    gain_db: float = 0.0
    true_peak_dbtp: float = TRUE_PEAK_DBTP
    sampling: Sampling = field(default_factory=Sampling)

    def validate(self) -> None:
        """Raises ConditioningError naming the first field out of range. Unchecked ids poison caches with NaN."""
        if len(self.style_codes) > STYLE_LEVELS:
            raise ConditioningError(f"style_codes: expected at most {STYLE_LEVELS} codes, got {len(self.style_codes)}")
        for level, code in enumerate(self.style_codes):
            if not MASKED <= code < STYLE_CODES:
                raise ConditioningError(f"style_codes[{level}]: expected {MASKED}..{STYLE_CODES - 1}, got {code}")
        if self.notes is not None:
            if len(self.notes) != NOTES:
                raise ConditioningError(f"notes: expected {NOTES} values, got {len(self.notes)}")
            for pitch, value in enumerate(self.notes):
                if not MASKED <= value <= NOTE_ON:
                    raise ConditioningError(f"notes[{pitch}]: expected {MASKED}..{NOTE_ON}, got {value}")
        if not MASKED <= self.drums <= DRUMS_ON:
            raise ConditioningError(f"drums: expected {MASKED}, {DRUMS_OFF} or {DRUMS_ON}, got {self.drums}")
        for name in ("style", "notes", "drums"):
            value = getattr(self.guidance, name)
            if not -1.0 <= value <= 7.0:
                raise ConditioningError(f"guidance.{name}: expected -1..7, got {value}")
        if not -96.0 <= self.gain_db <= 24.0:
            raise ConditioningError(f"gain_db: expected -96..24 dB, got {self.gain_db}")
        if not -12.0 <= self.true_peak_dbtp <= 0.0:
            raise ConditioningError(f"true_peak_dbtp: expected -12..0 dBTP, got {self.true_peak_dbtp}")
        self.sampling.validate()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do; what it can't is reported once per session, never silently dropped."""

    notes: bool
    drums: bool
    guidance: bool
    clock: bool
    """Whether `Engine.clock` reads beats and bars out of the model's own codes."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Facts about an engine that never change while it lives."""

    model: str
    version: str
    """Of weights and layout together: a resume point of another version can't be continued."""
    device: str
    slots: int
    levels: int
    """Audio codes per frame."""
    capabilities: Capabilities
    codec_delay_frames: int
    mastering_delay_samples: int
    rewind_frames: int
    """How far `rewind` reaches back at most."""
    memory_frames: int
    """Frames of the past that are worth giving a slot to go on from, as its prefill."""
    style_interval_frames: int
    """Frames that should lie between two changes of style: each may cost the model more than a frame does."""
    bytes_per_slot: int
    default_sampling: Sampling
    default_guidance: Guidance
    """What the model is meant to be played with where nobody says otherwise."""
    loudness_lufs: float
    true_peak_dbtp: float
    devices: int = 1
    """How many devices of that kind share its slots."""


@dataclass(frozen=True, slots=True)
class SlotHandle:
    """A claim on a slot. The epoch changes with the owner, so a late block never reaches a new one."""

    index: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a slot's past beside the codes of its prefill.

    conditionings: (frame, conditioning) ascending, frame 0 being the first that is made: what the prefill was played
    under. Without any it counts as played under what the slot begins with. loudness: RIDER, INTEGRATED and KNOWN of its
    last frame in dB, LUFS and seconds; None where mastering is to learn it afresh.
    """

    conditionings: tuple[tuple[int, Conditioning], ...] = ()
    loudness: tuple[float, float, float] | None = None

    def validate(self) -> None:
        """Raises ConditioningError naming the first field out of range."""
        frames = [frame for frame, _ in self.conditionings]
        if any(frame >= 0 for frame in frames) or frames != sorted(set(frames)):
            raise ConditioningError(f"past.conditionings: expected ascending frames before 0, got {frames[:8]}")
        for _, conditioning in self.conditionings:
            conditioning.validate()
        if self.loudness is not None and not all(-400.0 <= value <= 4000.0 for value in self.loudness):
            raise ConditioningError(f"past.loudness: expected dB, LUFS and seconds, got {self.loudness}")


@dataclass(frozen=True, slots=True)
class Blocks:
    """What one `step` made, row r belonging to handle (slots[r], epochs[r]); arrays are the receiver's own.

    pcm: int16[n, frames · 1920, 2], mastered. codes: int16[n, frames, levels]. vitals: int16[n, frames, VITALS].
    first_frame: int64[n], frame index (since insert) of each row's first frame. `sample_of_frame` gives its place on
    the timeline.
    """

    slots: NDArray[np.int32]
    epochs: NDArray[np.int64]
    first_frame: NDArray[np.int64]
    pcm: NDArray[np.int16]
    codes: NDArray[np.int16]
    vitals: NDArray[np.int16]

    @property
    def count(self) -> int:
        return int(self.slots.shape[0])


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Musical position of frames, read out of their codes: arrays of one shape.

    on_beat / on_bar: this frame begins a beat / a bar. beat: 0-based beat in the bar. bar: 0-based bar in the phrase.
    beats_per_bar: the meter. bpm: quarter notes a minute. frames_to_beat / frames_to_bar: frames until the next one
    begins if the tempo holds (0 = now). phrase_bars: length of a phrase in bars.
    """

    on_beat: NDArray[np.bool_]
    on_bar: NDArray[np.bool_]
    beat: NDArray[np.int32]
    bar: NDArray[np.int32]
    beats_per_bar: NDArray[np.int32]
    bpm: NDArray[np.float32]
    frames_to_beat: NDArray[np.int32]
    frames_to_bar: NDArray[np.int32]
    phrase_bars: int


class ClockReader(Protocol):
    """Reads a model's musical clock. Pure; any thread."""

    def read(self, codes: NDArray[np.integer]) -> ClockReading:
        """codes[..., levels] → one reading per frame."""
        ...


class AudioTokenizer(Protocol):
    """Audio → codes, so that a session can go on from a recording. Belongs to the device thread."""

    def pieces(self, audio: NDArray[np.float32]) -> Iterator[NDArray[np.int32]]:
        """f32[n, 2] at 48 kHz → codes int32[k, levels], one bounded piece of work at a time; joined they are an
        `insert`'s prefill. Raises PromptError, before any work, for a recording that is too short."""
        ...


@runtime_checkable
class Engine(Protocol):
    """Six verbs on slots. All belong to the device thread; `info`, `clock` and `tokenizer` may be read from any."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def clock(self) -> ClockReader | None: ...

    @property
    def tokenizer(self) -> AudioTokenizer | None:
        """None if the model's codec can't encode here."""
        ...

    def insert(
        self,
        seed: int,
        conditioning: Conditioning,
        prefill: NDArray[np.integer] | None = None,
        past: Past | None = None,
    ) -> SlotHandle:
        """Claim a free slot, its first frame to be generated under `conditioning`; seed is any 64-bit integer.

        prefill int[frames, levels] is history that is heard by the model and never emitted; `past` says more of it.
        Raises EngineFullError, ConditioningError. The slot then counts as due at every `step` that names it.
        """
        ...

    def steer(self, slot: SlotHandle, plan: Sequence[tuple[int, Conditioning]]) -> None:
        """Replace everything planned for the slot from the first entry's frame on.

        Entries are (frame, conditioning), frames ascending; each holds until the next. A frame that is generated
        already counts as the next one: rewind first to change the past. Raises StaleSlotError, ConditioningError.
        """
        ...

    def step(self, due: Sequence[SlotHandle] | None = None) -> Blocks | None:
        """Dispatch one frame for the due slots (None: all bound ones) and hand over the *previous* dispatch's blocks.

        None where there was none. Stale handles in `due` are skipped. Rows that were not due are bit-identical after.
        Due slots that are not ready yet are worked for, in bounded pieces, and have no frame in it: see `heads`.
        """
        ...

    def flush(self) -> Blocks | None:
        """Wait for the dispatch that is under way, if any, and hand over its blocks."""
        ...

    def rewind(self, slot: SlotHandle, frame: int) -> int:
        """Go back so that `frame` is generated next; gives the frame reached (later where history has gone).

        Frames of the slot that were dispatched and not yet handed over, from that frame on, are dropped. Steering
        planned from that frame on is kept. Raises StaleSlotError.
        """
        ...

    def release(self, slot: SlotHandle) -> None:
        """Free the slot. Releasing a stale handle does nothing."""
        ...

    def head(self, slot: SlotHandle) -> int:
        """The first frame not dispatched yet. Raises StaleSlotError."""
        ...

    def heads(self) -> NDArray[np.int64]:
        """int64[slots]: `head` of every slot by its index; of one that nobody owns, anything. The receiver's own.

        A slot that was due need not have gone on: history or an encoder's pass may have to be worked off first.
        """
        ...

    def snapshot(self, slot: SlotHandle) -> object:
        """An opaque copy of the slot's whole state, valid for this engine until `drop`. Raises StaleSlotError."""
        ...

    def restore(self, snapshot: object) -> SlotHandle:
        """Claim a free slot and continue from the snapshot. Raises EngineFullError."""
        ...

    def drop(self, snapshot: object) -> None:
        """Free the snapshot's memory."""
        ...

    def warm_up(self) -> None:
        """Compile and run every program once; `step` never compiles after this. May take a minute; idempotent."""
        ...

    def close(self) -> None:
        """Free the device. No verb may follow."""
        ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A style prompt: text, or mono/stereo audio f32[n] / f32[n, 2] at `sample_rate`. Exactly one of the two."""

    text: str | None = None
    audio: NDArray[np.float32] | None = None
    sample_rate: int = SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class EmbeddedPrompts:
    """embeddings f32[n, 768]; notes[i] says what of prompt i was not understood, "" if nothing."""

    embeddings: NDArray[np.float32]
    notes: tuple[str, ...]


class PromptError(EngineError, ValueError):
    """A prompt that the style encoder can't embed; the message says why and what would work."""


@runtime_checkable
class StyleEncoder(Protocol):
    """Prompts → embeddings → blends → codes. Pure; safe from any thread; may be slow, so never on the event loop."""

    @property
    def name(self) -> str: ...

    @property
    def takes_audio(self) -> bool:
        """Whether prompts may be recordings."""
        ...

    def embed(self, prompts: Sequence[Prompt]) -> EmbeddedPrompts:
        """One 768-d embedding per prompt. Raises PromptError for one that can't be embedded at all."""
        ...

    def blend(self, embeddings: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """f32[n, 768], f32[n] → f32[768], by the encoder's own rule (the starter renormalises, MusicCoCa does not)."""
        ...

    def quantise(self, embeddings: NDArray[np.float32]) -> NDArray[np.int32]:
        """f32[n, 768] → i32[n, 12] style codes."""
        ...


def sample_of_frame(frame: int, info: EngineInfo) -> int:
    """Timeline sample at which a frame's audio begins: 1920 · (frame − codec delay) − mastering delay.

    Negative for a codec's invalid first frame and a limiter's lookahead, which are never on the timeline.
    """
    return FRAME_SAMPLES * (frame - info.codec_delay_frames) - info.mastering_delay_samples
