# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from segue_service.soundtrack import (
    Guidance,
    Machine,
    MachineState,
    PostTrigger,
    SetParameters,
    SetState,
    StylePlan,
    parse_fade,
)
from segue_service.soundtrack.messages import Input


def after(machine: Machine, frame: int, *inputs: Input) -> MachineState:
    return machine.apply(machine.start(), inputs, machine.nominal_clock(frame)).state


def held(plan: StylePlan, frame: int) -> tuple[float, ...]:
    return tuple([tuple(p.weights) for p in plan.points if p.frame <= frame][-1])


def test_constant_is_one_point(machine: Machine) -> None:
    plan = machine.plan(machine.start(), 100, 1000)
    assert [p.frame for p in plan.points] == [100]
    point = plan.points[0]
    assert point.named(machine.styles) == {"calm": 1.0}
    assert (point.drums, point.gain_db, point.temperature, point.top_k) == ("off", -6, 0.9, None)
    assert point.guidance == Guidance(style=1, notes=1, drums=1)


def test_fade_points(machine: Machine) -> None:
    state = after(machine, 12, SetState("fight", fade=parse_fade("1 s")))
    plan = machine.plan(state, 12, 60)
    assert [p.frame for p in plan.points] == [12, 15, 20, 25, 30, 35, 37]
    assert plan.points[-1].named(machine.styles) == {"fight": 1.0}
    for point in plan.points:
        share = float(point.weights[machine.styles.index("fight")])
        assert point.weights.sum() == pytest.approx(1, abs=1e-6)
        assert point.gain_db == pytest.approx(-6 * (1 - share), abs=1e-5)
        assert point.guidance.style == pytest.approx(1 + 2 * share, abs=1e-5)
        assert (point.drums, point.temperature, point.top_k) == (("on", 1.2, 40) if share > 0.5 else ("off", 0.9, None))


def test_what_has_moved_for_hours_is_planned_from_where_it_is(machine: Machine) -> None:
    """A plan of a few frames costs as much as they do, however long ago the parameter, or the fade, began."""
    slow = replace(machine.start().parameters["danger"], target=1.0, per_frame=1e-9)
    state = replace(machine.start(), head=10**7, parameters={**machine.start().parameters, "danger": slow})
    tracemalloc.start()
    plan = machine.plan(state, 10**7 + 3, 10**7 + 12)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 20
    assert [point.frame for point in plan.points] == [10**7 + 3, 10**7 + 5, 10**7 + 10]
    np.testing.assert_array_equal(plan.points[0].weights, machine.weights_at(state, np.asarray([10**7]))[0])


def test_default_guidance_is_the_callers(machine: Machine) -> None:
    state = after(machine, 1, SetState("boss", "immediate"), SetParameters({"danger": 1}, ignore_seek_speed=True))
    plan = machine.plan(machine.start(parameters={"danger": 1}), 0, 5, Guidance(style=2.5, notes=2, drums=1))
    assert plan.points[0].named(machine.styles) == {"tense": 1.0}
    assert plan.points[0].guidance == Guidance(style=2.5, notes=2, drums=1)
    assert machine.plan(state, 90, 99).points[0].guidance.style == 3


@pytest.mark.parametrize("cut", [1, 3, 7])
def test_any_way_of_cutting_gives_the_same_values(machine: Machine, cut: int) -> None:
    state = after(
        machine, 12, SetParameters({"danger": 0.8}), PostTrigger("chest"), SetState("won", fade=parse_fade("2 s"))
    )
    whole = machine.plan(state, 12, 120)
    for first in range(12, 120, cut):
        part = machine.plan(state, first, first + cut - 1)
        assert part.points[0].frame == first
        for frame in range(first, first + cut):
            assert held(part, frame) == held(whole, frame)


def test_held_values_stay_close_to_the_exact_ones(machine: Machine) -> None:
    state = after(machine, 12, SetState("fight", fade=parse_fade("2 s")))
    plan = machine.plan(state, 12, 120)
    exact = machine.weights_at(state, np.arange(12, 121))
    assert max(np.abs(np.subtract(held(plan, 12 + i), row)).max() for i, row in enumerate(exact)) <= 4.01 / 51


def test_spherical_fades_show_both_ends(machine: Machine) -> None:
    fade = parse_fade("1 s").model_copy(update={"shape": "spherical"})
    state = after(machine, 10, SetState("fight", fade=fade))
    middle, end = (machine.plan(state, f, f).points[0] for f in (20, 60))
    assert middle.shape == "spherical"
    assert middle.fade is not None
    q = middle.fade.progress
    np.testing.assert_allclose((1 - q) * middle.fade.source + q * middle.fade.target, middle.weights, atol=1e-6)
    assert (end.shape, end.fade) == ("linear", None)


def test_an_empty_stretch_is_refused(machine: Machine) -> None:
    with pytest.raises(ValueError, match="last_frame"):
        machine.plan(machine.start(), 10, 9)
