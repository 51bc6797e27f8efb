# SPDX-License-Identifier: Apache-2.0
"""Both kinds of clock behind one face: read off codes, or tracked; primed, rewound, told with their confidence."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segue_engine.batch.fake import BEATS_PER_BAR, FRAMES_PER_BAR, FRAMES_PER_BEAT, LEVELS, PHRASE_BARS, FakeEngine
from segue_engine.contract import FRAME_RATE, ONSETS, VITALS
from segue_service.session.clocks import Beat, Clocks, ModelClocks, TrackedClocks, clocks_for
from segue_service.session.timeline import History
from segue_service.soundtrack import Music
from segue_service.soundtrack.clock import MIN_CONFIDENCE

PLACE = 1
BPM = 100.0


def codes(frame: int) -> NDArray[np.int16]:
    held = np.zeros(LEVELS, np.int16)
    held[0] = frame % (FRAMES_PER_BAR * PHRASE_BARS)
    return held


class Stage:
    """A clock of one place and the history that its frames are written to."""

    def __init__(self, *, clockless: bool = False, codec_delay: int = 0) -> None:
        engine = FakeEngine(slots=2, codec_delay_frames=codec_delay)
        held = _Clockless(slots=2, codec_delay_frames=codec_delay) if clockless else engine
        self.history = History(2, 100, engine.info)
        self.clocks: Clocks = clocks_for(held, 2, self.history)
        self.beats: list[Beat] = []

    def play(self, first: int, frames: int, onsets: NDArray[np.int16] | None = None, *, start: int = 0) -> None:
        """The frames' codes count from `start`."""
        at = np.array([PLACE])
        for frame in range(first, first + frames):
            vitals = np.zeros((1, VITALS), np.int16)
            if onsets is not None:
                vitals[0, ONSETS:] = onsets[frame - first]
            made = codes(frame + start)[None]
            self.history.write(at, np.array([frame]), np.zeros((1, 1920, 2), np.int16), made, vitals)
            self.beats += self.clocks.hear(at, np.array([frame]), made, vitals)

    def rewind(self, frame: int) -> None:
        self.history.go_back(PLACE, frame)
        self.clocks.rewind(PLACE, frame)


class _Clockless(FakeEngine):
    @property
    def clock(self) -> None:  # type: ignore[override]
        return None


def clicks(seconds: int, late: int = 0) -> NDArray[np.int16]:
    """Onsets [frames, 4] of a loop whose beats begin at whole periods, `late` frames late."""
    ticks = np.zeros(seconds * 100 + 4 * late, np.int16)
    for number in range(int(seconds * BPM / 60)):
        ticks[round(number * 6000 / BPM) + 4 * late] = 900 if number % 4 == 0 else 600
    return ticks[: seconds * 100].reshape(-1, 4)


def test_a_model_with_a_clock_is_read_and_any_other_is_listened_to() -> None:
    assert isinstance(Stage().clocks, ModelClocks)
    assert isinstance(Stage(clockless=True).clocks, TrackedClocks)


def test_a_read_clock_tells_every_beat_and_is_sure() -> None:
    stage = Stage()
    assert stage.clocks.at(PLACE, 0) is None
    assert not stage.clocks.trusted(PLACE)
    stage.play(0, 2 * FRAMES_PER_BAR)
    assert [beat.moment for beat in stage.beats] == list(range(0, 2 * FRAMES_PER_BAR, FRAMES_PER_BEAT))
    assert [beat.beat for beat in stage.beats] == 2 * list(range(BEATS_PER_BAR))
    assert {(beat.confidence, beat.place, beat.phrase_bars) for beat in stage.beats} == {(1.0, PLACE, PHRASE_BARS)}
    clock = stage.clocks.at(PLACE, 2 * FRAMES_PER_BAR + 3)
    assert clock is not None
    assert clock.frames_to_beat == FRAMES_PER_BEAT - 3
    assert clock.bar == 2
    assert stage.clocks.trusted(PLACE)
    assert stage.clocks.bpm(PLACE) == pytest.approx(93.75)


