# SPDX-License-Identifier: Apache-2.0
"""A laid-out state graph as SVG: boxes, curves through their labels, dark or light as the viewer prefers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from segue_service.soundtrack.fields import ANY
from segue_service.soundtrack.layout import LABEL_HEIGHT, LINE, Box, Label, Layout

Point = tuple[float, float]

_STYLE = """
  text { font-family: ui-sans-serif, "Inter", "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif; fill: #23262f; }
  .paper, .plate { fill: #fbfaf7; } .plate { opacity: 0.92; } .quiet { fill: #6b7080; } .faint { opacity: 0.45; }
  .title { font-size: 17px; font-weight: 650; } .name { font-size: 13.5px; font-weight: 650; }
  .small { font-size: 11px; }
  .box { fill: #ffffff; stroke: #d0d4de; stroke-width: 1.4; } .start { stroke: #1d6f6a; stroke-width: 2.2; }
  .any { fill: none; stroke: #a35a13; stroke-dasharray: 5 4; }
  .way { fill: none; stroke: #9aa0b0; stroke-width: 1.5; } .from-any { stroke: #c07a35; stroke-dasharray: 5 4; }
  .head { fill: #9aa0b0; } .head-any { fill: #c07a35; }
  .alarming { stroke: #c8322b; stroke-width: 2.4; } .head-alarming { fill: #c8322b; }
  @media (prefers-color-scheme: dark) {
    text { fill: #eceef3; } .paper, .plate { fill: #16181d; } .quiet { fill: #9aa1b2; }
    .box { fill: #20232b; stroke: #3a3f4b; } .start { stroke: #6fd0c6; } .any { fill: none; stroke: #f0b26b; }
    .way { stroke: #687083; } .from-any { stroke: #c98d4c; } .head { fill: #687083; } .head-any { fill: #c98d4c; }
    .alarming { stroke: #ff6b61; } .head-alarming { fill: #ff6b61; }
  }
"""


def draw(layout: Layout, title: str, version: int) -> str:
    """A standalone SVG document. Text is escaped; nothing is fetched from anywhere."""
    width, height = round(layout.width), round(layout.height)
    ports = _ports(layout.labels)
    ways = [_way(label, *ports[i]) for i, label in enumerate(layout.labels)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="10"/>',
        f'<text class="title" x="36" y="38">{escape(title)}'
        f'<tspan class="quiet small" dx="10">version {version}</tspan></text>',
        *(way for way, _ in ways),
        *(_text(label) for label in layout.labels),
        *(_box(box) for box in layout.boxes),
        *(head for _, head in ways),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _box(box: Box) -> str:
    node = box.node
    left, top = box.x - box.width / 2, box.y - box.height / 2
    kind = "box any" if node.name == ANY else ("box start" if node.initial else "box")
    lines = [f'<g class="{"faint" if node.faint else ""}">']
    lines.append(
        f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="9"/>'
    )
    if node.name == ANY:
        lines.append(_line(box.x, box.y + 4.5, "any state", "name quiet"))
    else:
        lines.append(_line(box.x, top + 20, node.name, "name"))
        lines.append(_line(box.x, top + 36, f"♪ {node.style}", "small quiet"))
        lines += [_line(box.x, top + 36 + LINE * (i + 1), lead, "small quiet") for i, lead in enumerate(node.leads)]
    return "".join((*lines, "</g>"))


def _line(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


def _way(label: Label, start: Point, end: Point) -> tuple[str, str]:
    """The curve through the label (two halves that meet in one direction, so it bends smoothly), and its arrowhead."""
    (x0, y0), (x1, y1) = start, end
    along = 1.0 if x1 >= x0 else -1.0
    if label.source is label.target:
        before = (x1 + 14, label.y)
        path = f"M{x0:.1f},{y0:.1f} C{x0 - 14:.1f},{label.y:.1f} {before[0]:.1f},{before[1]:.1f} {x1:.1f},{y1:.1f}"
    elif label.source.column == label.target.column:
        before = (label.x, label.y)
        path = f"M{x0:.1f},{y0:.1f} Q{label.x:.1f},{label.y:.1f} {x1:.1f},{y1:.1f}"
    else:
        reach = max(36.0, abs(x1 - x0) / 4)
        before = (x1 - along * reach, y1) if _side(label.target, label.x, label.y)[0] else (x1, label.y)
        leave = (x0 + along * reach, y0) if _side(label.source, label.x, label.y)[0] else (x0, label.y)
        path = (
            f"M{x0:.1f},{y0:.1f} C{leave[0]:.1f},{leave[1]:.1f} {label.x - along * reach:.1f},{label.y:.1f} "
            f"{label.x:.1f},{label.y:.1f} S{before[0]:.1f},{before[1]:.1f} {x1:.1f},{y1:.1f}"
        )
    suffix, head = (" from-any", "head-any") if label.source.node.name == ANY else ("", "head")
    if label.edge.alarming:
        suffix, head = f"{suffix} alarming", "head-alarming"
    way = f'<path class="way{suffix}" d="{path}"/>'
    return way, _head(end, before, head)


def _head(tip: Point, before: Point, style: str) -> str:
    """An arrowhead of its own: viewers differ too much in how they turn SVG markers."""
    angle = math.atan2(tip[1] - before[1], tip[0] - before[0])
    corners = [tip] + [
        (tip[0] - 10 * math.cos(angle) + side * math.sin(angle), tip[1] - 10 * math.sin(angle) - side * math.cos(angle))
        for side in (-4.2, 4.2)
    ]
    return f'<path class="{style}" d="M{" L".join(f"{x:.1f},{y:.1f}" for x, y in corners)} Z"/>'


def _side(box: Box, x: float, y: float) -> tuple[int, int]:
    """The side of a box that looks at (x, y): (±1, 0) right or left, (0, ±1) below or above."""
    if x > box.x + box.width / 2:
        return 1, 0
    if x < box.x - box.width / 2:
        return -1, 0
    return 0, (1 if y > box.y else -1)


def _ports(labels: Sequence[Label]) -> list[tuple[Point, Point]]:
    """Where each way leaves and arrives: those of one side of a box are spread along it, in their labels' order."""
    sides: dict[tuple[str, tuple[int, int]], list[tuple[float, int, int]]] = {}
    boxes = {}
    for i, label in enumerate(labels):
        for end, box in enumerate((label.source, label.target)):
            side = _side(box, label.x, label.y)
            boxes[box.node.name] = box
            order = label.y if side[0] else label.x
            sides.setdefault((box.node.name, side), []).append((order + 0.1 * end, i, end))
    found: list[list[Point]] = [[(0.0, 0.0), (0.0, 0.0)] for _ in labels]
    for (name, (right, below)), entries in sides.items():
        box = boxes[name]
        for place, (_, i, end) in enumerate(sorted(entries)):
            across = (place + 1) / (len(entries) + 1) - 0.5
            if right:
                found[i][end] = (box.x + right * box.width / 2, box.y + across * box.height * 0.86)
            else:
                found[i][end] = (box.x + across * box.width * 0.7, box.y + below * box.height / 2)
    return [(start, end) for start, end in found]


def _text(label: Label) -> str:
    left, top = label.x - label.width / 2, label.y - LABEL_HEIGHT / 2
    return (
        f'<rect class="plate" x="{left:.1f}" y="{top:.1f}" width="{label.width:.1f}" height="{LABEL_HEIGHT}" rx="5"/>'
        + _line(label.x, label.y - 3, label.edge.cause, "small")
        + _line(label.x, label.y + 10.5, label.edge.manner, "small quiet")
    )
