# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import pytest

from segue_service.session.director import LOOKAHEAD, Director, Entry
from segue_service.session.done import MOST, mark_of
from segue_service.soundtrack import (
    Machine,
    MusicClock,
    PostEvent,
    SetParameters,
    SetState,
    StateChanged,
    UnknownName,
    parse_soundtrack,
)


@pytest.fixture
def director(soundtrack_text: str) -> Director:
    machine = Machine(parse_soundtrack(soundtrack_text))
    return Director(machine, machine.start(frame=0))


def clock(frame: int) -> MusicClock:
    return MusicClock(frame=0, bpm=93.75, phrase_bars=8).at(frame)


def told(entries: Sequence[Entry]) -> list[int]:
    """Frames at which the state changes."""
    return [effect.frame for entry in entries for effect, _ in entry.effects if isinstance(effect, StateChanged)]


def test_placing_changes_nothing_until_it_is_committed(director: Director) -> None:
    placed = director.place(10, clock(10), [("a", [PostEvent("enemy_spotted")])])
    assert director.state_at(10).state == "explore"
    assert told(placed.entries) == [10]
    again = director.place(12, clock(12), [("a", [PostEvent("enemy_spotted")])])
    assert told(again.entries) == [12]
    director.commit(again)
    assert director.state_at(12).state == "combat"
    assert director.state_at(12).entered == 12


def test_a_batch_that_is_refused_leaves_the_others(director: Director) -> None:
    batches = [("a", [PostEvent("nope")]), ("b", [SetParameters({"danger": 0.5})]), ("c", [PostEvent("enemy_spotted")])]
    placed = director.place(5, clock(5), batches)
    assert isinstance(placed.outcomes[0], UnknownName)
    assert not isinstance(placed.outcomes[2], UnknownName)
    director.commit(placed)
    assert director.state_at(5).state == "combat"


def test_what_was_foreseen_is_dropped_by_a_control_before_it(director: Director) -> None:
    director.commit(director.place(5, clock(5), [("a", [SetState("boss", "next_beat")])]))
    assert told(director.entries) == []
    director.commit(director.place(14, clock(14)))
    assert told(director.entries) == [16]
    assert director.state_at(15).state == "explore"
    director.commit(director.place(15, clock(15), [("b", [SetState("victory", "immediate")])]))
    assert director.state_at(15).state == "victory"
    assert not any(entry.frame == 16 and entry.state.state == "boss" for entry in director.entries)


def test_points_cover_what_may_be_generated(director: Director) -> None:
    placed = director.place(0, clock(0), [("a", [SetState("boss", "next_bar")])])
    frames = [point.frame for point in placed.points]
    assert frames[0] == 0
    assert frames == sorted(frames)
    assert placed.limit > LOOKAHEAD
    assert frames[-1] < placed.limit


def test_a_constant_plan_reaches_further_each_time(director: Director) -> None:
    limits, frame = [], 0
    for _ in range(4):
        placed = director.place(frame, clock(frame))
        director.commit(placed)
        limits.append(placed.limit - frame)
        frame = placed.limit - LOOKAHEAD
    assert limits == sorted(limits)
    assert limits[-1] > limits[0]


def reaching(soundtrack_text: str, reach: int = 250) -> Director:
    machine = Machine(parse_soundtrack(soundtrack_text))
    return Director(machine, machine.start(frame=0), reach=reach)


def test_placed_again_what_was_said_later_is_said_first(soundtrack_text: str) -> None:
    director = reaching(soundtrack_text)
    director.commit(director.place(20, clock(20), [("a", [SetParameters({"danger": 0.9}, ignore_seek_speed=True)])]))
    director.commit(director.place(60, clock(60), [("b", [SetState("boss", "immediate")])]))
    again = director.place(40, clock(40), [("c", [SetState("victory", "immediate")])], again=True, until=60)
    director.commit(again)
    assert [one.name for one in again.said] == ["b", "c"]
    assert told(director.entries) == [40, 40]
    assert director.state_at(39).state == "explore"
    assert director.state_at(40).state == "victory"
    assert director.machine.parameter(director.state_at(40), "danger", 40) == pytest.approx(0.9)
    director.commit(director.place(10, clock(10), again=True, until=60))
    assert director.state_at(9).state == "explore"
    assert director.state_at(10).state == "victory"