def test_a_read_clock_goes_back_with_the_music_and_to_what_it_was_primed_by() -> None:
    stage = Stage()
    stage.history.reset(PLACE, 500)
    stage.clocks.prime(PLACE, 499, codes(7).astype(np.int32))
    before = stage.clocks.at(PLACE, 500)
    assert before is not None
    assert before.frames_to_beat == FRAMES_PER_BEAT - 8
    stage.play(500, 40, start=-492)
    first = stage.clocks.at(PLACE, 520)
    stage.rewind(520)
    stage.play(520, 10, start=-517)
    assert stage.clocks.at(PLACE, 520) == first
    anew = stage.clocks.at(PLACE, 530)
    assert anew is not None
    assert anew.frames_to_beat == -(530 - 517) % FRAMES_PER_BEAT
    stage.rewind(500)
    assert stage.clocks.at(PLACE, 500) == before
    stage.clocks.reset(PLACE)
    assert stage.clocks.at(PLACE, 500) is None


def test_a_read_clock_is_certain_up_to_the_next_beat_and_a_tracked_one_never() -> None:
    stage = Stage()
    assert stage.clocks.sure(PLACE, 0) is None
    stage.play(0, 2 * FRAMES_PER_BEAT + 1)
    head = 2 * FRAMES_PER_BEAT + 1
    known = {head: 3, head + 30: 3, head - 1: 2, FRAMES_PER_BEAT + 1: 2, FRAMES_PER_BEAT: 1}
    assert {frame: stage.clocks.sure(PLACE, frame) for frame in known} == {
        frame: beats * FRAMES_PER_BEAT for frame, beats in known.items()
    }
    deaf = Stage(clockless=True)
    deaf.play(0, 40)
    assert deaf.clocks.sure(PLACE, 40) is None


@pytest.mark.parametrize("delay", [0, 1])
def test_a_tracked_clock_tells_only_what_it_is_sure_of_where_it_is_heard(delay: int) -> None:
    stage = Stage(clockless=True, codec_delay=delay)
    stage.clocks.reset(PLACE)
    stage.play(0, 20 * FRAME_RATE, clicks(20, delay))
    assert stage.clocks.trusted(PLACE)
    assert stage.clocks.bpm(PLACE) == pytest.approx(BPM, rel=0.01)
    assert min(beat.confidence for beat in stage.beats) >= MIN_CONFIDENCE
    assert all(beat.moment > 2.0 * FRAME_RATE for beat in stage.beats), "nothing is told before it is sure"
    late = [beat for beat in stage.beats if beat.moment > 10.0 * FRAME_RATE]
    period = FRAME_RATE * 60 / BPM
    assert max(abs(beat.moment / period - round(beat.moment / period)) for beat in late) * 60 / BPM < 0.02
    assert {beat.beats_per_bar for beat in late} == {4}
    clock = stage.clocks.at(PLACE, 20 * FRAME_RATE + 5)
    assert clock is not None
    assert clock.trusted
    stage.rewind(3 * FRAME_RATE)
    assert not stage.clocks.trusted(PLACE)
    assert stage.clocks.bpm(PLACE) == 0.0


def test_a_soundtracks_music_tells_a_tracked_clock_its_metre_and_tempo() -> None:
    stage = Stage(clockless=True)
    stage.clocks.reset(PLACE)
    stage.clocks.expect(PLACE, Music.model_validate({"tempo": BPM / 2, "meter": "3/4"}), scored=False)
    stage.play(0, 20 * FRAME_RATE, clicks(20))
    assert {beat.beats_per_bar for beat in stage.beats} == {3}
    assert {beat.beat for beat in stage.beats} == {0, 1, 2}
    stage.clocks.reset(PLACE)
    stage.beats.clear()
    stage.play(0, 20 * FRAME_RATE, clicks(20))
    assert {beat.beats_per_bar for beat in stage.beats} == {4}, "the next session of the place is told nothing"
