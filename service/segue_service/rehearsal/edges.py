# SPDX-License-Identifier: Apache-2.0
"""The edges of a soundtrack's graph: every way from one state to another that its author wrote, and its stingers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, Literal

from segue_service.soundtrack import ExitPoint, Soundtrack, reachable
from segue_service.soundtrack.graph import cause, manner
from segue_service.soundtrack.rules import RuleBook

LIMIT: Final = 128
"""Edges that are played unless somebody asks for more."""

Kind = Literal["transition", "event", "stinger"]


@dataclass(frozen=True, slots=True)
class Edge:
    """One way to be played. rule: transition index; events: what may set it off, best guess first.

    kind "event" is an `events` entry with a state, "stinger" a style stinger, whose source and target are one state.
    """

    kind: Kind
    source: str
    target: str
    cause: str
    manner: str
    exit_source_at: ExitPoint
    rule: int | None = None
    events: tuple[str, ...] = ()
    stinger: str | None = None

    @property
    def name(self) -> str:
        """What reports call it; unique within a soundtrack."""
        if self.stinger is not None:
            return f"♪ {self.stinger} in {self.source}"
        return f"{self.source} → {self.target} · {self.cause}"


def edges_of(soundtrack: Soundtrack) -> tuple[Edge, ...]:
    """Every edge that starts in a state which can be reached, in the file's order; `any` is each state that it means.

    A transition that several events cause is one edge. Clip stingers are none: the client mixes them in.
    """
    return tuple(dict.fromkeys((*_transitions(soundtrack), *_events(soundtrack), *_stingers(soundtrack))))


def choose(edges: Sequence[Edge], limit: int) -> tuple[Edge, ...]:
    """At most `limit` of the edges, in their order, taken from all transitions in turn so that each has its share."""
    if len(edges) <= limit:
        return tuple(edges)
    groups: dict[object, list[Edge]] = {}
    for edge in edges:
        groups.setdefault((edge.kind, edge.rule, edge.stinger, edge.events), []).append(edge)
    turns = (edge for turn in zip_longest(*groups.values()) for edge in turn if edge is not None)
    taken = {edge for edge, _ in zip(turns, range(limit), strict=False)}
    return tuple(edge for edge in edges if edge in taken)


def _transitions(soundtrack: Soundtrack) -> Iterator[Edge]:
    rules, reached = RuleBook(soundtrack), reachable(soundtrack)
    for rule in rules.rules:
        transition = rule.transition
        for source in soundtrack.states:
            if source in reached and rule.leaves(source):
                yield Edge(
                    "transition",
                    source,
                    transition.to,
                    cause(transition),
                    " · ".join(manner(transition)),
                    transition.exit_source_at,
                    rule.index,
                    transition.on,
                )


def _events(soundtrack: Soundtrack) -> Iterator[Edge]:
    rules, reached = RuleBook(soundtrack), reachable(soundtrack)
    for event, action in soundtrack.events.items():
        if action.state is None:
            continue
        for source in soundtrack.states:
            # Where a transition waits for the same event, it wins, and it is an edge of its own.
            if source == action.state or source not in reached or rules.for_event(event, source):
                continue
            borrowed = rules.between(source, action.state)
            place = action.exit_source_at or (borrowed.transition.exit_source_at if borrowed else "immediate")
            yield Edge("event", source, action.state, event, place.replace("_", " "), place, None, (event,))


def _stingers(soundtrack: Soundtrack) -> Iterator[Edge]:
    for name, stinger in soundtrack.stingers.items():
        if stinger.style is not None:
            said = f"{stinger.exit_source_at.replace('_', ' ')} · {stinger.length}"
            initial = soundtrack.initial
            yield Edge("stinger", initial, initial, name, said, stinger.exit_source_at, stinger=name)
