# SPDX-License-Identifier: Apache-2.0
"""How to bring an edge about: the machine at frame 0, and what the game says until then and from then on.

Tried out on the pure state machine before anything is played, so an edge that can't happen is known for free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_service.rehearsal.edges import Edge
from segue_service.rehearsal.guesses import Values, guesses
from segue_service.soundtrack import (
    Effect,
    Input,
    Machine,
    MachineState,
    MusicClock,
    PostEvent,
    PostTrigger,
    SetParameters,
    StingerStarted,
    TransitionStarted,
    grid_clock,
)
from segue_service.soundtrack.guards import Guard
from segue_service.soundtrack.units import ZERO

FAR: Final = 3000
"""Frames that an edge may wait for its place."""
_TRIES: Final = 400

FloatArray = NDArray[np.float32]
Starts = TransitionStarted | StingerStarted


@dataclass(frozen=True, slots=True)
class Stage:
    """state: the machine at frame 0. said: (frame >= 0, inputs). cue: frame at which the change is decided.

    source, target: blends f32[styles] just before the change and when it is through (after a stinger: the same).
    parameters: as they are then.
    """

    state: MachineState
    said: tuple[tuple[int, tuple[Input, ...]], ...]
    cue: int
    source: FloatArray
    target: FloatArray
    parameters: Values


class CannotHappen(Exception):  # noqa: N818 - named as the condition that a caller handles
    """No values of the parameters bring the edge about; the message says why, as far as that is known."""


def stage(machine: Machine, edge: Edge, cue: int) -> Stage:
    """The stage on which the change is decided at frame `cue`, or as near to it as it goes. Raises CannotHappen."""
    for entry, script, values in islice(_scripts(machine, edge, cue), _TRIES):
        found = _try(machine, edge, entry, script, cue, values)
        if found is not None:
            return found
    raise CannotHappen(_why(edge))


def is_edge(edge: Edge, effect: Effect) -> bool:
    """Whether an effect is the edge's own beginning."""
    if edge.stinger is not None:
        return isinstance(effect, StingerStarted) and effect.name == edge.stinger
    if not isinstance(effect, TransitionStarted) or (effect.source, effect.target) != (edge.source, edge.target):
        return False
    return edge.kind == "event" or effect.transition == edge.rule


def first_change(edge: Edge, effects: Iterator[Effect]) -> Starts | None:
    """The first change that is heard at all: for a stinger's edge its beginning or a transition that comes before."""
    for effect in effects:
        if isinstance(effect, TransitionStarted) or (edge.stinger is not None and is_edge(edge, effect)):
            assert isinstance(effect, TransitionStarted | StingerStarted)
            return effect
    return None


Script = list[tuple[int, tuple[Input, ...]]]


def _scripts(machine: Machine, edge: Edge, cue: int) -> Iterator[tuple[tuple[int, Values], Script, Values]]:
    """((frame of entering, parameters then), what is said, parameters at the change), the plainest first."""
    soundtrack, clock = machine.soundtrack, _grid(machine)
    rule = None if edge.rule is None else soundtrack.transitions[edge.rule]
    wait = clock.frames((rule.after if rule else None) or ZERO)
    dwell = clock.frames(soundtrack.states[edge.source].min_dwell)
    defaults = {name: parameter.initial for name, parameter in soundtrack.parameters.items()}
    guards = [t.when for t in soundtrack.transitions if t.when is not None]
    every = guesses(soundtrack, guards, defaults)
    if edge.stinger is not None:
        said: tuple[Input, ...] = (PostTrigger(edge.stinger),)
        for values in every:
            yield (min(0, cue - dwell), values), [(cue, said)], values
        return
    guard = rule.when if rule else None
    at = cue - wait  # the event, or what makes the guard true, comes so early that its delay ends at the cue
    if rule is not None and not rule.on and guard is None:
        for values in every:
            yield (min(0, at), values), [], values
        return
    entry = min(0, at, cue - dwell)
    holding = [values for values in every if guard is None or guard.holds(values.__getitem__)]
    for event in edge.events or (None,):
        post: tuple[Input, ...] = () if event is None else (PostEvent(event),)
        for values in holding:
            if event is not None:
                yield (entry, values), [(at, post)], values
            for before in _others(machine, guards, values, defaults, event is None):
                moved = {name: value for name, value in values.items() if before[name] != value}
                yield (entry, before), [(at, (SetParameters(moved, ignore_seek_speed=True), *post))], values
                if event is not None:
                    break


