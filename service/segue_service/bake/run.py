# SPDX-License-Identifier: Apache-2.0
"""From a soundtrack to the files of its fallback: every state played for itself, looped, levelled, encoded, checked."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

import numpy as np

from segue_engine.contract import FRAME_RATE, SAMPLE_RATE, Engine
from segue_service.bake.encode import COMPRESSIONS, Format, decoded, encoded, encoded_loop, is_in
from segue_service.bake.loop import AROUND, Loop, find_loops
from segue_service.bake.manifest import BakedState, BakedStinger
from segue_service.bake.seam import SeamReport, crossfaded, levelled, look, loudness
from segue_service.bake.steady import Steady
from segue_service.recordings import RecordingError, read_recording
from segue_service.session.ensemble import perform_all
from segue_service.session.library import Record
from segue_service.session.playing import Part, Performance
from segue_service.soundtrack import Soundtrack

LEAD: Final = 6.0
"""Seconds before the first loop may begin, in which the music finds its style and its level."""
ROOM: Final = 2.25
"""Length that is played for a loop of 1: a whole phrase may have to be waited for, and then another one fit."""
_FADE_IN: Final = 0.005
_CLIP_SECONDS: Final = 600


class BakeError(Exception):
    """A state or stinger of which no good recording could be made; the message names it."""


@dataclass(frozen=True, slots=True)
class Baked:
    """A file's bytes and what the manifest says of it. report, loop: of a state."""

    data: bytes
    entry: BakedState | BakedStinger
    report: SeamReport | None = None
    loop: Loop | None = None


def seed_of(seed: int, state: str) -> int:
    """A state's own seed: it does not depend on which other states there are."""
    return int.from_bytes(hashlib.sha256(f"bake/{seed}/{state}".encode()).digest()[:8], "little") >> 1


async def play_all(
    engine: Engine,
    record: Record,
    executor: Executor,
    states: Sequence[str],
    seconds: float,
    seed: int,
    slots: int,
    on_frames: Callable[[int], None] = lambda _: None,
) -> AsyncIterator[tuple[str, Performance]]:
    """Every state of a steady soundtrack on a slot of its own, in the order in which they are through."""
    frames = round((LEAD + ROOM * seconds) * FRAME_RATE) + 2 * AROUND
    parts = [
        Part(
            *(engine.info, record, seed_of(seed, state), executor, frames),
            state=record.machine.start(frame=0, state=state),
        )
        for state in states
    ]
    async for place, performance in perform_all(engine, parts, slots, on_frames):
        yield states[place], performance


def target_of(record: Record, state: str) -> float:
    """LUFS that a state should have: the soundtrack's, moved by its blend's gain_db."""
    machine, soundtrack = record.machine, record.soundtrack
    weights = machine.weights_at(machine.start(frame=0, state=state), np.zeros(1, np.int64))[0]
    gains = np.asarray([style.gain_db for style in soundtrack.styles.values()])
    return float(soundtrack.output.loudness + weights @ gains)


def bake_state(
    name: str, performance: Performance, target: float, true_peak: float, seconds: float, kind: Format, file: str
) -> Baked:
    """The best loop that keeps its promises as it comes out of the file. Raises BakeError."""
    audio = performance.pcm.astype(np.float32) / 32768.0
    loops = find_loops(audio, seconds, performance.clocks, performance.axis.sample(0), LEAD)
    fault = f"expected a recording of at least {seconds:g} s"
    for loop, compression in itertools.product(loops, COMPRESSIONS if kind == "ogg" else COMPRESSIONS[:1]):
        body = levelled(crossfaded(audio, loop.begin, loop.end), target, true_peak)
        data, start = encoded_loop(body, kind, compression)
        heard = decoded(data)
        report = look(heard[start : start + len(body)])
        fault = report.fault(target)
        if not fault:
            return Baked(data, _state(file, data, len(heard), (start, start + len(body)), loop, report), report, loop)
    length = len(audio) / SAMPLE_RATE
    raise BakeError(f"state {name}: no seamless loop in {length:.0f} s of it: {fault}; try another seed")