def test_placed_again_and_again_at_one_frame_nothing_is_said_twice(soundtrack_text: str) -> None:
    director = reaching(soundtrack_text)
    for number in range(4):
        director.commit(director.place(30, clock(30), [(str(number), [PostEvent("hit")])], again=True))
    assert [one.name for one in director.place(30, clock(30), again=True).said] == ["0", "1", "2", "3"]


def test_a_future_that_reaches_as_far_as_the_head(soundtrack_text: str) -> None:
    """What begins between the place and the head is foreseen, and so is the plan for it."""
    director = reaching(soundtrack_text)
    batch = [("a", [SetState("boss", "next_bar")])]
    near, far = (director.place(70, clock(70), batch, again=True, until=until) for until in (70, 200))
    assert (told(near.entries), near.limit <= 128) == ([], True)
    assert (told(far.entries), far.limit > 200) == ([128], True)


def test_no_more_is_remembered_than_is_within_reach(soundtrack_text: str) -> None:
    director = reaching(soundtrack_text, reach=50)
    for frame in range(0, 2000, 2):
        value = SetParameters({"danger": frame % 7 / 7}, ignore_seek_speed=True)
        director.commit(director.place(frame, clock(frame), [("x", [value])]))
    assert len(director.entries) < 60
    assert len(director.place(1950, clock(1950), again=True).said) < 60
    assert director.state_at(1960).state == "explore"


def test_a_control_follows_the_one_just_before_it(soundtrack_text: str) -> None:
    director = reaching(soundtrack_text)
    director.commit(director.place(20, clock(20), [("a", [PostEvent("hit")])]))
    director.commit(director.place(30, clock(30), [("b", [SetParameters({"danger": 0.1})])]))
    director.commit(director.place(60, clock(60), [("c", [PostEvent("hit")])]))
    assert director.after_what_is_near(5, near=25) == 20
    assert director.after_what_is_near(20, near=25) == 20, "a parameter does not count"
    assert director.after_what_is_near(36, near=25) == 60
    assert director.after_what_is_near(70, near=25) == 70


def test_bars_that_are_made_already_are_read_not_reckoned(director: Director) -> None:
    """The tempo has changed in frame 64, behind the head: the phrase that ends there ends elsewhere than it seemed."""
    slower = MusicClock(frame=64, bpm=62.5, bar=7, phrase_bars=8)  # bars of 96 frames, not 64

    def read(frame: int) -> MusicClock:
        return MusicClock(frame=0, bpm=93.75, bar=6, phrase_bars=8).at(frame) if frame < 64 else slower.at(frame)

    batches = [("a", [SetState("boss", "exit_cue")])]
    reckoned = director.place(10, read(10), batches, again=True, until=200)
    made = director.place(10, read(10), batches, again=True, until=200, clocks=read)
    assert (told(reckoned.entries), told(made.entries)) == ([128], [160])


def test_what_was_done_is_what_was_committed(soundtrack_text: str) -> None:
    machine = Machine(parse_soundtrack(soundtrack_text))
    director = Director(machine, machine.start(frame=0), reach=250, done=[mark_of("before")])
    said = [("a", [SetState("boss", "immediate")]), ("b", [SetState("nowhere")]), ("", [SetState("victory")])]
    placed = director.place(20, clock(20), said)
    assert "a" not in director.done
    director.commit(placed)
    assert [name in director.done for name in ("before", "a", "b", "")] == [True, True, False, False]
    director.commit(director.place(10, clock(10), again=True, until=30))
    assert director.done.marks == (mark_of("before"), mark_of("a")), "said again, done once"
    for number in range(MOST):
        director.commit(director.place(40 + number, clock(40 + number), [(f"c{number}", [SetState("explore")])]))
    assert director.done.marks == tuple(mark_of(f"c{number}") for number in range(MOST))
