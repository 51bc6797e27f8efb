# SPDX-License-Identifier: Apache-2.0
"""The soundtrack's graph as Mermaid text, and as a drawing of its own in SVG."""

from __future__ import annotations

from segue_service.soundtrack.drawing import draw
from segue_service.soundtrack.fields import ANY
from segue_service.soundtrack.layout import Edge, Graph, Node, lay_out
from segue_service.soundtrack.model import Soundtrack, Transition


def graph_mermaid(soundtrack: Soundtrack) -> str:
    """A Mermaid `stateDiagram-v2`; `any` is drawn as a state of its own."""
    lines = ["stateDiagram-v2", f"    [*] --> {soundtrack.initial}"]
    if any(t.from_any for t in soundtrack.transitions):
        lines.append(f'    state "any state" as {ANY}')
    for name, state in soundtrack.states.items():
        leads = "".join(f", {parameter} → {lead.to}" for parameter, lead in state.blend_by.items())
        lines.append(f"    {name} : {state.style}{leads}")
    for transition in soundtrack.transitions:
        label = _plain(", ".join((cause(transition), *manner(transition))))
        lines += [f"    {source} --> {transition.to} : {label}" for source in transition.source]
    for event, action in soundtrack.events.items():
        if action.state is not None:
            lines.append(f"    {ANY} --> {action.state} : {event}")
    return "\n".join(lines) + "\n"


def graph_svg(
    soundtrack: Soundtrack, unreachable: frozenset[str] = frozenset(), alarming: frozenset[int | str] = frozenset()
) -> str:
    """A standalone SVG; states in `unreachable` are faint, transitions (by index) and events in `alarming` red."""
    return draw(lay_out(_graph(soundtrack, unreachable, alarming)), soundtrack.soundtrack, soundtrack.version)


def _graph(soundtrack: Soundtrack, unreachable: frozenset[str], alarming: frozenset[int | str] = frozenset()) -> Graph:
    nodes = [
        Node(
            name,
            state.style,
            tuple(f"{parameter} → {lead.to}" for parameter, lead in state.blend_by.items()),
            initial=name == soundtrack.initial,
            faint=name in unreachable,
        )
        for name, state in soundtrack.states.items()
    ]
    edges = [
        Edge(source, transition.to, cause(transition), " · ".join(manner(transition)), index in alarming)
        for index, transition in enumerate(soundtrack.transitions)
        for source in transition.source
    ]
    edges += [
        Edge(ANY, action.state, event, "event", event in alarming)
        for event, action in soundtrack.events.items()
        if action.state is not None
    ]
    return Graph(tuple(nodes), tuple(edges))


def cause(transition: Transition) -> str:
    """What sets a transition off, in a few words."""
    parts = [" / ".join(transition.on)] if transition.on else []
    if transition.when is not None:
        parts.append(f"[{transition.when}]" if transition.on else str(transition.when))
    if transition.after is not None:
        parts.append(f"after {transition.after}")
    return " ".join(parts)


def manner(transition: Transition) -> tuple[str, ...]:
    """How it goes: place, fade, bridge, priority."""
    fade = "step" if transition.fade.length.value == 0 else str(transition.fade.length)
    parts = [transition.exit_source_at.replace("_", " "), fade]
    if transition.via is not None:
        parts.append(f"via {transition.via}")
    if transition.priority:
        parts.append(f"priority {transition.priority}")
    return tuple(parts)


def _plain(label: str) -> str:
    """Mermaid reads ":" and ";" in a label as syntax, and "<" as markup."""
    return label.replace(":", " ").replace(";", " ").replace("<", "&lt;").replace(">", "&gt;")
