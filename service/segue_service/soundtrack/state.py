# SPDX-License-Identifier: Apache-2.0
"""The state machine's whole memory as one frozen value, and its JSON form (for resume points and save files)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from segue_service.soundtrack.clock import ExitPoint
from segue_service.soundtrack.model import Fade, Soundtrack
from segue_service.soundtrack.parameters import Motion
from segue_service.soundtrack.stingers import MAX_STINGERS, Cue, Sounding
from segue_service.soundtrack.trajectory import Fading

_FURTHEST: Final = 2**48
"""Frames; 350,000 years."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A change that is decided and waits for its musical place. rule: transition index, None without one.

    due: predicted frame. commanded: a SetState, which nothing but another one outranks.
    """

    rule: int | None
    target: str
    exit_source_at: ExitPoint
    fade: Fade
    via: str | None
    cause: str
    due: int
    commanded: bool = False


@dataclass(frozen=True, slots=True)
class Queued:
    """An event's transition that waits for `after` or min_dwell; it is dropped when the state is left before.

    exit_source_at: in place of the transition's.
    """

    rule: int
    cause: str
    ready: int
    exit_source_at: ExitPoint | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """An automatic transition whose guard has held since a frame; it may happen from `ready` on."""

    rule: int
    since: int
    ready: int


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class MachineState:
    """head: the frame up to which time has been told. dwell_until: first frame at which the state may be left.

    look_at: frame at which guards have to be looked at again, None if only a parameter can change them.
    transition_rest / stinger_rest: first frame after a cooldown. counter: ids given out so far.
    """

    head: int
    state: str
    entered: int
    dwell_until: int
    parameters: Mapping[str, Motion]
    fade: Fading | None = None
    pending: Pending | None = None
    queue: tuple[Queued, ...] = ()
    holding: tuple[Holding, ...] = ()
    stingers: tuple[Sounding, ...] = ()
    cues: tuple[Cue, ...] = ()
    transition_rest: Mapping[int, int] = field(default_factory=dict)
    stinger_rest: Mapping[str, int] = field(default_factory=dict)
    look_at: int | None = None
    counter: int = 0


_ADAPTER: TypeAdapter[MachineState] = TypeAdapter(MachineState)


def state_to_json(state: MachineState) -> str:
    """Compact JSON; `state_from_json` gives an equal value."""
    return _ADAPTER.dump_json(state, by_alias=True).decode()


def state_from_json(soundtrack: Soundtrack, text: str | bytes) -> MachineState:
    """Raises ValueError if it is not a state of this soundtrack."""
    try:
        state = _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"machine state: {where or 'JSON'}: {first['msg']}") from None
    _fits(soundtrack, state)
    return state


def _fits(soundtrack: Soundtrack, state: MachineState) -> None:
    styles = {name for name, _ in (state.fade.source if state.fade else ())}
    styles |= {name for name in ((state.fade.via if state.fade else None),) if name is not None}
    styles |= {sounding.style for sounding in state.stingers if sounding.style is not None}
    states = {state.state}
    rules = {q.rule for q in state.queue} | {h.rule for h in state.holding} | set(state.transition_rest)
    if state.pending is not None:
        states.add(state.pending.target)
        styles |= {name for name in (state.pending.via,) if name is not None}
        rules |= {rule for rule in (state.pending.rule,) if rule is not None}
    stingers = {cue.name for cue in state.cues} | {s.name for s in state.stingers} | set(state.stinger_rest)
    for kind, names, known in (
        ("state", states, soundtrack.states),
        ("style", styles, soundtrack.styles),
        ("stinger", stingers, soundtrack.stingers),
    ):
        for name in sorted(names - set(known)):
            raise ValueError(f'machine state: no {kind} "{name}" in soundtrack "{soundtrack.soundtrack}"')
    if not all(0 <= rule < len(soundtrack.transitions) for rule in rules):
        raise ValueError(f'machine state: a transition that soundtrack "{soundtrack.soundtrack}" does not have')
    if set(state.parameters) != set(soundtrack.parameters):
        raise ValueError(f'machine state: its parameters are not those of soundtrack "{soundtrack.soundtrack}"')
    if len(state.stingers) + len(state.cues) > 2 * MAX_STINGERS:
        raise ValueError("machine state: too many stingers")
    if state.fade is not None and (
        state.fade.ends < state.fade.begins
        or not 0.99 < sum(weight for _, weight in state.fade.source) < 1.01
        or not all(0.0 <= weight <= 1.01 for _, weight in state.fade.source)
    ):
        raise ValueError("machine state: fade does not fit together")
    if not all(-_FURTHEST <= frame <= _FURTHEST for frame in _frames(state)):
        raise ValueError("machine state: a frame that no session reaches")
    for name, motion in state.parameters.items():
        parameter = soundtrack.parameters[name]
        values = [motion.origin, motion.target, *([] if motion.noticed is None else [motion.noticed])]
        if not all(parameter.low <= value <= parameter.high for value in values) or not 0.0 <= motion.per_frame < inf:
            raise ValueError(f"machine state: parameters.{name} is out of its range")
    for sounding in state.stingers:
        if not (0.0 <= sounding.weight <= 1.0 and 0 <= sounding.fade <= _FURTHEST):
            raise ValueError(f"machine state: the stinger {sounding.name} does not fit together")


def _frames(state: MachineState) -> Iterator[int]:
    yield from (state.head, state.entered, state.dwell_until, state.counter, state.look_at or 0)
    yield from (motion.anchor for motion in state.parameters.values())
    if state.fade is not None:
        yield from (state.fade.begins, state.fade.ends, state.fade.id)
    if state.pending is not None:
        yield state.pending.due
    yield from (queued.ready for queued in state.queue)
    yield from (frame for held in state.holding for frame in (held.since, held.ready))
    yield from (frame for sounding in state.stingers for frame in (sounding.begins, sounding.ends, sounding.id))
    yield from (cue.due for cue in state.cues)
    yield from (*state.transition_rest.values(), *state.stinger_rest.values())