def _others(
    machine: Machine, guards: list[Guard], values: Values, defaults: Mapping[str, float], automatic: bool
) -> Iterator[Values]:
    """Other values to begin with: the defaults, then (for a change that a parameter causes) the nearest to `values`."""
    if dict(defaults) != values:
        yield dict(defaults)
    if automatic:
        yield from (other for other in guesses(machine.soundtrack, guards, values) if other != values)


def _try(
    machine: Machine, edge: Edge, entry: tuple[int, Values], script: Script, cue: int, values: Values
) -> Stage | None:
    grid = _grid(machine)
    state = machine.start(entry[0], edge.source, entry[1])
    early: list[Input] = []
    for frame, inputs in script:
        if frame < 0:
            early += [one for one in inputs if isinstance(one, PostEvent)]
            quiet = [one for one in inputs if not isinstance(one, PostEvent)]
            step = machine.apply(state, quiet, grid.at(frame))
            state = step.state
            if any(isinstance(effect, TransitionStarted) for effect in step.effects):
                return None
    step = machine.apply(machine.advance(state, grid.at(0)).state, early, grid.at(0))
    # An event that came before frame 0 has been waiting since: it is put off to the cue, not by its whole delay.
    begins = replace(step.state, queue=tuple(replace(queued, ready=cue) for queued in step.state.queue))
    if begins.state != edge.source or begins.fade is not None:
        return None
    said = tuple((frame, inputs) for frame, inputs in script if frame >= 0)
    before, effects, after = _play(machine, begins, said, grid, cue)
    change = first_change(edge, iter(effects))
    if change is None or not is_edge(edge, change):
        return None
    source = machine.weights_at(before, np.asarray([change.frame - 1]))[0]
    last = after.head if after.fade is None else after.fade.ends
    target = source if edge.stinger is not None else machine.weights_at(after, np.asarray([last]))[0]
    return Stage(begins, said, cue, source, target, dict(values))


def _play(
    machine: Machine, state: MachineState, said: Script | tuple[tuple[int, tuple[Input, ...]], ...], grid: MusicClock,
    cue: int,
) -> tuple[MachineState, list[Effect], MachineState]:  # fmt: skip
    """The machine just before the first change, all effects up to it, and the machine after it."""
    effects: list[Effect] = []
    waiting = list(said)
    while True:
        wake = machine.next_wake(state)
        told = waiting[0][0] if waiting else None
        frame = min((at for at in (wake, told) if at is not None), default=None)
        if frame is None or frame > cue + FAR:
            return state, effects, state
        before = state
        if told == frame:
            step = machine.apply(state, waiting.pop(0)[1], grid.at(frame))
        else:
            step = machine.advance(state, grid.at(frame))
        state = step.state
        effects += step.effects
        if any(isinstance(effect, TransitionStarted | StingerStarted) for effect in step.effects):
            return before, effects, state


def _grid(machine: Machine) -> MusicClock:
    """A clock that is trusted, so that bars exist while edges are tried out."""
    clock = machine.nominal_clock(0)
    return clock if clock.trusted else grid_clock(0, clock.bpm)


def _why(edge: Edge) -> str:
    if edge.kind == "stinger":
        return "the stinger never begins"
    if edge.kind == "event":
        return f'"{edge.cause}" never leads there: a transition comes first'
    return "it never wins: its guard is never true, or another transition always comes first"
