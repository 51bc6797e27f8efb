# SPDX-License-Identifier: Apache-2.0
"""The soundtrack's transitions in the form in which the machine asks for them, best first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from segue_service.soundtrack.model import Soundtrack, Transition

Rank = tuple[float, bool, int]
"""Greater wins: priority, then an explicit `from` over `any`, then the earlier in the file."""

COMMAND: Rank = (float("inf"), True, 0)
"""Of a SetState: no transition outranks what the game has decided."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A transition with its index and rank; automatic: no event is needed."""

    index: int
    transition: Transition
    rank: Rank
    automatic: bool

    def leaves(self, state: str) -> bool:
        """Whether it may be taken from a state: `any` excludes the target itself unless `reenter` is set."""
        if self.transition.from_any:
            return state != self.transition.to or self.transition.reenter
        return state in self.transition.source


class RuleBook:
    """All rules, looked up by event, by state, and by pair of states. Immutable."""

    def __init__(self, soundtrack: Soundtrack) -> None:
        self.rules = tuple(
            Rule(i, t, (float(t.priority), not t.from_any, -i), not t.on) for i, t in enumerate(soundtrack.transitions)
        )
        best_first = sorted(self.rules, key=lambda rule: rule.rank, reverse=True)
        self.automatic = {
            state: tuple(rule for rule in best_first if rule.automatic and rule.leaves(state))
            for state in soundtrack.states
        }
        self.watched = {
            state: frozenset(name for rule in rules if rule.transition.when for name in rule.transition.when.names)
            for state, rules in self.automatic.items()
        }
        self._by_event: dict[str, list[Rule]] = {}
        for rule in best_first:
            for event in dict.fromkeys(rule.transition.on):
                self._by_event.setdefault(event, []).append(rule)
        self._best_first = best_first

    @property
    def events(self) -> Iterable[str]:
        """Every event that some transition waits for."""
        return self._by_event

    def for_event(self, event: str, state: str) -> list[Rule]:
        """Rules that an event may set off in a state, best first."""
        return [rule for rule in self._by_event.get(event, ()) if rule.leaves(state)]

    def between(self, source: str, target: str) -> Rule | None:
        """The best rule from one state to another, whatever causes it."""
        return next((r for r in self._best_first if r.transition.to == target and r.leaves(source)), None)
