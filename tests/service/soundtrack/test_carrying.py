# SPDX-License-Identifier: Apache-2.0
"""A running state machine goes on by another text of its soundtrack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segue_service.soundtrack import (
    Machine,
    MachineState,
    PostEvent,
    PostTrigger,
    SetParameters,
    grid_clock,
    parse_soundtrack,
    state_to_json,
)
from segue_service.soundtrack.carrying import carried

TEXT = (Path(__file__).parents[1] / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")
OLD = Machine(parse_soundtrack(TEXT))


def machine(*changes: tuple[str, str]) -> Machine:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return Machine(parse_soundtrack(text))


def busy() -> MachineState:
    """In the middle of a fade, a stinger, a parameter's way and what waits for its place."""
    clock = grid_clock(0, 93.75, 4)
    state = OLD.start()
    state = OLD.apply(state, [PostEvent("enemy_spotted")], clock.at(100)).state
    state = OLD.apply(state, [SetParameters({"danger": 0.9}), PostTrigger("treasure")], clock.at(104)).state
    state = OLD.advance(state, clock.at(106)).state
    assert state.fade is not None
    assert state.stingers or state.cues
    return state


def future(of: Machine, state: MachineState, frames: int = 800) -> tuple[list[object], list[str]]:
    """Effects and states, frame by frame; the boss's door opens meanwhile."""
    effects: list[object] = []
    states = []
    for frame in range(state.head, state.head + frames):
        clock = grid_clock(frame, 93.75, 4)
        step = of.apply(state, [PostEvent("boss_door_opened")] if frame == 400 else [], clock)
        state, effects = step.state, [*effects, *step.effects]
        states.append(state.state)
    return effects, states


def test_the_same_text_changes_nothing() -> None:
    state = busy()
    same = carried(state, OLD, machine(), state.head)
    frames = np.arange(state.head, state.head + 200)
    assert np.array_equal(OLD.weights_at(state, frames), OLD.weights_at(same, frames))
    assert future(OLD, same) == future(OLD, state)
    assert machine().state_from_json(state_to_json(same)) == same


@pytest.mark.parametrize(
    "changes",
    [
        [("calm exploration", "stormy sea")],
        [("fade: 2 bars", "fade: 1 bar")],
        [("on: enemy_spotted", "on: ambush")],
        [("  - { from: boss,   to: victory, on: boss_died,        exit_source_at: next_beat, fade: step }\n", "")],
        [("range: [0, 1]", "range: [0, 0.5]")],
        [("treasure", "gold")],
        [("danger", "threat")],
        [("combat", "fight")],
        [("explore", "wander")],
        [("style: sparkle", "style: victory"), ("  sparkle:   { prompts: { bells: 1.0, bright: 0.5 } }\n", "")],
    ],
)
def test_what_is_carried_fits_the_new_text_and_goes_on(changes: list[tuple[str, str]]) -> None:
    new, state = machine(*changes), busy()
    got = carried(state, OLD, new, state.head)
    assert new.state_from_json(state_to_json(got)) == got, "as a resume point must"
    assert got.state in (state.state, new.soundtrack.initial)
    for name, parameter in new.soundtrack.parameters.items():
        motion = got.parameters[name]
        assert parameter.low <= min(motion.origin, motion.target) <= max(motion.origin, motion.target) <= parameter.high
    rows = new.weights_at(got, np.arange(got.head, got.head + 200))
    assert np.allclose(rows.sum(1), 1.0, atol=1e-6)
    assert future(new, got)[1][-1] == "boss"


def test_what_is_under_way_goes_on_where_it_can() -> None:
    state = busy()
    retuned = carried(state, OLD, machine(("calm exploration", "stormy sea")), state.head)
    assert (retuned.state, retuned.fade, retuned.stingers, retuned.cues) == (
        state.state,
        state.fade,
        state.stingers,
        state.cues,
    )
    narrower = carried(state, OLD, machine(("range: [0, 1]", "range: [0, 0.5]")), state.head)
    assert narrower.parameters["danger"].target == 0.5
    renamed = carried(
        state, OLD, machine(("  explore:   {", "  roam:      {"), ("style: explore", "style: roam")), state.head
    )
    assert renamed.fade is None, "it came from a style that is no more"
    assert renamed.state == state.state
