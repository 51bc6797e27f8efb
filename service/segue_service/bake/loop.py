# SPDX-License-Identifier: Apache-2.0
"""Where a recording can be looped: two places around which it sounds most alike, on bar lines where there are any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE
from segue_service.soundtrack import MusicClock

AROUND: Final = FRAME_RATE
"""Frames before and after a place that are compared."""
SHORTEST, LONGEST = 0.7, 1.4
"""Of the length that is wanted."""
MOST: Final = 12
"""Loops that are proposed."""
_BANDS: Final = 48
_WINDOW: Final = 4096
_NOT_A_PHRASE, _OFF_LENGTH = 0.25, 0.3  # what it costs, in distances of places that have nothing to do with each other

On = Literal["phrase", "bar", "any"]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Loop:
    """Samples [begin, end) of a recording. distance: 0 where both places sound the same, about 1 for any two places.

    on: what both places are. clock: at `begin`, if the model has one.
    """

    begin: int
    end: int
    distance: float
    on: On
    clock: MusicClock | None = None


def find_loops(audio: FloatArray, seconds: float, clocks: Sequence[MusicClock], first: int, lead: float) -> list[Loop]:
    """Loops of about so many seconds in audio[n, 2], the best first; none begins within `lead` seconds.

    clocks: of every frame, or empty. first: sample of `audio` at which frame 0 begins (negative: before it).
    Whole phrases are preferred to whole bars; without bars any two places may do.
    """
    # Only whole frames are places, counted from the first one that is in the recording whole.
    origin = -(first // FRAME_SAMPLES) if first < 0 else 0
    offset = first + origin * FRAME_SAMPLES
    features = _features(audio, offset)
    earliest = max(AROUND, int(np.ceil(lead * FRAME_RATE)))
    found = _on_bars(features, clocks[origin:], seconds, earliest, offset)
    return found or _anywhere(audio, features, seconds, earliest, offset)


def _on_bars(
    features: FloatArray, clocks: Sequence[MusicClock], seconds: float, earliest: int, offset: int
) -> list[Loop]:
    bars = [place for place, clock in enumerate(clocks) if clock.frames_to_bar == 0]
    # A loop may not cross a change of tempo or metre: bars are numbered by stretches of equal ones.
    stretch = dict.fromkeys(bars[:1], 0)
    for before, bar in pairwise(bars):
        alike = (clocks[before].bpm, clocks[before].beats_per_bar) == (clocks[bar].bpm, clocks[bar].beats_per_bar)
        whole = abs(bar - before - clocks[before].frames_per_bar) < 1.5
        stretch[bar] = stretch[before] + (not (alike and whole))
    rated: list[tuple[float, Loop]] = []
    for begin in bars:
        for end in bars:
            length = (end - begin) / FRAME_RATE
            if begin < earliest or end + AROUND >= len(features) or stretch[begin] != stretch[end]:
                continue
            if not SHORTEST * seconds <= length <= LONGEST * seconds:
                continue
            phrases = clocks[begin].phrase_bars is not None and clocks[begin].bar == clocks[end].bar
            starts = phrases and clocks[begin].bar == 0
            distance = _distance(features, begin, end)
            cost = distance + _OFF_LENGTH * abs(length - seconds) / seconds
            cost += 0.0 if starts else (0.5 * _NOT_A_PHRASE if phrases else _NOT_A_PHRASE)
            at = offset + begin * FRAME_SAMPLES, offset + end * FRAME_SAMPLES
            rated.append((cost, Loop(*at, distance, "phrase" if starts else "bar", clocks[begin])))
    return [loop for _, loop in sorted(rated, key=lambda pair: pair[0])[:MOST]]


def _anywhere(audio: FloatArray, features: FloatArray, seconds: float, earliest: int, offset: int) -> list[Loop]:
    rated: list[tuple[float, int, int]] = []
    for lag in range(max(1, round(0.8 * seconds * FRAME_RATE)), round(1.25 * seconds * FRAME_RATE) + 1):
        count = len(features) - lag
        if count <= earliest + AROUND:
            continue
        apart = ((features[:count] - features[lag:]) ** 2).mean(1) / 2.0
        sums = np.concatenate([[0.0], np.cumsum(apart)])
        begins = np.arange(earliest, count - AROUND)
        near = (sums[begins + AROUND] - sums[begins - AROUND]) / (2 * AROUND)
        off = _OFF_LENGTH * abs(lag - seconds * FRAME_RATE) / (seconds * FRAME_RATE)
        best = int(np.argmin(near))
        rated.append((float(near[best]) + off, int(begins[best]), lag))
    loops = []
    for _, begin, lag in sorted(rated)[:MOST]:
        start, end = offset + begin * FRAME_SAMPLES, offset + (begin + lag) * FRAME_SAMPLES
        loops.append(Loop(start, _in_phase(audio, start, end), _distance(features, begin, begin + lag), "any"))
    return loops


def _in_phase(audio: FloatArray, begin: int, end: int, reach: int = FRAME_SAMPLES) -> int:
    """The end, moved by up to a frame so that the waves around it fit those around the beginning best."""
    half = SAMPLE_RATE // 10
    if begin < half or end + half + reach > len(audio) or end - half - reach < 0:
        return end
    pattern = audio[begin - half : begin + half].mean(1).astype(np.float64)
    field = audio[end - half - reach : end + half + reach].mean(1).astype(np.float64)
    size = 1 << int(np.ceil(np.log2(len(field) + len(pattern))))
    product = np.fft.irfft(np.fft.rfft(field, size) * np.conj(np.fft.rfft(pattern, size)), size)[: 2 * reach + 1]
    power = np.concatenate([[0.0], np.cumsum(field**2)])
    energy = power[2 * half :] - power[: len(power) - 2 * half]
    likeness = product / np.sqrt(np.maximum(energy[: 2 * reach + 1], 1e-9))
    # Where nothing is better than where we are, as in silence, stay.
    best = int(np.argmax(likeness))
    return end if likeness[best] <= likeness[reach] + 1e-9 else end + best - reach


def _distance(features: FloatArray, begin: int, end: int) -> float:
    a, b = features[begin - AROUND : begin + AROUND], features[end - AROUND : end + AROUND]
    length = min(len(a), len(b))
    return float(((a[:length] - b[:length]) ** 2).mean() / 2.0)


def _features(audio: FloatArray, offset: int) -> FloatArray:
    """Log power in quarter-octave bands around the beginning of each frame, standardised: f32[frames, bands]."""
    mono = np.pad(audio.mean(1), (_WINDOW // 2, _WINDOW))
    starts = np.arange(offset, len(audio) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    window = np.hanning(_WINDOW).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(mono, _WINDOW)[starts]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    edges = np.unique(np.rint(np.geomspace(40.0, 14_000.0, _BANDS + 1) * _WINDOW / SAMPLE_RATE).astype(int))
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    level = np.log10(bands + 1e-6 * max(float(bands.max(initial=0.0)), 1e-9))
    level -= level.mean(0)
    return np.asarray(level / max(float(level.std()), 1e-6), np.float32)
