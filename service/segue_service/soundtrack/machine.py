# SPDX-License-Identifier: Apache-2.0
"""The soundtrack's state machine: pure functions (state, inputs, clock) → (state, effects, results).

Nothing is remembered here; a `Machine` is the compiled soundtrack and may be shared by all of its sessions and threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_service.soundtrack.clock import DEFAULT_BPM, MusicClock, grid_clock
from segue_service.soundtrack.messages import (
    Effect,
    Input,
    InputResult,
    InvalidValue,
    OutOfRange,
    PostEvent,
    PostTrigger,
    SetParameters,
    SetState,
    UnknownName,
)
from segue_service.soundtrack.model import Fade, Guidance, Soundtrack, read_fade
from segue_service.soundtrack.moment import Moment
from segue_service.soundtrack.parameters import Motion
from segue_service.soundtrack.plan import PLAIN, Planner, StylePlan
from segue_service.soundtrack.rules import RuleBook
from segue_service.soundtrack.state import MachineState, state_from_json
from segue_service.soundtrack.turn import Turn
from segue_service.soundtrack.weights import Blender


@dataclass(frozen=True, slots=True)
class Step:
    """effects are in frame order; results has one entry per input."""

    state: MachineState
    effects: tuple[Effect, ...] = ()
    results: tuple[InputResult, ...] = ()


class Machine:
    """A soundtrack made ready to run. Immutable."""

    def __init__(self, soundtrack: Soundtrack) -> None:
        self.soundtrack: Final = soundtrack
        self.styles: Final = tuple(soundtrack.styles)
        self._rules = RuleBook(soundtrack)
        self._blender = Blender(soundtrack)
        self._planner = Planner(soundtrack, self._blender)
        handled = (*soundtrack.events, *self._rules.events)
        named_alike = (name for name in (*soundtrack.stingers, *soundtrack.states) if name not in handled)
        self.events: Final = tuple(dict.fromkeys((*handled, *named_alike)))
        """Every name that PostEvent accepts."""
        self._events = frozenset(self.events)

    def start(
        self, frame: int = 0, state: str | None = None, parameters: Mapping[str, float] | None = None
    ) -> MachineState:
        """A session's first state, in the soundtrack's initial state unless another is named. Raises ControlError."""
        name = self.soundtrack.initial if state is None else state
        self._check(SetState(name))
        self._check(SetParameters(parameters or {}))
        values = {key: p.initial for key, p in self.soundtrack.parameters.items()} | dict(parameters or {})
        motions = {key: Motion(value, value, frame - 1) for key, value in values.items()}
        clock = self._follow(self.nominal_clock(frame))
        dwell = frame + clock.frames(self.soundtrack.states[name].min_dwell)
        turn = self._turn(MachineState(frame, name, frame, dwell, motions), clock)
        turn.track()
        return turn.draft

    def advance(self, state: MachineState, clock: MusicClock) -> Step:
        """Let time pass up to the head, clock.frame. Raises ValueError for a head before the last one.

        A head that skips wake frames is brought along frame by frame, under the clock as it must have been.
        """
        if clock.frame < state.head:
            raise ValueError(f"clock.frame: expected at least {state.head}, got {clock.frame}")
        effects: list[Effect] = []
        while (wake := self.next_wake(state)) is not None and wake <= clock.frame:
            turn = self._turn(state, self._follow(clock.at(wake)))
            turn.pass_time()
            effects += turn.effects
            state = turn.draft
        if state.head != clock.frame:
            state = replace(state, head=clock.frame)
        return Step(state, tuple(effects))

    def apply(self, state: MachineState, inputs: Sequence[Input], clock: MusicClock) -> Step:
        """Advance to the head, then apply all inputs as one moment, or none of them: raises UnknownName, OutOfRange."""
        for one in inputs:
            self._check(one)
        advanced = self.advance(state, clock)
        turn = self._turn(advanced.state, self._follow(clock))
        results = Moment(self.soundtrack, self._rules, turn).apply(inputs)
        turn.look()
        return Step(turn.draft, (*advanced.effects, *turn.effects), results)

    def next_wake(self, state: MachineState) -> int | None:
        """The earliest frame after the head at which something may happen by itself, None if nothing will.

        head + 1 while something waits for a beat or bar (the tempo may change) or a guarded parameter is moving.
        """
        soon = state.head + 1
        if state.pending is not None or state.cues:
            return soon
        watched = self._rules.watched[state.state]
        if any(state.parameters[name].arrives > state.head for name in watched):
            return soon
        wakes = [stinger.ends for stinger in state.stingers]
        if state.look_at is not None:
            wakes.append(state.look_at)
        if state.fade is not None:
            wakes.append(state.fade.ends)
        wakes += [max(queued.ready, state.dwell_until) for queued in state.queue]
        wakes += [max(held.ready, state.dwell_until, state.transition_rest.get(held.rule, 0)) for held in state.holding]
        return max(soon, min(wakes)) if wakes else None

    def plan(
        self, state: MachineState, first_frame: int, last_frame: int, default_guidance: Guidance = PLAIN
    ) -> StylePlan:
        """How to steer first_frame..last_frame, as far as it is decided. Raises ValueError for an empty stretch."""
        return self._planner.plan(state, first_frame, last_frame, default_guidance)

    def weights_at(self, state: MachineState, frames: NDArray[np.integer]) -> NDArray[np.float32]:
        """f32[n, styles], exact at each frame; every row sums to 1."""
        return self._blender.weights_at(state, frames)

    def parameter(self, state: MachineState, name: str, frame: int) -> float:
        """A parameter's value on its way to its target. Raises UnknownName."""
        if name not in state.parameters:
            raise UnknownName("parameter", name, self.soundtrack.parameters)
        return state.parameters[name].value(frame)

    def nominal_clock(self, frame: int) -> MusicClock:
        """The grid of `music.tempo` from frame 0; of no confidence where the soundtrack gives no tempo."""
        music = self.soundtrack.music
        if music is None or music.tempo is None:
            return grid_clock(frame, DEFAULT_BPM, confidence=0.0)
        return grid_clock(frame, music.tempo, music.meter.beats if music.meter else 4)

    def state_from_json(self, text: str | bytes) -> MachineState:
        """What `state_to_json` gave. Raises ValueError if it does not fit this soundtrack."""
        return state_from_json(self.soundtrack, text)

    def _turn(self, state: MachineState, clock: MusicClock) -> Turn:
        return Turn(self.soundtrack, self._rules, self._blender, state, clock)

    def _follow(self, clock: MusicClock) -> MusicClock:
        if clock.trusted:
            return clock
        nominal = self.nominal_clock(clock.frame)
        # Without any idea of the beat every place is as good as another: a control must not wait for nothing.
        return nominal if nominal.trusted else MusicClock(clock.frame, confidence=0.0)

    def _check(self, one: Input) -> None:
        match one:
            case PostEvent(name):
                if name not in self._events:
                    raise UnknownName("event", name, self.events)
            case SetState(name):
                if name not in self.soundtrack.states:
                    raise UnknownName("state", name, self.soundtrack.states)
            case PostTrigger(name):
                if name not in self.soundtrack.stingers:
                    raise UnknownName("stinger", name, self.soundtrack.stingers)
            case SetParameters(values):
                for name, value in values.items():
                    if name not in self.soundtrack.parameters:
                        raise UnknownName("parameter", name, self.soundtrack.parameters)
                    parameter = self.soundtrack.parameters[name]
                    if not (math.isfinite(value) and parameter.low <= value <= parameter.high):
                        raise OutOfRange(f"parameters.{name}", value, parameter.low, parameter.high)


def parse_fade(text: str, field: str = "fade") -> Fade:
    """A fade that a client wrote ("0.5 s", "2 bars", "step"). Raises InvalidValue that names the field."""
    try:
        return read_fade(text)
    except ValueError as error:
        raise InvalidValue(field, str(error)) from None
