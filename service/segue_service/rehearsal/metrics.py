# SPDX-License-Identifier: Apache-2.0
"""What is measured of one edge that was played, each figure by its definition (docs/segue-test.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE
from segue_engine.mastering.measure import roughness
from segue_service.rehearsal.ears import Ear, Hearing
from segue_service.session.playing import Performance
from segue_service.soundtrack import ExitPoint, MusicClock

REACH: Final = 0.8
"""Share of the way from before to the plateau at which the new style counts as heard."""
HOLD: Final = 0.4
"""Seconds for which it has to stay there."""
PLATEAU: Final = 2.0
"""Seconds at the end (and before the change) whose median verdict counts."""
TELLING: Final = {"fixed": 0.1, "own": 0.02}
"""Least rise of the likeness to the target that can be timed at all."""
SOUNDS_LIKE: Final = 0.8
"""On a fixed scale, from where on what sounded before the change was the target already."""
SHORT_TERM: Final = 3.0
"""Seconds of the short-term loudness (EBU Tech 3341)."""
AFTER_FADE: Final = 1.0
"""Seconds after the fade in which clicks are still looked for."""


@dataclass(frozen=True, slots=True)
class Places:
    """Seconds of the timeline: told, and where the change begins, is through, and was left again or cut off."""

    told: float
    begins: float
    ends: float
    over: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One edge as it was played once. None is "n/a", and `absent` says why by the figure's name; settle may be inf.

    settle: seconds from where the change is audible. late: the same, beyond the fade. adherence_before, adherence:
    likeness to what was asked, before the change and in the end. click, click_inside: roughness at frame edges, and the
    greatest inside the frames. lufs_before, lufs_after: short-term loudness; jump: the difference beyond `asked`.
    off_ms: distance from the place that was asked for, `place` its name.
    """

    places: Places
    settle: float | None = None
    late: float | None = None
    adherence_before: float | None = None
    adherence: float | None = None
    click: float | None = None
    click_inside: float | None = None
    lufs_before: float | None = None
    lufs_after: float | None = None
    asked: float = 0.0
    jump: float | None = None
    off_ms: float | None = None
    place: str = ""
    absent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: blends by their place in the ear's, the change of gain_db, and the musical place."""

    source: int
    target: int
    gain_db: float
    exit_source_at: ExitPoint
    phrase_bars: int | None = None
    stinger: bool = False


def measure(
    performance: Performance, places: Places, question: Question, ear: Ear | None, begins: int
) -> tuple[Figures, Hearing | None]:
    """All figures of one edge, and what the ear heard. begins: the frame of the change."""
    found: dict[str, object] = {}
    absent: dict[str, str] = {}
    hearing = None if ear is None else ear.hear(performance)
    if ear is None:
        absent["settle"] = absent["adherence"] = "nothing here can judge this model's style"
    else:
        assert hearing is not None
        _style(hearing, places, question, ear, found, absent)
    audio = performance.pcm.astype(np.float32) / 32768.0
    found["click"], found["click_inside"] = clicks(audio, performance.axis.sample(0), places)
    _loudness(audio, places, question, found, absent)
    _alignment(performance.clocks, begins, question, found, absent)
    return Figures(places, absent=absent, asked=question.gain_db, **found), hearing  # type: ignore[arg-type]


def _style(
    hearing: Hearing, places: Places, question: Question, ear: Ear, found: dict[str, object], absent: dict[str, str]
) -> None:
    before = hearing.between(places.begins - PLATEAU, places.begins)
    after = hearing.between(max(places.over - PLATEAU, places.ends), places.over)
    if len(before):
        found["adherence_before"] = float(np.median(before[:, question.source]))
    if not len(after):
        absent["settle"] = absent["adherence"] = f"less is left after the fade than the ear needs ({ear.window:g} s)"
        return
    plateau = float(np.median(after[:, question.target]))
    found["adherence"] = plateau
    if question.stinger:
        absent["settle"] = f"a stinger is over before an ear of {ear.window:g} s can say"
    elif question.source == question.target:
        absent["settle"] = "both states sound alike to the ear"
    elif not len(before):
        absent["settle"] = "the source did not play long enough for the ear"
    else:
        base = float(np.median(before[:, question.target]))
        if plateau - base < TELLING[ear.scale]:
            if ear.scale == "own" or base >= SOUNDS_LIKE:
                absent["settle"] = "it sounded like the target before the change already"
            else:
                found["settle"] = found["late"] = float("inf")
            return
        settle = settle_seconds(hearing, question.target, places, base + REACH * (plateau - base))
        found["settle"], found["late"] = settle, max(0.0, settle - (places.ends - places.begins))


