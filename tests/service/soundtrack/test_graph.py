# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

from segue_service.soundtrack import Soundtrack, graph_mermaid, graph_svg, outline, parse_soundtrack
from segue_service.soundtrack.graph import _graph
from segue_service.soundtrack.layout import LABEL_HEIGHT, lay_out


def test_mermaid_and_outline_hold_everything(example: Soundtrack) -> None:
    mermaid, text = graph_mermaid(example), outline(example)
    assert mermaid.startswith("stateDiagram-v2\n")
    assert f"[*] --> {example.initial}" in mermaid
    for transition in example.transitions:
        for source in transition.source:
            assert f"{source} --> {transition.to} : " in mermaid
        for event in transition.on:
            assert event in mermaid
            assert event in text
    for name in (*example.states, *example.stingers, *example.events):
        assert name in text


def test_mermaid_labels_have_no_syntax_in_them(example: Soundtrack) -> None:
    for line in graph_mermaid(example).splitlines()[1:]:
        assert line.count(" : ") <= 1
        assert "<" not in line.replace("-->", "")


def test_svg_is_well_formed_and_complete(example: Soundtrack) -> None:
    root = ET.fromstring(graph_svg(example))
    texts = {"".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(example.states) <= texts
    ways = [e for e in root.iter("{http://www.w3.org/2000/svg}path") if e.get("class", "").startswith("way")]
    by_event = sum(action.state is not None for action in example.events.values())
    assert len(ways) == sum(len(t.source) for t in example.transitions) + by_event


def test_nothing_overlaps(example: Soundtrack) -> None:
    layout = lay_out(_graph(example, frozenset()))
    for a, b in itertools.combinations(layout.boxes, 2):
        assert abs(a.x - b.x) >= (a.width + b.width) / 2 or abs(a.y - b.y) >= (a.height + b.height) / 2
    for c, d in itertools.combinations(layout.labels, 2):
        assert abs(c.x - d.x) >= (c.width + d.width) / 2 or abs(c.y - d.y) >= LABEL_HEIGHT
    for label in layout.labels:
        assert label.x >= label.width / 2
        assert label.x + label.width / 2 <= layout.width
        assert 0 <= label.y <= layout.height


def test_one_state_and_self_loops_draw() -> None:
    text = "soundtrack: s\ninitial: a\nstyles: { x: { prompts: x } }\nstates: { a: { style: x }, lost: { style: x } }\n"
    loop = text + "transitions: [{ from: a, to: a, on: again }, { from: any, to: a, after: 2 s, reenter: true }]"
    for soundtrack in (parse_soundtrack(text), parse_soundtrack(loop)):
        svg = graph_svg(soundtrack, frozenset({"lost"}))
        assert 'class="faint"' in svg
        ET.fromstring(svg)


def test_what_is_alarming_is_drawn_so_and_nothing_else() -> None:
    text = "soundtrack: s\ninitial: a\nstyles: { x: { prompts: x } }\nstates: { a: { style: x }, b: { style: x } }\n"
    text += "transitions: [{ from: a, to: b, on: p }, { from: b, to: a, on: q }]\nevents: { home: { state: a } }"
    soundtrack = parse_soundtrack(text)
    assert 'alarming"' not in graph_svg(soundtrack)
    for alarming in (frozenset({1}), frozenset({"home"})):
        svg = graph_svg(soundtrack, frozenset(), alarming)
        assert svg.count(' alarming" d=') == svg.count('class="head-alarming"') == 1
