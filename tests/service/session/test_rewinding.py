# SPDX-License-Identifier: Apache-2.0
"""Where a session may go back to, how often, and from where on a plan differs from the one before it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import Conditioning, Guidance
from segue_service.config import Settings
from segue_service.session.planned import Planned
from segue_service.session.rewinding import Rewinding, wanted
from segue_service.session.timeline import Axis
from segue_service.soundtrack import PostEvent, PostTrigger, SetParameters, SetState

FRAME = 1920


def make(reach: int = 250, delay: int = 0, mastering: int = 0, **settings: Any) -> Rewinding:
    engine = FakeEngine(slots=1, codec_delay_frames=delay, mastering_delay_samples=mastering)
    return Rewinding(Settings(**settings), Axis(engine.info), reach)


@given(
    playhead=st.integers(0, 10**7),
    head=st.integers(0, 6000),
    delay=st.integers(0, 2),
    mastering=st.integers(0, 500),
    trip=st.sampled_from([0.0, 0.08, 5.0]),
)
def test_the_place_is_the_first_that_gets_there_in_time(
    playhead: int, head: int, delay: int, mastering: int, trip: float
) -> None:
    rewinding = make(reach=10**6, delay=delay, mastering=mastering)
    if trip:
        rewinding.measured(trip)
    frame = rewinding.aim(playhead, head)
    sample = Axis(FakeEngine(slots=1, codec_delay_frames=delay, mastering_delay_samples=mastering).info).sample
    wanted_sample = playhead + 4800 + round(min(trip, 2.0) * 48_000)
    if frame is None:
        assert sample(head - 1) < wanted_sample
    else:
        assert frame < head
        assert sample(frame) >= wanted_sample > sample(frame - 1)


def test_floor_and_reach_bound_it() -> None:
    rewinding = make(reach=20)
    assert rewinding.aim(0, 100) == 80
    assert rewinding.aim(0, 60) is None, "the engine remembers 20 frames behind frame 100"
    rewinding.floor = 90
    assert rewinding.aim(0, 100) == 90
    assert rewinding.aim(0, 90) is None


def test_round_trips_are_smoothed_and_bounded() -> None:
    rewinding = make(rewind_margin_ms=0)
    rewinding.measured(0.1)
    assert rewinding.margin_samples == 4800
    rewinding.measured(0.5)
    assert 4800 < rewinding.margin_samples < 0.5 * 48_000
    rewinding.measured(1000.0)
    assert rewinding.margin_samples < 2 * 48_000


def test_so_many_a_second() -> None:
    rewinding = make(rewinds_per_second=2.0)
    taken = 0
    for tick in range(100):  # ten seconds
        if rewinding.allows(10, 100.0 + tick / 10):
            rewinding.spend(10)
            taken += 1
    assert 20 <= taken <= 22


def test_so_much_audio_a_second() -> None:
    rewinding = make(rewinds_per_second=25.0, rewind_share=1.0)
    taken = 0
    for tick in range(600):  # a minute
        if rewinding.allows(100, 100.0 + tick / 10):
            rewinding.spend(100)
            taken += 100
    assert 60 * 25 <= taken <= 60 * 25 + 20 * 25 + 100


def test_one_rewind_may_be_larger_than_anything_saved_up_and_zero_forbids_all() -> None:
    assert make(rewind_share=0.5).allows(10_000, 5.0)
    assert not make(rewinds_per_second=0.0).allows(1, 5.0)
    assert not make(rewind_share=0.0).allows(1, 5.0)


@pytest.mark.parametrize(
    ("inputs", "is_wanted"),
    [
        ([PostEvent("a")], True),
        ([SetState("a")], True),
        ([PostTrigger("a")], True),
        ([SetParameters({"a": 1.0})], False),
        ([SetParameters({"a": 1.0}, urgent=True)], True),
        ([SetParameters({"a": 1.0}), PostEvent("a")], True),
        ([], False),
    ],
)
def test_what_is_worth_a_take(inputs: Any, is_wanted: bool) -> None:
    assert wanted(inputs) == is_wanted


def cond(number: int) -> Conditioning:
    return Conditioning(guidance=Guidance(style=float(number)))


plans = st.lists(
    st.tuples(st.integers(0, 40), st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), max_size=5)), max_size=6
)


@given(plans=plans, last=st.tuples(st.integers(0, 40), st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)))))
def test_the_first_change_is_the_first_frame_that_differs(plans: Any, last: Any) -> None:
    planned, truth = Planned(reach=1000), {frame: cond(0) for frame in range(200)}
    planned.commit(0, [(0, cond(0))])

    def entries(start: int, steps: list[tuple[int, int]]) -> list[tuple[int, Conditioning]]:
        out, frame = [(start, cond(steps[0][1] if steps else 1))], start
        for gap, number in steps[1:]:
            frame += gap
            out.append((frame, cond(number)))
        return out

    def held(plan: list[tuple[int, Conditioning]], frame: int) -> Conditioning:
        return [value for at, value in plan if at <= frame][-1]

    for start, steps in plans:
        plan = entries(start, steps)
        planned.commit(start, plan)
        truth |= {frame: held(plan, frame) for frame in range(start, 200)}
    plan = entries(*last)
    differing = [frame for frame in range(last[0], 120) if truth[frame] != held(plan, frame)]
    assert planned.first_change(plan, 120) == (differing[0] if differing else None)


def test_what_is_out_of_reach_is_forgotten() -> None:
    planned = Planned(reach=10)
    for frame in range(1000):
        planned.commit(frame, [(frame, cond(frame % 3))])
    assert len(planned._frames) <= 12
