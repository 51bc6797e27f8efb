# SPDX-License-Identifier: Apache-2.0
"""What is kept of a take once it is measured: a short recording, encoded, and curves to draw."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import SAMPLE_RATE
from segue_service.rehearsal.metrics import Figures
from segue_service.rehearsal.run import Take

BEFORE: Final = 4.0
"""Seconds heard before the change."""
POINTS: Final = 240
"""Of the envelope."""
_COMPRESSION: Final = 0.8

Curve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Times are seconds from the change. envelope: peaks 0..1 in equal steps over [begin, end).

    source, target: what the ear heard of the two blends. loudness: short-term, LUFS. bars: where bars begin.
    """

    begin: float
    end: float
    fade: float
    told: float
    envelope: tuple[float, ...]
    source: Curve
    target: Curve
    loudness: Curve
    bars: tuple[float, ...]
    ogg: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A take without its audio. excerpt None: it did not happen, or nobody wants to see it."""

    seed: int
    figures: Figures | None
    why: str
    excerpt: Excerpt | None


def keep(take: Take, *, excerpt: bool) -> Kept:
    """The take's figures, and its excerpt if somebody wants to see it."""
    if take.figures is None or not excerpt:
        return Kept(take.seed, take.figures, take.why, None)
    return Kept(take.seed, take.figures, take.why, _excerpt(take, take.figures))


def _excerpt(take: Take, figures: Figures) -> Excerpt:
    from segue_service.report.picture import short_term_level

    places = figures.places
    first = max(0.0, places.begins - BEFORE)
    pcm = take.pcm[round(first * SAMPLE_RATE) : round(places.over * SAMPLE_RATE)]
    _, short = short_term_level(take.pcm.astype(np.float32) / 32768.0, SAMPLE_RATE)
    times = (np.arange(len(short)) + 1) / 10
    source: Curve = ()
    target: Curve = ()
    if take.hearing is not None:
        heard = take.hearing.seconds
        source, target = (_curve(heard, take.hearing.values[:, end], first, places.begins) for end in take.ends)
    return Excerpt(
        begin=first - places.begins,
        end=places.over - places.begins,
        fade=places.ends - places.begins,
        told=places.told - places.begins,
        envelope=_envelope(pcm),
        source=source,
        target=target,
        loudness=_curve(times, np.maximum(short, -60.0), first, places.begins),
        bars=tuple(bar / SAMPLE_RATE - places.begins for bar in take.performance.bars if bar / SAMPLE_RATE >= first),
        ogg=encode_ogg(pcm),
    )


def encode_ogg(pcm: NDArray[np.int16]) -> bytes:
    """int16[n, 2] at 48 kHz as a small OGG Vorbis file."""
    import soundfile

    out = io.BytesIO()
    with soundfile.SoundFile(
        out, "w", SAMPLE_RATE, pcm.shape[1], "VORBIS", format="OGG", compression_level=_COMPRESSION
    ) as file:
        for begin in range(0, len(pcm), 1 << 16):  # libvorbis overflows its stack on one very long write
            file.write(pcm[begin : begin + (1 << 16)])
    return out.getvalue()


def _envelope(pcm: NDArray[np.int16]) -> tuple[float, ...]:
    loud = np.abs(pcm.astype(np.float32)).max(1) / 32768.0
    usable = len(loud) // POINTS * POINTS
    if not usable:
        return ()
    return tuple(round(float(peak), 3) for peak in loud[:usable].reshape(POINTS, -1).max(1))


def _curve(seconds: NDArray[np.floating], values: NDArray[np.floating], first: float, begins: float) -> Curve:
    inside = seconds >= first
    pairs = zip((seconds[inside] - begins).tolist(), values[inside].tolist(), strict=True)
    return tuple((round(second, 3), round(value, 4)) for second, value in pairs)
