# SPDX-License-Identifier: Apache-2.0
"""Parameter values at which the guards of a soundtrack say one thing or the other: what a game might have set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from segue_service.soundtrack import Soundtrack
from segue_service.soundtrack.guards import Comparison, Either, Every, Guard, Not, Term

MOST: Final = 1024
"""Combinations that are looked at; more parameters than that needs would not be searched whole."""
_NEAR: Final = 0.05  # of the range, to either side of a number in a guard

Values = dict[str, float]


def guesses(soundtrack: Soundtrack, guards: Sequence[Guard], near: Mapping[str, float]) -> list[Values]:
    """Values of every parameter, those that differ least from `near` first. Only the guards' parameters differ."""
    axes = {name: _values(soundtrack, guards, name) for name in dict.fromkeys(n for g in guards for n in g.names)}
    combinations = itertools.islice(itertools.product(*axes.values()), MOST)
    found = [{**near, **dict(zip(axes, values, strict=True))} for values in combinations]
    found.append(dict(near))

    def distance(values: Values) -> tuple[int, float]:
        moved = [name for name in values if values[name] != near[name]]
        spans = {name: soundtrack.parameters[name].high - soundtrack.parameters[name].low for name in moved}
        return len(moved), sum(abs(values[name] - near[name]) / spans[name] for name in moved)

    distinct = {tuple(sorted(values.items())): values for values in found}
    return sorted(distinct.values(), key=distance)


def _values(soundtrack: Soundtrack, guards: Sequence[Guard], name: str) -> list[float]:
    """Both ends, the default, and each number that the parameter is compared with and a little to its either side."""
    parameter = soundtrack.parameters[name]
    step = _NEAR * (parameter.high - parameter.low)
    numbers = [number for guard in guards for number in _numbers(guard.tree, name)]
    around = [number + side for number in numbers for side in (0.0, -step, step)]
    candidates = (parameter.initial, *around, parameter.low, parameter.high)
    return list(dict.fromkeys(round(value, 9) for value in candidates if parameter.low <= value <= parameter.high))


def _numbers(term: Term, name: str) -> Iterator[float]:
    match term:
        case Comparison(operands, _):
            if name in operands:
                yield from (operand for operand in operands if not isinstance(operand, str))
        case Not(inner):
            yield from _numbers(inner, name)
        case Every(terms) | Either(terms):
            for inner in terms:
                yield from _numbers(inner, name)
