# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence

import pytest

from segue_service.session.director import LOOKAHEAD, Director, Entry
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
