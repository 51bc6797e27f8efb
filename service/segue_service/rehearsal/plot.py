# SPDX-License-Identifier: Apache-2.0
"""One edge as a small drawing: what sounds like what, the sound's envelope, its loudness; colours are the page's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from segue_service.rehearsal.excerpt import Curve, Excerpt

WIDTH: Final = 720.0
LEFT, RIGHT = 40.0, 8.0
LIKE: Final = (16.0, 92.0)
WAVE: Final = (102.0, 142.0)
LOUD: Final = (154.0, 206.0)
HEIGHT: Final = 226.0
LUFS: Final = (-36.0, -8.0)


def plot(excerpt: Excerpt, source: str, target: str, own_scale: bool, wanted: float) -> str:
    """An inline SVG. wanted: the loudness that the soundtrack asks of the target, LUFS."""
    x = _Axis(excerpt.begin, excerpt.end)
    fade, height = max(x(excerpt.fade) - x(0.0), 1.0), LOUD[1] - LIKE[0]
    bars = [bar for bar in excerpt.bars if excerpt.begin <= bar <= excerpt.end]
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        f'aria-label="likeness to {source} and {target}, envelope and loudness around the change">',
        f'<rect class="fade" x="{x(0.0):.1f}" y="{LIKE[0]}" width="{fade:.1f}" height="{height}"/>',
        *(_box(*rows) for rows in (LIKE, WAVE, LOUD)),
        *(_upright("bar", x(bar)) for bar in bars),
        _envelope(excerpt.envelope),
        *_likeness(excerpt, own_scale, x),
        *_loudness(excerpt.loudness, wanted, x),
        _upright("change", x(0.0)),
    ]
    if excerpt.begin <= excerpt.told < -0.05:
        said = "<title>the game says so</title>"
        parts.append(f'<path class="told" d="M{x(excerpt.told):.1f},{LIKE[0] - 2} l-4,-7 l8,0 Z">{said}</path>')
    ticks = ((second, f"{second:+d} s" if second else "change") for second in _ticks(excerpt))
    parts += [_text(x(second), HEIGHT - 6, said, "middle") for second, said in ticks]
    return "".join((*parts, "</svg>"))


def _box(top: float, bottom: float) -> str:
    return f'<rect class="frame" x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{bottom - top}"/>'


def _upright(kind: str, x: float) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{LIKE[0]}" y2="{LOUD[1]}"/>'


class _Axis:
    """Seconds → x."""

    def __init__(self, begin: float, end: float) -> None:
        self._begin, self._scale = begin, (WIDTH - LEFT - RIGHT) / max(end - begin, 1e-6)

    def __call__(self, second: float) -> float:
        return LEFT + (second - self._begin) * self._scale


def _likeness(excerpt: Excerpt, own_scale: bool, x: _Axis) -> list[str]:
    values = [value for curve in (excerpt.source, excerpt.target) for _, value in curve]
    if not values:
        middle = (LEFT + WIDTH) / 2, (LIKE[0] + LIKE[1]) / 2 + 4
        return [_text(*middle, "nothing here can judge this model's style", "middle")]
    low, high = (min(values), max(max(values), min(values) + 1e-3)) if own_scale else (0.0, 1.0)
    span = LIKE[1] - LIKE[0] - 6

    def y(value: float) -> float:
        return LIKE[1] - 3 - span * (value - low) / (high - low)

    return [
        _line(excerpt.source, x, y, "source"),
        _line(excerpt.target, x, y, "target"),
        _text(LEFT - 5, LIKE[0] + 9, f"{high:.2g}", "end"),
        _text(LEFT - 5, LIKE[1], f"{low:.2g}", "end"),
        _text(4, (LIKE[0] + LIKE[1]) / 2 + 4, "like", "start"),
    ]


def _loudness(curve: Curve, wanted: float, x: _Axis) -> list[str]:
    low, high = LUFS

    def y(value: float) -> float:
        return LOUD[1] - (LOUD[1] - LOUD[0]) * (min(max(value, low), high) - low) / (high - low)

    return [
        f'<line class="wanted" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(wanted):.1f}" y2="{y(wanted):.1f}"/>',
        _line(curve, x, y, "loudness"),
        _text(LEFT - 5, LOUD[0] + 9, f"{high:.0f}", "end"),
        _text(LEFT - 5, LOUD[1], f"{low:.0f}", "end"),
        _text(4, (LOUD[0] + LOUD[1]) / 2 + 4, "LUFS", "start"),
    ]


def _envelope(peaks: Sequence[float]) -> str:
    middle, half = (WAVE[0] + WAVE[1]) / 2, (WAVE[1] - WAVE[0]) / 2
    step = (WIDTH - LEFT - RIGHT) / max(1, len(peaks))
    above = [f"{LEFT + step * i:.1f},{middle - half * peak:.1f}" for i, peak in enumerate(peaks)]
    below = [f"{LEFT + step * i:.1f},{middle + half * peak:.1f}" for i, peak in enumerate(peaks)]
    return f'<polygon class="wave" points="{" ".join(above + below[::-1])}"/>' if peaks else ""


def _line(curve: Curve, x: _Axis, y: Callable[[float], float], kind: str) -> str:
    points = " ".join(f"{x(second):.1f},{y(value):.1f}" for second, value in curve)
    return f'<polyline class="line {kind}" points="{points}"/>'


def _ticks(excerpt: Excerpt) -> list[int]:
    step = 2 if excerpt.end - excerpt.begin <= 22 else 5
    return [second for second in range(-60, 121, step) if excerpt.begin + 0.2 <= second <= excerpt.end - 0.6]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
