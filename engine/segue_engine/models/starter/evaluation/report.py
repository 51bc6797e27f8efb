# SPDX-License-Identifier: Apache-2.0
"""An evaluation as JSON for machines and as a section of the model card for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from segue_engine.models.starter.evaluation.percentiles import Row
from segue_engine.models.starter.evaluation.sound import CENTRES, SoundFigures
from segue_engine.models.starter.evaluation.suite import Evaluation, Performance
from segue_engine.models.starter.evaluation.table import below, lines, model_of, number
from segue_engine.styles.tags import FAMILIES

FORMAT: Final = 1


def shortfalls(evaluation: Evaluation) -> list[str]:
    """A sentence for each musical figure on which a render of the model is worse than the composer's bar."""
    model = model_of(evaluation)
    if model is None:
        return []
    pairs = zip(model.music, evaluation.performances[0].music, strict=True)
    return [f"{row.judged.label}: {below(row, own)}" for row, own in pairs if row.shortfalls]


def as_json(evaluation: Evaluation, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that was measured, with `facts` (model version, settings) beside it; what is unknown is null, and so
    is a time that was never reached.
    """
    report = {
        "format": FORMAT,
        **facts,
        "seed": evaluation.seed,
        "sizes": asdict(evaluation.sizes),
        "families": [FAMILIES[f] for f in evaluation.sizes.families],
        "octave_bands_hz": list(CENTRES),
        "performers": {p.name: _performance(p) for p in evaluation.performances},
        "below_composer": shortfalls(evaluation),
    }
    plain: dict[str, Any] = _plain(report)
    return plain


def _performance(performance: Performance) -> dict[str, Any]:
    crossfade = performance.crossfade
    out: dict[str, Any] = {
        "reaction": {
            **performance.reaction.summary(),
            "observed_s": performance.reaction.observed,
            "changed_s": performance.reaction.changed,
            "settled_s": performance.reaction.settled,
            "flipped_s": performance.reaction.flipped,
        },
        "crossfade": {**crossfade.summary(), "curve": np.round(crossfade.curve(), 4)},
    }
    if performance.music:
        out["music"] = {row.judged.name: _figure(row) for row in performance.music}
    if performance.style is not None:
        out["style"] = {
            kind: {"share": part.share, "per_class": part.per_class(), "confusion": part.confusion}
            for kind, part in (("tokens", performance.style.tokens), ("audio", performance.style.audio))
        }
    if performance.blends is not None:
        out["blends"] = {**performance.blends.summary(), "values": performance.blends.values}
    if performance.drums is not None:
        out["drum_flag"] = {**performance.drums.summary(), "hits_free_off_on": performance.drums.hits}
    if performance.sound:
        out["sound"] = {FAMILIES[family]: figures.as_dict() for family, figures in performance.sound.items()}
    return out


def _figure(row: Row) -> dict[str, Any]:
    return {
        "label": row.judged.label,
        "better": {1: "more", -1: "less", 0: None}[row.judged.better],
        "value": row.model,
        "composer": row.composer,
        "composer_bar": row.bar,
        "renders": row.renders,
        "below": [{**asdict(s), "family": FAMILIES[s.family]} for s in row.shortfalls],
    }


def _plain(value: Any) -> Any:
    """Only what JSON has: numbers rounded to six digits, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if math.isfinite(value) else None
    return value


def card_section(evaluation: Evaluation, facts: Mapping[str, Any]) -> str:
    """Markdown for the model card: how it was measured, the table, where the model falls short, sound by style."""
    sizes, names = evaluation.sizes, [p.name for p in evaluation.performances]
    head = [
        "## Evaluation",
        "",
        f"`segue eval starter --seed {evaluation.seed}{' --quick` (rough figures)' if facts.get('quick') else '`'}: "
        f"{len(sizes.families)} renders of {_length(sizes.render)}, one a style, for each player; musical figures are "
        f"means over windows of {_length(sizes.window)}, held against the composer's 10th percentile of such windows "
        f"({sizes.references} renders a style; the table shows it over all styles, the remarks are within a style). "
        f"{sizes.jumps} style jumps, {sizes.ramps} crossfades of {_length(sizes.ramp)}, "
        f"sound from {_length(sizes.excerpt)} a style. The judges of style are linear classifiers trained on the "
        "composer; the one of 3 s can't flip much before 1.5 s. Nobody's ears are in these figures.",
        "",
        "| | " + " | ".join(names) + " | held against | |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    section = ""
    for line in lines(evaluation):
        if line.section != section:
            section = line.section
            head.append(f"| **{section}** |" + " |" * (len(names) + 2))
        head.append("| " + " | ".join((line.label, *line.cells, line.bar, line.remark)) + " |")
    return "\n".join([*head, "", *_short(evaluation), "", *_sound(evaluation)]) + "\n"


def _length(frames: int) -> str:
    seconds = frames / 25.0
    return f"{seconds / 60:g} min" if seconds >= 60 and seconds % 60 == 0 else f"{seconds:g} s"


def _short(evaluation: Evaluation) -> list[str]:
    if model_of(evaluation) is None:
        return ["Only the composer was evaluated."]
    found = shortfalls(evaluation)
    if not found:
        return ["No render falls below the composer's 10th percentile of its style on any musical figure."]
    return [
        "Worse than the composer's 10th percentile of the same style (in brackets: how many of its own renders are):",
        "",
        *(f"* {sentence}" for sentence in found),
    ]


def _sound(evaluation: Evaluation) -> list[str]:
    performance = model_of(evaluation) or evaluation.performances[0]
    out = [
        f"Sound by style ({performance.name}):",
        "",
        "| style | LUFS before mastering | mastered | LRA | peak dBTP | 8–20 kHz dB | correlation | edge ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for family, figures in performance.sound.items():
        out.append("| " + " | ".join((FAMILIES[family], *_sound_cells(figures))) + " |")
    return out


def _sound_cells(f: SoundFigures) -> tuple[str, ...]:
    tenths = (f.lufs_raw, f.lufs, f.lra, f.peak_dbtp, f.top_db)
    return (*(number(v, 1, "silent") for v in tenths), number(f.correlation, 2), number(f.edge_ratio, 2))