def bake_style_stinger(
    name: str, performance: Performance, record: Record, soundtrack: Soundtrack, kind: Format, file: str
) -> Baked:
    """A stinger's style, from a bar (or beat) on for the stinger's length, faded out at its end."""
    stinger = soundtrack.stingers[name]
    if stinger.style is None or stinger.length is None:
        raise BakeError(f"stinger {name}: expected a style and a length")
    lead = round(LEAD * FRAME_RATE)
    later = [clock for clock in performance.clocks if clock.frame >= lead]
    start = next((clock for clock in later if clock.frames_to_bar == 0), None)
    clock = record.machine.nominal_clock(lead) if start is None else start
    begin = performance.axis.audible(clock.frame)
    length = clock.frames(stinger.length) * SAMPLE_RATE // FRAME_RATE
    audio = performance.pcm[begin : begin + length].astype(np.float32) / 32768.0
    if len(audio) < length:
        raise BakeError(f"stinger {name}: {length / SAMPLE_RATE:.1f} s are more than was played: raise --seconds")
    fade = min(clock.frames(stinger.fade) * SAMPLE_RATE // FRAME_RATE, length // 2)
    rise = round(_FADE_IN * SAMPLE_RATE)
    audio[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    if fade:
        audio[-fade:] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None]
    target = soundtrack.output.loudness + soundtrack.styles[stinger.style].gain_db
    body = levelled(audio, target, soundtrack.output.true_peak, loops=False)
    data = encoded(body, kind)
    lufs = loudness(body, loops=False)
    entry = BakedStinger(
        kind="style",
        file=file,
        sha256=sha256(data),
        samples=len(body),
        sample_rate=SAMPLE_RATE,
        gain_db=0.0,
        exit_source_at=stinger.exit_source_at,
        loudness_lufs=round(lufs, 2) if np.isfinite(lufs) else None,
    )
    return Baked(data, entry)


def bake_clip(name: str, soundtrack: Soundtrack, data: bytes, kind: Format, file: str) -> Baked:
    """An authored recording in the folder's format, which is what its players can read. Raises BakeError."""
    stinger = soundtrack.stingers[name]
    try:
        audio = read_recording(data, _CLIP_SECONDS)
    except RecordingError as error:
        raise BakeError(f"stinger {name}: {stinger.clip}: {error}") from None
    if not is_in(data, kind):
        # A limit, not a level: a resampled or decoded wave may go a little beyond full scale.
        data = encoded(np.clip(audio, -1.0, 1.0), kind)
    entry = BakedStinger(
        kind="clip",
        file=file,
        sha256=sha256(data),
        samples=len(audio),
        sample_rate=SAMPLE_RATE,
        gain_db=stinger.gain_db,
        exit_source_at=stinger.exit_source_at,
        loudness_lufs=None,
    )
    return Baked(data, entry)


def file_names(soundtrack: Soundtrack, steady: Steady, kind: Format) -> tuple[dict[str, str], dict[str, str]]:
    """Paths in the folder by state and by stinger, distinct on file systems that don't tell case apart."""
    states = _distinct(dict.fromkeys(soundtrack.states, f".{kind}"))
    ends = {}
    for name, stinger in soundtrack.stingers.items():
        if stinger.clip is not None or name in steady.stingers:
            ends[name] = f".{kind}"
    return states, {name: f"stingers/{file}" for name, file in _distinct(ends).items()}


def sha256(data: bytes) -> str:
    """As the manifest writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _distinct(ends: Mapping[str, str]) -> dict[str, str]:
    taken: set[str] = set()
    out = {}
    for name, suffix in ends.items():
        stem = name
        while (stem + suffix).casefold() in taken:
            stem += "_"
        taken.add((stem + suffix).casefold())
        out[name] = stem + suffix
    return out


def _state(file: str, data: bytes, samples: int, ends: tuple[int, int], loop: Loop, report: SeamReport) -> BakedState:
    clock, length = loop.clock, ends[1] - ends[0]
    bars = None if clock is None else round(length / SAMPLE_RATE * FRAME_RATE / clock.frames_per_bar)
    return BakedState(
        file=file,
        sha256=sha256(data),
        samples=samples,
        loop_start=ends[0],
        loop_end=ends[1],
        loudness_lufs=round(report.lufs, 2),
        true_peak_dbtp=round(report.true_peak_dbtp, 2),
        bpm=None if clock is None else round(clock.bpm, 4),
        beats_per_bar=None if clock is None else clock.beats_per_bar,
        bars=bars,
    )
