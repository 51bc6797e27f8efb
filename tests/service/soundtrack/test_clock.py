# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_service.soundtrack import Length, MusicClock, grid_clock

FOUR = MusicClock(100, bpm=125, frames_to_beat=4, frames_to_bar=16, bar=2, phrase_bars=8)  # 12 frames a beat


def test_extrapolates_both_ways() -> None:
    assert FOUR.at(104) == MusicClock(104, 125, 4, 0, 12, 2, 8)
    assert FOUR.at(116) == MusicClock(116, 125, 4, 0, 0, 3, 8)
    assert FOUR.at(117) == MusicClock(117, 125, 4, 11, 47, 3, 8)
    assert FOUR.at(68) == MusicClock(68, 125, 4, 0, 0, 2, 8)
    assert FOUR.at(67) == MusicClock(67, 125, 4, 1, 1, 1, 8)
    assert FOUR.at(116 + 5 * 48).bar == 0


def test_lengths_in_frames() -> None:
    assert FOUR.frames(Length(0.5)) == 12
    assert FOUR.frames(Length(1, "beats")) == 12
    assert FOUR.frames(Length(2, "bars")) == 96
    assert FOUR.frames(Length(0)) == 0
    assert FOUR.frames(Length(0.001)) == 1


def test_places() -> None:
    assert FOUR.frames_to("immediate") == 0
    assert FOUR.frames_to("next_beat") == 4
    assert FOUR.frames_to("next_bar") == 16
    assert FOUR.frames_to("exit_cue") == 16 + 5 * 48
    assert FOUR.frames_to("exit_cue", 4) == 16 + 48
    assert FOUR.frames_to("exit_cue", 3) == 16 + 5 * 48, "a phrase that does not divide the clock's is not followed"
    assert FOUR.at(116 + 5 * 48).frames_to("exit_cue") == 0
    counting = MusicClock(100, bpm=125, frames_to_beat=4, frames_to_bar=16, bar=12)
    assert counting.frames_to("exit_cue") == 16
    assert counting.frames_to("exit_cue", 6) == 16 + 5 * 48


@given(st.sampled_from([62.5, 75.0, 93.75, 125.0, 187.5]), st.integers(-500, 2000), st.integers(-500, 500))
def test_the_starters_tempi_are_exact(bpm: float, frame: int, by: int) -> None:
    clock = grid_clock(frame, bpm)
    assert clock.at(frame + by).at(frame) == clock
    assert clock.at(frame + clock.frames_to_bar).frames_to_bar == 0
    assert clock.at(frame + clock.frames_to_beat).frames_to_beat == 0
    assert clock.frames_to_beat == -frame % round(clock.frames_per_beat)


@given(st.floats(40, 240), st.integers(2, 7), st.integers(0, 5000))
def test_any_tempo_has_beats_when_it_says(bpm: float, beats: int, frame: int) -> None:
    clock = grid_clock(frame, bpm, beats)
    assert 0 <= clock.frames_to_beat <= clock.frames_per_beat + 1
    assert 0 <= clock.frames_to_bar <= clock.frames_per_bar + 1
    soon = clock.at(frame + clock.frames_to_bar)
    assert soon.frames_to_bar == 0


def test_trust() -> None:
    assert not MusicClock(0, confidence=0.1).trusted
    with pytest.raises(AttributeError):
        FOUR.frame = 3  # type: ignore[misc]
