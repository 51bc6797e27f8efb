# SPDX-License-Identifier: Apache-2.0
"""A session's state from one text of its soundtrack into another, as much of it as there is a place for there."""

from __future__ import annotations

from dataclasses import replace

from segue_service.soundtrack.machine import Machine
from segue_service.soundtrack.model import Parameter, Soundtrack
from segue_service.soundtrack.parameters import Motion
from segue_service.soundtrack.state import MachineState, Pending
from segue_service.soundtrack.trajectory import Fading


def carried(state: MachineState, old: Machine, new: Machine, frame: int) -> MachineState:
    """The state of `old`, as it holds at a frame, for `new` from there on.

    A state that is there no more is left for the initial one. Values are brought within their new ranges; what is under
    way goes on if all that it names is there. Rules are known by their number, so what waits for one is dropped if they
    are others now; a change that is decided stays so.
    """
    text, is_same = new.soundtrack, state.state in new.soundtrack.states
    values = {
        name: min(max(state.parameters[name].value(frame), parameter.low), parameter.high)
        for name, parameter in text.parameters.items()
        if name in state.parameters
    }
    begun = new.start(frame, state.state if is_same else None, values)
    motions = {
        name: _kept(state.parameters.get(name), text.parameters[name], begun.parameters[name], frame)
        for name in begun.parameters
    }
    begun = replace(
        begun,
        parameters=motions,
        stingers=tuple(
            one
            for one in state.stingers
            if one.name in text.stingers and (one.style is None or one.style in text.styles)
        ),
        cues=tuple(one for one in state.cues if one.name in text.stingers),
        stinger_rest={name: until for name, until in state.stinger_rest.items() if name in text.stingers},
        counter=state.counter,
        look_at=frame + 1,
    )
    if not is_same:
        return begun
    begun = replace(
        begun,
        entered=state.entered,
        dwell_until=state.dwell_until,
        fade=_known_fade(state.fade, text),
        pending=_known_change(state.pending, text),
    )
    if text.transitions != old.soundtrack.transitions:
        return begun
    return replace(
        begun,
        pending=state.pending if begun.pending is not None else None,
        queue=state.queue,
        holding=state.holding,
        transition_rest=state.transition_rest,
    )


def _kept(motion: Motion | None, parameter: Parameter, rests: Motion, frame: int) -> Motion:
    """A parameter's way, if all of it is within what the parameter may be; else to what it may be at most."""
    if motion is None or motion.origin == motion.target:
        return rests
    if all(parameter.low <= value <= parameter.high for value in (motion.origin, motion.target)):
        return motion
    return rests.towards(min(max(motion.target, parameter.low), parameter.high), frame, parameter.seek_speed)


def _known_fade(fade: Fading | None, text: Soundtrack) -> Fading | None:
    if fade is None:
        return None
    named = {name for name, _ in fade.source} | ({fade.via} if fade.via else set())
    return fade if named <= set(text.styles) else None


def _known_change(pending: Pending | None, text: Soundtrack) -> Pending | None:
    if pending is None or pending.target not in text.states:
        return None
    return replace(pending, rule=None) if pending.via is None or pending.via in text.styles else None
