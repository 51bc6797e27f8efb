# SPDX-License-Identifier: Apache-2.0
"""What is allowed but probably not meant: unreachable states, transitions that can never happen, unused parts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from segue_service.soundtrack.diagnostics import Diagnostic, Finding, Path, near_misses
from segue_service.soundtrack.document import Document
from segue_service.soundtrack.guards import Comparison, Either, Every, Not, Term
from segue_service.soundtrack.model import Soundtrack
from segue_service.soundtrack.rules import Rule, RuleBook
from segue_service.soundtrack.units import describe

_ALIKE = 256
"""Events among which those that are almost alike are looked for."""


def check(soundtrack: Soundtrack, document: Document | None = None) -> tuple[Diagnostic, ...]:
    """Warnings and notes of a soundtrack that loads, placed and ordered by the document it was read from, if given."""
    rules = RuleBook(soundtrack)
    reached = reachable(soundtrack)
    found = itertools.chain(
        _states(soundtrack, rules, reached),
        _transitions(soundtrack, rules, reached),
        _unused(soundtrack),
        _events(soundtrack, reached, rules),
        _curves(soundtrack),
        _flicker(soundtrack, rules),
    )
    where = document or Document(soundtrack.soundtrack)
    return tuple(sorted((where.diagnostic(finding) for finding in found), key=lambda d: (d.line, d.column)))


def reachable(soundtrack: Soundtrack) -> frozenset[str]:
    """States to which transitions and events lead from the initial one."""
    rules = RuleBook(soundtrack)
    by_event = {action.state for action in soundtrack.events.values() if action.state is not None}
    reached: set[str] = set()
    border = {soundtrack.initial} | by_event
    while border:
        state = border.pop()
        reached.add(state)
        border |= {r.transition.to for r in rules.rules if r.leaves(state) and _possible(soundtrack, r)} - reached
    return frozenset(reached)


def _states(soundtrack: Soundtrack, rules: RuleBook, reached: frozenset[str]) -> Iterator[Finding]:
    for state in soundtrack.states:
        if state not in reached:
            said = "no transition or event leads here from the initial state"
            yield Finding("warning", ("states", state), f"unreachable: {said} (a game can still name it)", on_key=True)
        elif len(soundtrack.states) > 1 and not any(r.leaves(state) and r.transition.to != state for r in rules.rules):
            yield Finding("note", ("states", state), "no transition leaves this state", on_key=True)


def _transitions(soundtrack: Soundtrack, rules: RuleBook, reached: frozenset[str]) -> Iterator[Finding]:
    for rule in rules.rules:
        path: Path = ("transitions", rule.index)
        transition = rule.transition
        sources = _sources(soundtrack, rule)
        if not sources:
            yield Finding("warning", path, "can never happen: it leaves no state")
            continue
        if not sources & reached:
            yield Finding("warning", path, f"can never happen: {', '.join(sorted(sources))} can't be reached")
        if not _possible(soundtrack, rule):
            said = f'can never happen: "{transition.when}" is never true within the parameters\' ranges'
            yield Finding("warning", (*path, "when"), said)
        shadows = [r for r in rules.rules if r.rank > rule.rank and _always_first(r, rule)]
        covered = {state for r in shadows for state in _sources(soundtrack, r)}
        if shadows and sources <= covered:
            listed = ", ".join(f"transitions[{r.index}]" for r in shadows)
            yield Finding("warning", path, f"can never happen: {listed} always comes first")
        for other in rules.rules[: rule.index]:
            if _compete(soundtrack, other, rule) and not (shadows and sources <= covered):
                said = f"overlaps transitions[{other.index}] at the same priority; the one that is earlier here wins"
                yield Finding("note", path, said)
        if transition.via is not None and transition.fade.length.value == 0:
            yield Finding("warning", (*path, "via"), "has no effect: the fade has no length to go by way of it")
        if transition.reenter and not transition.from_any:
            yield Finding("note", (*path, "reenter"), 'has no effect: it belongs to "from: any"')


def _unused(soundtrack: Soundtrack) -> Iterator[Finding]:
    styles = {lead.to for state in soundtrack.states.values() for lead in state.blend_by.values()}
    styles |= {state.style for state in soundtrack.states.values()}
    styles |= {t.via for t in soundtrack.transitions if t.via} | {
        s.style for s in soundtrack.stingers.values() if s.style
    }
    for style in soundtrack.styles:
        if style not in styles:
            yield Finding("note", ("styles", style), "is not used", on_key=True)
    parameters = {name for state in soundtrack.states.values() for name in state.blend_by}
    parameters |= {name for t in soundtrack.transitions if t.when is not None for name in t.when.names}
    for parameter in soundtrack.parameters:
        if parameter not in parameters:
            yield Finding(
                "note", ("parameters", parameter), "changes nothing: no blend_by or when reads it", on_key=True
            )


def _events(soundtrack: Soundtrack, reached: frozenset[str], rules: RuleBook) -> Iterator[Finding]:
    used = {event for rule in rules.rules for event in rule.transition.on}
    for event, action in soundtrack.events.items():
        if action.state is not None and event in used:
            said = "a transition waits for this event too; where it can happen, it wins over this state"
            yield Finding("note", ("events", event, "state"), said)
    for event in sorted(used):
        sources = {s for r in rules.rules if event in r.transition.on for s in _sources(soundtrack, r)}
        if event not in soundtrack.events and not sources & reached:
            index = next(r.index for r in rules.rules if event in r.transition.on)
            yield Finding("warning", ("transitions", index, "on"), f'no reachable state reacts to event "{event}"')
    if len(used) > _ALIKE:  # each would be compared with each
        return
    for rule in rules.rules:
        for event in rule.transition.on:
            likely = near_misses(event, used - {event} | set(soundtrack.events) - {event}, 1)
            twin = likely[0] if likely and _one_slip(event, likely[0]) else None
            if twin is not None and event not in soundtrack.events:
                yield Finding("note", ("transitions", rule.index, "on"), f'"{event}" and "{twin}" are almost alike')


def _curves(soundtrack: Soundtrack) -> Iterator[Finding]:
    for name, state in soundtrack.states.items():
        for parameter, lead in state.blend_by.items():
            span = soundtrack.parameters[parameter]
            for index, (x, _) in enumerate(lead.curve):
                if not span.low <= x <= span.high:
                    path: Path = ("states", name, "blend_by", parameter, "curve", index)
                    said = f"lies outside the range of {parameter}, {describe(span.low)} to {describe(span.high)}"
                    yield Finding("warning", path, said)


def _flicker(soundtrack: Soundtrack, rules: RuleBook) -> Iterator[Finding]:
    """Two ways there and back on the two sides of one number, so that noise around it drives the music to and fro."""
    there_and_back = (
        (rule, back)
        for rule in rules.rules
        for back in rules.rules[: rule.index]
        if rule.leaves(back.transition.to) and back.leaves(rule.transition.to)
    )
    for rule, back in there_and_back:
        held = (soundtrack.states[one.transition.to].min_dwell for one in (rule, back))
        waits = (one.transition.after for one in (rule, back) if one.transition.after is not None)
        if any(length.value for length in (*held, *waits)):
            continue
        one, other = _threshold(rule), _threshold(back)
        if one is None or other is None or one[0] != other[0] or soundtrack.parameters[one[0]].hysteresis:
            continue
        low, high = (one, other) if one[2] else (other, one)
        if low[2] and not high[2] and low[1] >= high[1]:
            said = (
                f'goes to and fro with transitions[{back.index}] where "{one[0]}" wavers around {describe(one[1])}: '
                'put the two numbers apart, or use "hysteresis", "min_dwell" or "after"'
            )
            yield Finding("warning", ("transitions", rule.index, "when"), said)


def _threshold(rule: Rule) -> tuple[str, float, bool] | None:
    """Parameter, number, and whether the guard holds below it; None for a guard of another form, or one of events."""
    guard = rule.transition.when
    if not rule.automatic or guard is None or not isinstance(guard.tree, Comparison) or len(guard.tree.signs) != 1:
        return None
    (left, right), sign = guard.tree.operands, guard.tree.signs[0]
    if sign in ("<", "<=", ">", ">="):
        if isinstance(left, str) and isinstance(right, float):
            return left, right, sign[0] == "<"
        if isinstance(left, float) and isinstance(right, str):
            return right, left, sign[0] == ">"
    return None


def _sources(soundtrack: Soundtrack, rule: Rule) -> set[str]:
    return {state for state in soundtrack.states if rule.leaves(state)}


def _always_first(first: Rule, second: Rule) -> bool:
    """Whether `first`, which outranks `second`, takes everything that could set `second` off."""
    a, b = first.transition, second.transition
    if a.when is not None and (b.when is None or str(a.when) != str(b.when)):
        return False
    if a.cooldown.value or (a.after is not None) != (b.after is not None):
        return False
    if a.after is not None and b.after is not None and (a.after.unit != b.after.unit or a.after.value > b.after.value):
        return False
    return set(b.on) <= set(a.on) if b.on else not a.on


def _compete(soundtrack: Soundtrack, earlier: Rule, later: Rule) -> bool:
    """Whether both may be set off at once, at one rank but for their order, to different ends, without a guard."""
    a, b = earlier.transition, later.transition
    if earlier.rank[:2] != later.rank[:2] or a.to == b.to or a.when is not None or b.when is not None:
        return False
    return bool(set(a.on) & set(b.on)) and bool(_sources(soundtrack, earlier) & _sources(soundtrack, later))


def _possible(soundtrack: Soundtrack, rule: Rule) -> bool:
    guard = rule.transition.when
    return guard is None or _may(guard.tree, {n: (p.low, p.high) for n, p in soundtrack.parameters.items()}, True)


def _may(term: Term, spans: dict[str, tuple[float, float]], want: bool) -> bool:
    """Whether a term might be `want`: never False wrongly, since each parameter is looked at by itself."""
    if isinstance(term, Not):
        return _may(term.term, spans, not want)
    if isinstance(term, (Every, Either)):
        every = isinstance(term, Every) == want
        return (all if every else any)(_may(inner, spans, want) for inner in term.terms)
    links = (_link(term, i, spans, want) for i in range(len(term.signs)))
    return all(links) if want else any(links)


def _link(term: Comparison, index: int, spans: dict[str, tuple[float, float]], want: bool) -> bool:
    (a_low, a_high), (b_low, b_high) = (
        spans[operand] if isinstance(operand, str) else (operand, operand)
        for operand in term.operands[index : index + 2]
    )
    negated = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
    sign = term.signs[index] if want else negated[term.signs[index]]
    match sign:
        case "<":
            return a_low < b_high
        case "<=":
            return a_low <= b_high
        case ">":
            return a_high > b_low
        case ">=":
            return a_high >= b_low
        case "==":
            return a_low <= b_high and b_low <= a_high
        case _:
            return not a_low == a_high == b_low == b_high


def _one_slip(a: str, b: str) -> bool:
    """Whether two words differ by one letter that is wrong, missing, or swapped with its neighbour."""
    if a == b or min(len(a), len(b)) < 5 or abs(len(a) - len(b)) > 1:
        return False
    if a.rstrip("0123456789") == b.rstrip("0123456789"):
        return False
    if len(a) == len(b):
        wrong = [i for i in range(len(a)) if a[i] != b[i]]
        swapped = (
            len(wrong) == 2 and wrong[1] == wrong[0] + 1 and a[wrong[0]] == b[wrong[1]] and a[wrong[1]] == b[wrong[0]]
        )
        return len(wrong) == 1 or swapped
    short, long = sorted((a, b), key=len)
    return any(long[:i] + long[i + 1 :] == short for i in range(len(long)))
