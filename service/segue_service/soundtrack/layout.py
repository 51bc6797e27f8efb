# SPDX-License-Identifier: Apache-2.0
"""Where the boxes and labels of a small state graph go: layers by distance from the start, left to right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from segue_service.soundtrack.fields import ANY

CHAR: Final = 6.6
"""Width of a character of the labels' typeface at 11 px, roughly."""
BOX_HEIGHT: Final = 46.0
LINE: Final = 15.0
ROW_GAP: Final = 54.0
CROWDED_ROW_GAP: Final = 92.0
"""Between rows where labels of ways inside the column have to fit."""
MARGIN: Final = 36.0
LABEL_HEIGHT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Node:
    """A state: its name, its style, what its parameters lead towards."""

    name: str
    style: str
    leads: tuple[str, ...] = ()
    initial: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from one state (or "any") to another: what causes it, and how it goes. alarming: drawn in red."""

    source: str
    target: str
    cause: str
    manner: str
    alarming: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """A placed node; x, y is its centre. column counts from the left."""

    node: Node
    column: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Label:
    """A placed edge with its text's centre. The curve from source to target goes through it."""

    edge: Edge
    source: Box
    target: Box
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Layout:
    boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    width: float
    height: float


def lay_out(graph: Graph) -> Layout:
    """Place everything so that boxes don't overlap boxes and labels don't overlap labels."""
    columns = _columns(graph)
    widths = [max(_box_width(node) for node in column) for column in columns]
    gaps = [_gap(graph, columns, i) for i in range(len(columns) - 1)]
    rows = [_row_gap(graph, column) for column in columns]
    heights = [
        sum(_box_height(n) for n in column) + row * (len(column) - 1) for column, row in zip(columns, rows, strict=True)
    ]
    inner = max(heights)
    boxes: dict[str, Box] = {}
    x = MARGIN
    for index, column in enumerate(columns):
        y = MARGIN + 44.0 + (inner - heights[index]) / 2
        for node in column:
            tall = _box_height(node)
            boxes[node.name] = Box(node, index, x + widths[index] / 2, y + tall / 2, _box_width(node), tall)
            y += tall + rows[index]
        x += widths[index] + (gaps[index] if index < len(gaps) else 0.0)
    labels = _labels(graph, boxes)
    low = min([box.y - box.height / 2 for box in boxes.values()] + [label.y - LABEL_HEIGHT for label in labels])
    shift = max(0.0, MARGIN + 30.0 - low)
    placed = {name: _moved(box, shift) for name, box in boxes.items()}
    labels = [
        Label(lb.edge, placed[lb.source.node.name], placed[lb.target.node.name], lb.x, lb.y + shift, lb.width)
        for lb in labels
    ]
    bottom = max([box.y + box.height / 2 for box in placed.values()] + [lb.y + LABEL_HEIGHT / 2 for lb in labels])
    right = max([x] + [lb.x + lb.width / 2 for lb in labels])
    return Layout(tuple(placed.values()), tuple(labels), right + MARGIN, bottom + MARGIN)


def _columns(graph: Graph) -> list[list[Node]]:
    by_name = {node.name: node for node in graph.nodes}
    start = next(node for node in graph.nodes if node.initial)
    has_any = any(edge.source == ANY for edge in graph.edges)
    rank = {start.name: 0} | ({ANY: 0} if has_any else {})
    border = list(rank)
    while border:
        following = []
        for name in border:
            for edge in graph.edges:
                if edge.source == name and edge.target not in rank:
                    rank[edge.target] = rank[name] + 1
                    following.append(edge.target)
        border = following
    last = max(rank.values()) + 1
    nodes = ([Node(ANY, "any state")] if has_any else []) + list(by_name.values())
    columns: dict[int, list[Node]] = {}
    for node in nodes:
        columns.setdefault(rank.get(node.name, last), []).append(node)
    ordered = [columns[key] for key in sorted(columns)]
    if has_any:
        # The start on top, `any` below it, so that its ways fan out to the right.
        ordered[0].sort(key=lambda node: not node.initial)
    for before, column in pairwise(ordered):
        place = {node.name: i for i, node in enumerate(before)}
        column.sort(
            key=lambda node: _mean(place[e.source] for e in graph.edges if e.target == node.name and e.source in place)
        )
    return ordered


def _mean(values: Iterable[int]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else 1e9


def _row_gap(graph: Graph, column: list[Node]) -> float:
    names = {node.name for node in column}
    inside = any(e.source in names and e.target in names for e in graph.edges)
    return CROWDED_ROW_GAP if inside else ROW_GAP


def _gap(graph: Graph, columns: list[list[Node]], index: int) -> float:
    left = {node.name for column in columns[: index + 1] for node in column}
    widest = max([_label_width(e) for e in graph.edges if (e.source in left) != (e.target in left)], default=60.0)
    return widest + 84.0


def _labels(graph: Graph, boxes: dict[str, Box]) -> list[Label]:
    """Each label starts in the middle of its way and is pushed up or down until it is free of boxes and labels."""
    placed: list[Label] = []
    seen: dict[tuple[str, str], int] = {}
    for edge in sorted(graph.edges, key=lambda e: abs(boxes[e.source].column - boxes[e.target].column)):
        source, target = boxes[edge.source], boxes[edge.target]
        width = _label_width(edge)
        pair = (edge.source, edge.target)
        turn = seen.get(pair, 0)
        seen[pair] = turn + 1
        back = target.column < source.column or (target.column == source.column and target.y < source.y)
        x, y = (source.x + target.x) / 2, (source.y + target.y) / 2 + (26.0 if back else -8.0) + 36.0 * turn
        span = abs(source.column - target.column)
        if span == 0:
            x += max(source.width, target.width) / 2 + 26.0 + width / 2 if back else 0.0
            if source is target:
                y = source.y - source.height / 2 - 30.0
        if span > 1:
            y = (
                min(y, min(b.y for b in boxes.values()) - BOX_HEIGHT)
                if not back
                else max(y, max(b.y for b in boxes.values()) + BOX_HEIGHT)
            )
        label = Label(edge, source, target, x, y, width)
        for step in range(1, 60):
            if not _hits(label, placed, boxes):
                break
            # Forward ways move up first, ways back move down first: opposite ways part instead of crossing.
            sign = (1 if back else -1) * (1 if step % 2 else -1)
            label = Label(edge, source, target, x, y + sign * 9.0 * ((step + 1) // 2), width)
        placed.append(label)
    return placed


def _hits(label: Label, placed: list[Label], boxes: dict[str, Box]) -> bool:
    for other in placed:
        if abs(other.x - label.x) < (other.width + label.width) / 2 + 6 and abs(other.y - label.y) < LABEL_HEIGHT + 4:
            return True
    return any(
        abs(box.x - label.x) < (box.width + label.width) / 2 + 8
        and abs(box.y - label.y) < (box.height + LABEL_HEIGHT) / 2 + 8
        for box in boxes.values()
    )


def _moved(box: Box, shift: float) -> Box:
    return Box(box.node, box.column, box.x, box.y + shift, box.width, box.height)


def _box_width(node: Node) -> float:
    texts = (node.name, node.style, *node.leads)
    return max(104.0, max(len(text) for text in texts) * (CHAR + 0.9) + 30.0)


def _box_height(node: Node) -> float:
    return 38.0 if node.name == ANY else BOX_HEIGHT + LINE * len(node.leads)


def _label_width(edge: Edge) -> float:
    return max(len(edge.cause), len(edge.manner) * 0.92) * CHAR + 14.0
