# SPDX-License-Identifier: Apache-2.0
"""Inputs that come together are one moment: what they lead to depends on what they are, not on how they are listed.

Parameters are set first, so that guards see them. A state that is named, the last one if there are several, decides
where to go; else the highest of the transitions that the events set off does. Stingers come last, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from segue_service.soundtrack.clock import ExitPoint
from segue_service.soundtrack.messages import (
    Input,
    InputResult,
    Outcome,
    PostEvent,
    PostTrigger,
    Reason,
    SetParameters,
    SetState,
    TransitionStarted,
)
from segue_service.soundtrack.model import Fade, Soundtrack
from segue_service.soundtrack.rules import Rule, RuleBook
from segue_service.soundtrack.turn import Decision, Turn

_OUTRANKED: Decision = (Outcome.UNCHANGED, Reason.OUTRANKED, None)


@dataclass(frozen=True, slots=True)
class _Command:
    """A state that is named, by the game or by the events table."""

    target: str
    place: ExitPoint | None
    fade: Fade | None
    cause: str


@dataclass(slots=True)
class _Asked:
    """One input: what it asks for, and what has become of that."""

    input: Input
    place: ExitPoint | None = None
    rule: Rule | None = None
    command: _Command | None = None
    triggers: Sequence[str] = ()
    sets: bool = False
    starts: list[int | None] = field(default_factory=list)
    decision: Decision = (Outcome.UNCHANGED, Reason.NO_TRANSITION, None)
    transition: int | None = None


class Moment:
    """Applies the inputs of one moment to a turn. They have been checked. Not kept."""

    def __init__(self, soundtrack: Soundtrack, rules: RuleBook, turn: Turn) -> None:
        self._soundtrack = soundtrack
        self._rules = rules
        self._turn = turn

    def apply(self, inputs: Sequence[Input]) -> tuple[InputResult, ...]:
        """One result per input."""
        asked = [_Asked(one) for one in inputs]
        for one in asked:
            self._set(one)
        for one in asked:
            self._read(one)
        commands = [one for one in asked if one.command is not None]
        events = [one for one in asked if one.rule is not None]
        for one in (*commands[:-1], *(events if commands else ())):
            one.decision = _OUTRANKED
        if commands:
            self._command(commands[-1])
        else:
            self._react(events)
        for one in asked:
            self._trigger(one)
        return tuple(self._result(one) for one in asked)

    def _set(self, asked: _Asked) -> None:
        match asked.input:
            case SetParameters(values, at_once):
                asked.decision = Outcome.APPLIED, Reason.NONE, None
            case PostEvent(name) if name in self._soundtrack.events:
                values, at_once = self._soundtrack.events[name].set, False
            case _:
                return
        asked.sets = bool(values)
        asked.starts += [self._turn.move(name, float(value), at_once=at_once) for name, value in values.items()]

    def _read(self, asked: _Asked) -> None:
        match asked.input:
            case SetState(name, place, fade):
                asked.command = _Command(name, place, fade, "set_state")
            case PostTrigger(name, place):
                asked.place, asked.triggers = place, (name,)
            case PostEvent(name, place):
                asked.place = place
                self._read_event(asked, name)

    def _read_event(self, asked: _Asked, name: str) -> None:
        action = self._soundtrack.events.get(name)
        asked.rule, reason = self._turn.candidate(name)
        asked.decision = Outcome.UNCHANGED, reason, None
        if action is not None:
            asked.triggers = action.trigger
            if asked.rule is None and action.state is not None:
                asked.command = _Command(action.state, asked.place or action.exit_source_at, action.fade, name)
        elif name not in self._rules.events:
            # A word that is in no table means the stinger of that name, else the state.
            if name in self._soundtrack.stingers:
                asked.triggers = (name,)
            else:
                asked.command = _Command(name, asked.place, None, name)

    def _command(self, asked: _Asked) -> None:
        assert asked.command is not None
        named, turn = asked.command, self._turn
        asked.decision = turn.command(named.target, named.place, named.fade, named.cause)
        if asked.decision[0] is Outcome.SCHEDULED and turn.draft.pending is not None:
            asked.transition = turn.draft.pending.rule
        elif asked.decision[0] is Outcome.STARTED:
            started = [effect for effect in turn.effects if isinstance(effect, TransitionStarted)]
            asked.transition = started[-1].transition if started else None

    def _react(self, events: list[_Asked]) -> None:
        """The best that is not kept for later goes first; if that leaves the state, nothing is left for the others."""
        left: Rule | None = None
        for one in sorted(events, key=self._precedence, reverse=True):
            rule, name = one.rule, str(getattr(one.input, "name", ""))
            assert rule is not None
            if left is None:
                one.decision = self._turn.react(rule, name, one.place)
            else:
                one.decision = (Outcome.STARTED, Reason.NONE, self._turn.frame) if rule is left else _OUTRANKED
            if one.decision[0] is not Outcome.UNCHANGED:
                one.transition = rule.index
            if one.decision[0] is Outcome.STARTED:
                left = rule

    def _precedence(self, asked: _Asked) -> tuple[bool, tuple[float, bool, int], int]:
        """Of two events of one transition, the one that it names first is told as its cause."""
        assert asked.rule is not None
        named = asked.rule.transition.on.index(str(getattr(asked.input, "name", "")))
        return not self._turn.waits(asked.rule), asked.rule.rank, -named

    def _trigger(self, asked: _Asked) -> None:
        for name in asked.triggers:
            played = self._turn.trigger(name, asked.place)
            asked.starts.append(played[2])
            if asked.decision[:2] == (Outcome.UNCHANGED, Reason.NO_TRANSITION):
                asked.decision = played[0], played[1], None

    def _result(self, asked: _Asked) -> InputResult:
        outcome, reason, begins = asked.decision
        if (outcome, reason) == (Outcome.UNCHANGED, Reason.NO_TRANSITION) and asked.sets:
            outcome, reason = Outcome.APPLIED, Reason.NONE
        pending = self._turn.draft.pending
        state = self._turn.draft.state if pending is None else pending.target
        first = min((frame for frame in (begins, *asked.starts) if frame is not None), default=None)
        stinger = asked.triggers[0] if asked.triggers else None
        return InputResult(asked.input, outcome, reason, state, first, asked.transition, stinger)
