# SPDX-License-Identifier: Apache-2.0
"""Musical figures of long renders held against the composer's spread: who falls below its 10th percentile, and where.

A render's figure is its mean over windows of a minute; the bar is the composer's 10th percentile over such windows of
the same family (the 90th where less is better), so a drone style is not measured by a march's melodies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter.evaluation.music import measure

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """A figure of `music.Figures`: how it reads in a table, and whether more of it is better, worse or neither."""

    name: str
    label: str
    better: int
    """1 more, -1 less, 0 only reported."""


JUDGED: Final = (
    Judged("in_key", "notes in key", 1),
    Judged("on_grid", "onsets on the grid", 1),
    Judged("clock", "clock goes on", 1),
    Judged("bass_chord", "bass notes in the chord", 1),
    Judged("strong_chord", "chord tones on strong beats", 1),
    Judged("motif_exact", "motif bars restated, notes", 1),
    Judged("motif_rhythm", "motif bars restated, rhythm", 1),
    Judged("motif_field", "lead plays as planned", 1),
    Judged("drum_jaccard", "drum regularity", 1),
    Judged("drums_obey", "no hits where drums are off", 1),
    Judged("stuck", "stuck bars", -1),
    Judged("silent_bars", "silent bars", -1),
    Judged("silent_frames", "silent frames", -1),
    Judged("lead_distinct", "distinct lead bars", 0),
    Judged("notes_per_second", "notes per second", 0),
    Judged("lead_per_second", "lead notes per second", 0),
    Judged("hits_per_second", "drum hits per second", 0),
    Judged("effects_per_minute", "effects per minute", 0),
    Judged("intensity", "intensity", 0),
)


def window_figures(pieces: NDArray[np.integer], length: int) -> FloatArray:
    """Figures f64[n, windows, len(JUDGED)] of consecutive windows of pieces int[n, T, 12]; NaN where not measurable."""
    count = pieces.shape[1] // length
    if not count:
        raise ValueError(f"window: expected at most {pieces.shape[1]} frames, got {length}")
    out = np.full((len(pieces), count, len(JUDGED)), np.nan)
    for i, piece in enumerate(pieces):
        for w in range(count):
            figures = measure(piece[w * length : (w + 1) * length])
            out[i, w] = [getattr(figures, judged.name) for judged in JUDGED]
    return out


@dataclass(frozen=True)
class Shortfall:
    """One render that is worse than the composer's bar on one figure."""

    figure: str
    family: int
    render: int
    value: float
    bar: float


@dataclass(frozen=True)
class Row:
    """One figure: means, the composer's pooled bar (NaN for figures that are only reported), renders below theirs."""

    judged: Judged
    composer: float
    bar: float
    model: float
    shortfalls: tuple[Shortfall, ...] = field(default=())
    renders: int = 0


def known(values: FloatArray) -> FloatArray:
    """The values that are not NaN, flat."""
    flat = values.reshape(-1)
    return flat[~np.isnan(flat)]


def mean(values: FloatArray) -> float:
    """Mean of what is known, NaN if nothing is."""
    told = known(values)
    return float(told.mean()) if len(told) else float("nan")


def bar(values: FloatArray, better: int) -> float:
    """10th percentile of what is known (90th where less is better); NaN for reported figures or without values."""
    told = known(values)
    if not len(told) or not better:
        return float("nan")
    return float(np.percentile(told, 10 if better > 0 else 90))


def compare(
    reference: FloatArray, reference_family: NDArray[np.int64], model: FloatArray, model_family: NDArray[np.int64]
) -> list[Row]:
    """Rows in the order of JUDGED from `window_figures` of the composer and of the model, and the family of each
    render.
    """
    rows = []
    for f, judged in enumerate(JUDGED):
        short = []
        for render, family in enumerate(model_family):
            limit = bar(reference[reference_family == family, :, f], judged.better)
            value = mean(model[render, :, f])
            if judged.better * (value - limit) < -1e-9:  # False for NaN: what can't be measured is no shortfall
                short.append(Shortfall(judged.name, int(family), render, value, limit))
        rows.append(
            Row(
                judged,
                mean(reference[:, :, f]),
                bar(reference[:, :, f], judged.better),
                mean(model[:, :, f]),
                tuple(short),
                len(model),
            )
        )
    return rows
