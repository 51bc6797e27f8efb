# SPDX-License-Identifier: Apache-2.0
"""A soundtrack's graph as lines of plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from segue_service.soundtrack.fields import ANY
from segue_service.soundtrack.graph import cause, manner
from segue_service.soundtrack.model import Soundtrack, State


def outline(soundtrack: Soundtrack, unreachable: frozenset[str] = frozenset()) -> str:
    """States with the ways that leave them, then what may happen anywhere, stingers and events."""
    return "\n".join(_lines(soundtrack, unreachable)) + "\n"


def _lines(soundtrack: Soundtrack, unreachable: frozenset[str]) -> Iterator[str]:
    yield f"{soundtrack.soundtrack}  version {soundtrack.version}"
    for name, state in soundtrack.states.items():
        marks = " (initial)" if name == soundtrack.initial else " (unreachable)" if name in unreachable else ""
        yield ""
        yield f"  {name}{marks}  ♪ {_blend(state)}"
        yield from _ways(soundtrack, name)
    if any(t.from_any for t in soundtrack.transitions) or any(a.state for a in soundtrack.events.values()):
        yield ""
        yield "  any state"
        yield from _ways(soundtrack, ANY)
        for event, action in soundtrack.events.items():
            if action.state is not None:
                yield f"    → {action.state}  {event}"
    if soundtrack.stingers:
        yield ""
        yield "  stingers"
        for name, stinger in soundtrack.stingers.items():
            length = f", {stinger.length}" if stinger.length is not None else ""
            parts = (stinger.style, stinger.clip, f"drums {stinger.drums}" if stinger.drums else None)
            what = ", ".join(part for part in parts if part)
            yield f"    {name}  ♪ {what}{length}, {stinger.exit_source_at.replace('_', ' ')}"
    if soundtrack.events:
        yield ""
        yield "  events"
        for event, action in soundtrack.events.items():
            does = [f"→ {action.state}"] if action.state else []
            does += [f"play {name}" for name in action.trigger]
            does += [f"{name} = {value:g}" for name, value in action.set.items()]
            yield f"    {event}  {', '.join(does)}"


def _ways(soundtrack: Soundtrack, source: str) -> Iterator[str]:
    ways = [t for t in soundtrack.transitions if source in t.source]
    targets = max((len(t.to) for t in ways), default=0)
    causes = max((len(cause(t)) for t in ways), default=0)
    for t in ways:
        yield f"    → {t.to:<{targets}}  {cause(t):<{causes}}  {', '.join(manner(t))}"


def _blend(state: State) -> str:
    leads = "".join(f", {parameter} → {lead.to}" for parameter, lead in state.blend_by.items())
    dwell = f", at least {state.min_dwell}" if state.min_dwell.value else ""
    return f"{state.style}{leads}{dwell}"