def settle_seconds(hearing: Hearing, target: int, places: Places, level: float) -> float:
    """Seconds from the change until the target's value reaches `level` and stays there for HOLD; inf if never."""
    after = (hearing.seconds > places.begins) & (hearing.seconds <= places.over + 1e-9)
    seconds, high = hearing.seconds[after], hearing.values[after, target] >= level
    for start in np.flatnonzero(high).tolist():
        held = seconds <= seconds[start] + HOLD + 1e-9
        held[:start] = False
        if high[held].all():
            return float(seconds[start] - places.begins)
    return float("inf")


def clicks(audio: NDArray[np.float32], first: int, places: Places) -> tuple[float, float]:
    """(greatest roughness at frame edges, greatest anywhere else) from the change to 1 s after its fade.

    first: timeline sample of frame 0, which may be negative; edges lie at every 1,920 samples from it.
    """
    begin = max(0, round((places.begins - 0.1) * SAMPLE_RATE))
    end = min(len(audio), round((min(places.ends, places.over) + AFTER_FADE) * SAMPLE_RATE))
    rough = roughness(audio[begin:end])
    if not len(rough):
        return 0.0, 0.0
    # A step between samples p - 1 and p shows in the differences p - 3 … p - 1; two more for a filter's delay.
    phase = (np.arange(len(rough)) + begin + 3 - first) % FRAME_SAMPLES
    at_edge = (phase <= 3) | (phase >= FRAME_SAMPLES - 1)
    return float(rough[at_edge].max(initial=0.0)), float(rough[~at_edge].max(initial=0.0))


def _loudness(
    audio: NDArray[np.float32], places: Places, question: Question, found: dict[str, object], absent: dict[str, str]
) -> None:
    end = places.ends + SHORT_TERM
    if end > places.over + 1e-6:
        absent["loudness"] = "the state was left again within 3 s"
        return
    before = short_term_lufs(audio, places.begins)
    after = short_term_lufs(audio, end)
    if not np.isfinite(before) or not np.isfinite(after):
        absent["loudness"] = "silence has no loudness"
        return
    found["lufs_before"], found["lufs_after"] = before, after
    found["jump"] = after - before - question.gain_db


def short_term_lufs(audio: NDArray[np.float32], until: float) -> float:
    """Ungated loudness of the 3 s (or what there is of them) before a time; −inf for silence."""
    import pyloudnorm

    end = round(until * SAMPLE_RATE)
    piece = audio[max(0, end - round(SHORT_TERM * SAMPLE_RATE)) : end].astype(np.float64)
    if not len(piece):
        return float("-inf")
    for stage in pyloudnorm.Meter(SAMPLE_RATE)._filters.values():
        piece = np.stack([stage.apply_filter(piece[:, c]) for c in range(piece.shape[1])], axis=1)
    power = float((piece**2).mean(0).sum())
    return -0.691 + 10.0 * float(np.log10(power)) if power > 1e-12 else float("-inf")


def _alignment(
    clocks: list[MusicClock], begins: int, question: Question, found: dict[str, object], absent: dict[str, str]
) -> None:
    wanted = question.exit_source_at
    if not clocks:
        absent["alignment"] = "the model has no clock of its own; beats are only counted"
        return
    if wanted == "immediate":
        absent["alignment"] = "it begins at once, wherever the beat is"
        return
    found["place"] = {"next_beat": "beat", "next_bar": "bar", "exit_cue": "phrase"}[wanted]
    lines = [clock.frame for clock in clocks if clock.frames_to(wanted, question.phrase_bars) == 0]
    if not lines:
        found["off_ms"] = float("inf")
        return
    found["off_ms"] = min(abs(frame - begins) for frame in lines) * 1000.0 / FRAME_RATE
