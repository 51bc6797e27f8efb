# SPDX-License-Identifier: Apache-2.0
"""An evaluation as pictures: confusion, reaction curves, crossfade arrival, loudness and spectral balance by style."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE
from segue_engine.models.starter.evaluation.sound import CENTRES
from segue_engine.models.starter.evaluation.suite import Evaluation, Performance
from segue_engine.models.starter.evaluation.table import model_of
from segue_engine.styles.tags import FAMILIES

COLOURS: Final = ("#7a7a7a", "#0b6e99", "#d1672c", "#3d7d3d", "#8a4f9e", "#b08a00")
_DPI: Final = 110


def write_pictures(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write all pictures as PNG into the folder, which is made; gives their paths. Draws without a screen."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    jobs: list[tuple[str, tuple[float, float], Callable[[Any, Evaluation], None]]] = [
        ("confusion", (12.0, 6.6), _confusion),
        ("reaction", (10.0, 4.2), _reaction),
        ("crossfade", (7.0, 4.0), _crossfade),
        ("loudness", (9.5, 4.4), _loudness),
        ("spectral_balance", (9.5, 4.8), _balance),
    ]
    out = []
    for name, size, draw in jobs:
        figure = Figure(figsize=size, dpi=_DPI, layout="constrained")
        draw(figure, evaluation)
        path = folder / f"{name}.png"
        figure.savefig(path, metadata={"Software": None})
        out.append(path)
    return out


def _subject(evaluation: Evaluation) -> Performance:
    return model_of(evaluation) or evaluation.performances[0]


def _confusion(figure: Any, evaluation: Evaluation) -> None:
    subject, families = _subject(evaluation), list(evaluation.sizes.families)
    if subject.style is None:
        return
    names = [FAMILIES[f] for f in families]
    parts = (("event tokens", subject.style.tokens), ("audio", subject.style.audio))
    for axes, (title, part) in zip(figure.subplots(1, 2), parts, strict=True):
        table = part.confusion[np.ix_(families, families)].astype(np.float64)
        share = table / np.maximum(table.sum(1, keepdims=True), 1.0)
        axes.imshow(share, cmap="Blues", vmin=0.0, vmax=1.0)
        axes.set_title(f"{subject.name}, {title}: {part.share:.3f}")
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("heard as")
        for row, column in zip(*np.nonzero(share >= 0.005), strict=True):
            value = share[row, column]
            axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if value > 0.5 else "black")  # fmt: skip
    figure.axes[0].set_ylabel("style asked for")


def _reaction(figure: Any, evaluation: Evaluation) -> None:
    observed = evaluation.sizes.after / FRAME_RATE
    seconds: NDArray[np.float64] = np.linspace(0.0, observed, 251)
    titles = {"changed": "palette changes", "settled": "palette is the target's", "flipped": "judge of 3 s flips"}
    for axes, (name, title) in zip(figure.subplots(1, 3, sharey=True), titles.items(), strict=True):
        for performance, colour in zip(evaluation.performances, COLOURS, strict=False):
            axes.step(seconds, performance.reaction.curve(name, seconds), where="post", color=colour,
                      label=performance.name)  # fmt: skip
        axes.set_title(title)
        axes.set_xlabel("seconds after the jump")
        axes.set_xlim(0.0, observed)
        axes.set_ylim(0.0, 1.02)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("share of jumps")
    figure.axes[-1].legend(loc="lower right")


def _crossfade(figure: Any, evaluation: Evaluation) -> None:
    axes, ramps = figure.subplots(), evaluation.ramps
    seconds = (np.arange(ramps.frames) - ramps.before) / FRAME_RATE
    length = ramps.ramp / FRAME_RATE
    axes.axvspan(0.0, length, color="#eeeeee")
    for performance, colour in zip(evaluation.performances, COLOURS, strict=False):
        axes.plot(seconds, performance.crossfade.curve(), color=colour, label=performance.name)
    axes.set_xlim(-2.0, float(seconds[-1]))
    axes.set_ylim(0.0, 1.02)
    axes.set_xlabel(f"seconds; the style fades from 0 to {length:g} s")
    axes.set_ylabel("groups that have arrived")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def _full(evaluation: Evaluation) -> list[Performance]:
    return [p for p in evaluation.performances if p.sound]


def _loudness(figure: Any, evaluation: Evaluation) -> None:
    axes, full = figure.subplots(), _full(evaluation)
    places = np.arange(len(evaluation.sizes.families))
    width = 0.8 / (2 * len(full))
    floor = -40.0
    for i, performance in enumerate(full):
        for j, (field, alpha) in enumerate((("lufs_raw", 0.45), ("lufs", 1.0))):
            values = np.array([max(float(getattr(s, field)), floor) for s in performance.sound.values()])
            label = f"{performance.name}, {'mastered' if j else 'before mastering'}"
            axes.bar(places + (2 * i + j) * width - 0.4 + width / 2, values - floor, width, bottom=floor,
                     color=COLOURS[i], alpha=alpha, label=label)  # fmt: skip
    axes.axhline(-18.0, color="black", linewidth=0.8)
    axes.set_xticks(places, [FAMILIES[f] for f in evaluation.sizes.families], rotation=60, ha="right")
    axes.set_ylabel("integrated loudness, LUFS")
    axes.set_ylim(floor, -8.0)
    axes.legend(ncols=2, fontsize=8)


def _balance(figure: Any, evaluation: Evaluation) -> None:
    subject = _subject(evaluation)
    table = np.array([s.balance_db for s in subject.sound.values()])
    axes = figure.subplots()
    image = axes.imshow(table, cmap="viridis", vmin=-60.0, vmax=0.0, aspect="auto")
    names = [f"{c:g}" if c < 1000 else f"{c / 1000:g} k" for c in CENTRES]
    axes.set_xticks(range(len(CENTRES)), names)
    axes.set_yticks(range(len(table)), [FAMILIES[f] for f in subject.sound])
    axes.set_xlabel("octave band, Hz")
    axes.set_title(f"{subject.name}: energy by octave, dB of the total")
    figure.colorbar(image)
