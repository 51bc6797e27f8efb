# SPDX-License-Identifier: Apache-2.0
"""Noise around a guard's number: what each of the means against it does."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segue_service.soundtrack import Machine, MachineState, SetParameters, StateChanged, parse_soundtrack, state_to_json
from segue_service.soundtrack.clock import grid_clock

TEXT = """
soundtrack: s
initial: calm
styles: {{ x: {{ prompts: x }}, y: {{ prompts: y }} }}
parameters: {{ danger: {{ range: [0, 1]{parameter} }} }}
states:
  calm:  {{ style: x{state}, blend_by: {{ danger: {{ to: y, curve: [[0, 0], [1, 1]] }} }} }}
  fight: {{ style: y{state} }}
transitions:
  - {{ from: calm, to: fight, when: danger > {up}{rule} }}
  - {{ from: fight, to: calm, when: danger < {down}{rule} }}
"""


def machine(parameter: str = "", state: str = "", rule: str = "", up: float = 0.6, down: float = 0.6) -> Machine:
    return Machine(parse_soundtrack(TEXT.format(parameter=parameter, state=state, rule=rule, up=up, down=down)))


def play(one: Machine, values: Iterable[float], every: int = 1) -> tuple[MachineState, list[tuple[int, str]]]:
    """The parameter's values, one every so many frames; the machine at the end, and every change of state."""
    state, changes = one.start(parameters={"danger": 0.0}), list[tuple[int, str]]()
    for place, value in enumerate(values):
        step = one.apply(state, [SetParameters({"danger": value})], grid_clock(1 + every * place, 120))
        state = step.state
        changes += [(effect.frame, effect.state) for effect in step.effects if isinstance(effect, StateChanged)]
    return one.state_from_json(state_to_json(state)), changes


NOISE = 0.6 + 0.04 * np.where(np.arange(120) % 2, 1.0, -1.0)


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({}, 120),
        ({"parameter": ", hysteresis: 0.05"}, 0),
        ({"parameter": ", hysteresis: 0.03"}, 120),
        ({"parameter": ", seek_speed: 0.5"}, 1),
        ({"state": ", min_dwell: 2 s"}, 3),
        ({"rule": ", after: 0.2 s"}, 0),
        ({"rule": ", cooldown: 2 s"}, 6),
        ({"up": 0.7, "down": 0.5}, 0),
    ],
    ids=str,
)
def test_each_means_against_flicker(given: dict[str, object], most: int) -> None:
    _, changes = play(machine(**given), NOISE)  # type: ignore[arg-type]
    assert len(changes) <= most
    if most == 120:
        assert len(changes) > 60, "without it, or with too little of it, the score flickers"


def test_the_number_is_passed_later_both_ways() -> None:
    one = machine(", hysteresis: 0.05")
    rising = [round(0.5 + 0.01 * i, 2) for i in range(30)]
    _, changes = play(one, [*rising, *reversed(rising)])
    assert [(round([*rising, *reversed(rising)][frame - 1], 2), state) for frame, state in changes] == [
        (0.66, "fight"),
        (0.54, "calm"),
    ]


def test_at_the_ends_of_its_range_a_parameter_is_seen_as_it_is() -> None:
    one = machine(", hysteresis: 0.2", up=0.95, down=0.05)
    assert [state for _, state in play(one, [0.99, 1.0, 0.5, 0.01, 0.0])[1]] == ["fight", "calm"]
    assert [frame for frame, _ in play(one, [0.99, 1.0, 0.5, 0.01, 0.0])[1]] == [2, 5]


def test_blends_follow_every_movement() -> None:
    plain, steady = machine(), machine(", hysteresis: 0.3")
    (one, _), (other, _) = play(plain, [0.2, 0.25, 0.3]), play(steady, [0.2, 0.25, 0.3])
    np.testing.assert_array_equal(plain.weights_at(one, np.arange(3, 9)), steady.weights_at(other, np.arange(3, 9)))
    assert steady.parameter(other, "danger", 3) == 0.3


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from([0.0, 0.45, 0.52, 0.58, 0.61, 0.64, 0.68, 0.75, 1.0]), max_size=10), st.integers(2, 9))
@example([0.68, 0.58, 0.64], 4)
def test_a_moving_parameter_is_seen_as_if_it_were_told_frame_by_frame(values: list[float], every: int) -> None:
    """A motion keeps only where it began; guards still see what a follower of every frame would."""
    moving = machine(", hysteresis: 0.05, seek_speed: 2.0")
    state, seen = moving.start(parameters={"danger": 0.0}), 0.0
    last = 1 + every * len(values)
    for frame in range(1, last + 1):
        told = values[(frame - 1) // every : (frame - 1) // every + 1] if (frame - 1) % every == 0 else []
        step = moving.apply(state, [SetParameters({"danger": value}) for value in told], grid_clock(frame, 120))
        before, state = state, step.state
        value = moving.parameter(state, "danger", frame)
        seen = value if value in (0.0, 1.0) else min(max(seen, value - 0.05), value + 0.05)
        wanted = "fight" if seen > 0.6 + 1e-9 else "calm" if seen < 0.6 - 1e-9 else before.state
        if not told and before.entered < frame - 1:  # else what was due came first, or the state has just been entered
            assert state.state == wanted
