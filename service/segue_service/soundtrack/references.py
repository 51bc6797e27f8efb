# SPDX-License-Identifier: Apache-2.0
"""Names that must exist, checked on the authored data, so that one run reports them with every other mistake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from segue_service.soundtrack.diagnostics import Finding, Path, unknown
from segue_service.soundtrack.fields import ANY
from segue_service.soundtrack.guards import parse_guard
from segue_service.soundtrack.units import UnitError, describe


def check_references(data: object) -> Iterator[Finding]:
    """Findings for names that no section defines and for event values out of a parameter's range.

    data is plain and may be wrong in any way: what has not the shape it should have is somebody else's finding.
    """
    top = _map(data)
    styles, states, parameters = (_map(top.get(section)) for section in ("styles", "states", "parameters"))
    stingers, events = _map(top.get("stingers")), _map(top.get("events"))
    transitions = top.get("transitions")

    def name(kind: str, value: object, known: dict[str, Any], *path: str | int) -> Iterator[Finding]:
        if isinstance(value, str) and value not in known:
            yield Finding("error", path, unknown(kind, value, known))

    if ANY in states:
        yield Finding("error", ("states", ANY), '"any" can\'t be the name of a state', on_key=True)
    yield from name("state", top.get("initial"), states, "initial")
    for key, state in states.items():
        body = _map(state)
        yield from name("style", body.get("style"), styles, "states", key, "style")
        for parameter, blend in _map(body.get("blend_by")).items():
            path: Path = ("states", key, "blend_by", parameter)
            if parameter not in parameters:
                yield Finding("error", path, unknown("parameter", parameter, parameters), on_key=True)
            yield from name("style", _map(blend).get("to"), styles, *path, "to")
    for index, transition in enumerate(transitions if isinstance(transitions, (list, tuple)) else ()):
        body = _map(transition)
        here: Path = ("transitions", index)
        for place, value in _each(body.get("from"), (*here, "from")):
            yield from name("state", value, {ANY: None, **states}, *place)
        yield from name("state", body.get("to"), states, *here, "to")
        yield from name("style", body.get("via"), styles, *here, "via")
        yield from _guard(body.get("when"), parameters, (*here, "when"))
    for key, stinger in stingers.items():
        yield from name("style", _map(stinger).get("style"), styles, "stingers", key, "style")
    for key, event in events.items():
        body = _map(event)
        yield from name("state", body.get("state"), states, "events", key, "state")
        for place, value in _each(body.get("trigger"), ("events", key, "trigger")):
            yield from name("stinger", value, stingers, *place)
        for parameter, value in _map(body.get("set")).items():
            path = ("events", key, "set", parameter)
            if parameter not in parameters:
                yield Finding("error", path, unknown("parameter", parameter, parameters), on_key=True)
            else:
                yield from _value(value, _map(parameters[parameter]).get("range"), path)


def _guard(raw: object, parameters: dict[str, Any], path: Path) -> Iterator[Finding]:
    try:
        mentions = parse_guard(raw).mentions if isinstance(raw, str) else ()
    except UnitError:
        return
    for mentioned, offset in mentions:
        if mentioned not in parameters:
            yield Finding("error", path, unknown("parameter", mentioned, parameters), offset)


def _value(value: object, span: object, path: Path) -> Iterator[Finding]:
    if not _is_number(value) or not isinstance(span, (list, tuple)) or len(span) != 2:
        return
    low, high = span
    if _is_number(low) and _is_number(high) and not low <= value <= high:
        yield Finding("error", path, f"expected {describe(low)} to {describe(high)}, got {describe(value)}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _each(value: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield (*path, index), item
    else:
        yield path, value
