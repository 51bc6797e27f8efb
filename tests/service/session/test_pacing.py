# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_service.session.pacing import Pacer

FRAME = 1920


def test_a_slot_is_due_only_while_its_lead_is_below_its_target() -> None:
    pacer = Pacer(2)
    pacer.bind(0, 0, target=3 * FRAME, playhead=0.0, now=0.0, active=True)
    for frame in range(3):
        assert pacer.due(0.0).tolist() == [0]
        assert pacer.follow(np.array([0]), np.array([frame + 1])).tolist() == [True]
    assert pacer.due(100.0).tolist() == []
    assert pacer.wait(100.0) is None
    pacer.play(0, 100.0, playing=True)
    assert pacer.due(100.0).tolist() == []
    wait = pacer.wait(100.0)
    assert wait is not None
    assert 0 < wait < 0.001
    assert pacer.due(100.0 + wait).tolist() == [0]


def test_the_smallest_lead_comes_first() -> None:
    pacer = Pacer(3)
    for slot, head in enumerate((3, 1, 2)):
        pacer.bind(slot, head * FRAME, target=10 * FRAME, playhead=0.0, now=0.0, active=True)
    assert pacer.due(0.0).tolist() == [1, 2, 0]


def test_a_paused_slot_a_released_one_and_one_at_its_limit_are_never_due() -> None:
    pacer = Pacer(3)
    for slot in range(3):
        pacer.bind(slot, 0, target=FRAME, playhead=0.0, now=0.0, active=slot != 0)
    pacer.release(1)
    pacer.limit[2] = 0
    assert pacer.due(10.0).size == 0
    assert pacer.wait(10.0) is None


def test_a_playhead_waits_at_the_head_and_that_is_an_underrun() -> None:
    pacer = Pacer(1)
    pacer.bind(0, FRAME, target=FRAME, playhead=0.0, now=0.0, active=True)
    pacer.play(0, 0.0, playing=True)
    assert pacer.overtaken(0.04).size == 0
    assert pacer.overtaken(1.0).tolist() == [0]
    assert pacer.overtaken(1.0).size == 0
    assert pacer.playhead(0, 1.0) == FRAME
    pacer.follow(np.array([0]), np.array([1]))
    assert pacer.playhead(0, 1.02) == FRAME + 960


def test_a_new_slot_is_urgent_and_one_in_step_is_not() -> None:
    pacer = Pacer(2)
    pacer.bind(0, 0, target=7 * FRAME, playhead=0.0, now=0.0, active=True)
    pacer.bind(1, 6 * FRAME, target=7 * FRAME, playhead=0.0, now=0.0, active=True)
    assert pacer.urgent(np.array([0]), 0.0)
    assert not pacer.urgent(np.array([1]), 0.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.lists(st.floats(0.0, 0.2), max_size=60))
def test_a_paced_lead_never_passes_its_target_by_a_frame(target_frames: int, naps: list[float]) -> None:
    pacer, now = Pacer(1), 0.0
    target = target_frames * FRAME
    pacer.bind(0, 0, target=target, playhead=0.0, now=0.0, active=True)
    pacer.play(0, 0.0, playing=True)
    for nap in naps:
        now += nap
        pacer.overtaken(now)
        while pacer.due(now).size:
            due = pacer.due(now)
            assert pacer.follow(due, pacer.head[due] // FRAME + 1).all()
        lead = pacer.head[0] - pacer.playhead(0, now)
        assert target <= lead + 1 <= target + FRAME + 1


def test_after_a_rewind_a_long_lead_is_made_up_for_slowly() -> None:
    pacer = Pacer(2)
    for slot in range(2):
        pacer.bind(slot, 0, 480_000, 0.0, 0.0, active=True)
        pacer.follow(np.array([slot]), np.array([250]))
    assert not pacer.due(0.0).size
    pacer.rewound(0, 10, 100.0)
    assert pacer.due(100.0).tolist() == [0]
    pacer.follow(np.array([0]), np.array([50]))
    assert not pacer.due(100.0).size
    wait = pacer.wait(100.0)
    assert wait is not None
    assert 0 < wait <= 0.04
    assert pacer.due(100.2).tolist() == [0]
    pacer.follow(np.array([0]), np.array([100]))
    assert not pacer.due(101.9).size
    assert pacer.due(102.2).tolist() == [0]
    pacer.follow(np.array([0]), np.array([250]))
    assert pacer.wait(120.0) is None


def test_playing_slots_with_less_than_half_of_their_lead_are_short() -> None:
    pacer = Pacer(4)
    for slot, head in enumerate((5, 4, 4, 4)):
        pacer.bind(slot, head * FRAME, target=10 * FRAME, playhead=0.0, now=0.0, active=slot != 2)
        pacer.play(slot, 0.0, playing=slot != 3)
    assert pacer.short(0.0) == 1
    assert pacer.short(0.08) == 2
