# SPDX-License-Identifier: Apache-2.0
"""An evaluation as lines of text, one figure a line, the performers side by side: for the console and for the card."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from segue_engine.models.starter.evaluation.crossfade import LATER
from segue_engine.models.starter.evaluation.groups import GROUPS
from segue_engine.models.starter.evaluation.percentiles import Row
from segue_engine.models.starter.evaluation.sound import SoundFigures
from segue_engine.models.starter.evaluation.suite import Evaluation, Performance
from segue_engine.styles.tags import FAMILIES

NOTHING = "–"


@dataclass(frozen=True)
class Line:
    """One figure: a cell per performance, what it is held against ("" if nothing), and a remark on the last one."""

    section: str
    label: str
    cells: tuple[str, ...]
    bar: str = ""
    remark: str = ""


def number(value: float, digits: int = 3, never: str = "never") -> str:
    """A figure as text; "–" for NaN."""
    if math.isnan(value):
        return NOTHING
    return never if math.isinf(value) else f"{value:.{digits}f}"


def lines(evaluation: Evaluation) -> list[Line]:
    """Every figure of the evaluation."""
    performers = evaluation.performances
    out = _music(performers)
    out += _style(performers)
    out += _reaction(performers, evaluation.sizes.after / 25.0)
    out += _crossfades(performers)
    out += _blends(performers)
    out += _drums(performers)
    return out + _sound(performers)


def model_of(evaluation: Evaluation) -> Performance | None:
    """The performance under test: the second one that played everything; None if the composer played alone."""
    full = [p for p in evaluation.performances if p.music]
    return full[1] if len(full) > 1 else None


def _music(performers: list[Performance]) -> list[Line]:
    full = [p for p in performers if p.music]
    out = []
    for i, row in enumerate(full[0].music):
        cells = tuple(number(p.music[i].model) if p.music else NOTHING for p in performers)
        against = f"{'≥' if row.judged.better > 0 else '≤'} {number(row.bar)}" if row.judged.better else ""
        if math.isnan(row.bar):
            against = ""
        remark = below(full[1].music[i], row) if len(full) > 1 else ""
        out.append(Line("music", row.judged.label, cells, against, remark))
    return out


def below(row: Row, composer: Row) -> str:
    """Which renders are worse than the composer's bar of their family, "" if none is; and how many of its own are."""
    if not row.shortfalls:
        return ""
    worst = max(row.shortfalls, key=lambda s: abs(s.value - s.bar))
    word = "above" if row.judged.better < 0 else "below"
    return (
        f"{len(row.shortfalls)} of {row.renders} renders {word} (composer: {len(composer.shortfalls)}), "
        f"worst {FAMILIES[worst.family]} {number(worst.value)} for {number(worst.bar)}"
    )


def _style(performers: list[Performance]) -> list[Line]:
    def cells(read: Callable[[Performance], float]) -> tuple[str, ...]:
        return tuple(number(read(p)) if p.style is not None else NOTHING for p in performers)

    return [
        Line("style accuracy", "event tokens, 10 s", cells(lambda p: p.style.tokens.share if p.style else math.nan)),
        Line("style accuracy", "audio, 10 s", cells(lambda p: p.style.audio.share if p.style else math.nan)),
    ]


_REACTIONS = (
    ("changed", "palette changes", "≤ 0.60 / 1.50"),
    ("settled", "palette is the target's", ""),
    ("flipped", "judge of 3 s says so", ""),
)


def _reaction(performers: list[Performance], observed: float) -> list[Line]:
    section, out = "jump, median / p90 s", []
    never = f"> {observed:g}"
    for name, label, target in _REACTIONS:
        cells = []
        for performance in performers:
            s = performance.reaction.summary()
            cells.append(" / ".join(number(s[f"{name}_{part}_s"], 2, never) for part in ("median", "p90")))
        out.append(Line(section, label, tuple(cells), target))
    for key, label in (("flipped_share", f"said so within {observed:g} s"), ("correct_share", "right at the end")):
        out.append(Line(section, label, tuple(number(p.reaction.summary()[key], 2) for p in performers)))
    return out


def _crossfades(performers: list[Performance]) -> list[Line]:
    section = f"crossfade, at its end / {LATER // 25} s later"
    summaries = [p.crossfade.summary() for p in performers]
    return [
        Line(
            section,
            name,
            tuple(f"{number(s['ramp_end'][name], 2)} / {number(s['later'][name], 2)}" for s in summaries),
            "later 1.00" if name == "all" else "",
        )
        for name in (*GROUPS, "all", "whole runs")
    ]


def _blends(performers: list[Performance]) -> list[Line]:
    first = performers[0].blends
    if first is None:
        return []
    tables = [p.blends.summary() if p.blends is not None else None for p in performers]
    out = []
    for name in first.values:
        cells = [
            f"{number(t[name]['between'], 2)} / {number(t[name]['rising'], 2)}" if t is not None else NOTHING
            for t in tables
        ]
        out.append(Line("blends, between parts / rising", name, tuple(cells)))
    return out


def _drums(performers: list[Performance]) -> list[Line]:
    labels = {
        "hits_per_second_free": "hits per second, flag free",
        "hits_per_second_off": "hits per second, flag off",
        "hits_per_second_on": "hits per second, flag on",
        "silent_when_off": "styles without a hit when off",
        "drums_when_on": "styles with drums when on",
    }
    tables = [p.drums.summary() if p.drums is not None else None for p in performers]
    return [
        Line("drum flag", label, tuple(number(t[key], 2) if t is not None else NOTHING for t in tables))
        for key, label in labels.items()
    ]


def _sound(performers: list[Performance]) -> list[Line]:
    def spread(read: Callable[[SoundFigures], float], digits: int = 1) -> tuple[str, ...]:
        cells = []
        for performance in performers:
            values = np.array([read(s) for s in performance.sound.values()])
            told = values[np.isfinite(values)]
            points = (told.min(), np.median(told), told.max()) if len(told) else ()
            cells.append(" … ".join(number(float(v), digits) for v in points) or NOTHING)
        return tuple(cells)

    section = "sound by style, min … median … max"
    return [
        Line(section, "LUFS before mastering", spread(lambda s: s.lufs_raw), "-18 ± 3"),
        Line(section, "LUFS mastered", spread(lambda s: s.lufs), "-18 ± 1"),
        Line(section, "loudness range, LU", spread(lambda s: s.lra)),
        Line(section, "true peak, dBTP", spread(lambda s: s.peak_dbtp), "≤ -1.0"),
        Line(section, "8–20 kHz of the total, dB", spread(lambda s: s.top_db)),
        Line(section, "spectral centroid, Hz", spread(lambda s: s.centroid_hz, 0)),
        Line(section, "left/right correlation", spread(lambda s: s.correlation, 2)),
        Line(section, "roughness at frame edges", spread(lambda s: s.edge_ratio, 2), "about 1"),
        Line(section, "outliers, more at edges, %",
             spread(lambda s: 100.0 * (s.edge_outliers - s.control_outliers))),
        Line(section, "clicks per minute", spread(lambda s: s.clicks_per_minute)),
        Line(section, "clicks per minute, more at edges", spread(lambda s: s.edge_clicks_per_minute), "0"),
    ]  # fmt: skip
