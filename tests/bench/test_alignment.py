# SPDX-License-Identifier: Apache-2.0
"""How `bench/bars.py` reads beats, bars and broken bars off a clock."""

from __future__ import annotations

import numpy as np
from alignment.lines import bar_cut, clock_went, lines, off
from alignment.script import FADES, OVER, PLACES, script

from segue_engine.contract import ClockReading
from segue_engine.models.starter import tokens
from segue_engine.models.starter.clock import StarterClock


def read(*runs: tuple[int, int, int]) -> ClockReading:
    """The reading of runs (tempo class, place in the bar, frames), all in bar 0."""
    clock = np.concatenate([tokens.clock_code(tempo, np.arange(at, at + frames)) for tempo, at, frames in runs])
    codes = np.zeros((len(clock), tokens.LEVELS), np.int32)
    codes[:, tokens.CLOCK] = clock
    return StarterClock().read(codes)


def test_a_bar_that_another_one_breaks_off_is_seen() -> None:
    reading = read((0, 0, 32), (0, 0, 8), (1, 0, 48), (1, 0, 10))
    assert lines(reading)["next_bar"].tolist() == [0, 32, 40, 88]
    assert bar_cut(reading, 0, 31) == 0
    assert bar_cut(reading, 32, 60) == 1
    went = clock_went(reading)
    assert (went["bars_due"], went["bars_due_and_begun"], went["begins_a_bar_instead"]) == (2, 2, 1)
    assert went["tempo_changes"] == 1


def test_the_nearest_place_counts_before_and_after() -> None:
    places = np.array([0, 32, 40])
    assert [off(frame, places) for frame in (33, 31, 39, 100)] == [1, -1, -1, 60]


def test_a_script_asks_for_every_kind_in_time() -> None:
    asked, frames = script(3)
    assert {(one.place, one.kind) for one in asked} >= {(place, fade) for place in PLACES for fade in FADES}
    assert sum(one.kind == OVER for one in asked) == sum(one.place == "immediate" for one in asked) == 4
    assert [one.frame for one in asked] == sorted(one.frame for one in asked)
    assert asked[-1].frame < frames
