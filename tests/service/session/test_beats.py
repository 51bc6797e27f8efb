# SPDX-License-Identifier: Apache-2.0
"""The tracker on onset strengths whose beats are known: tempo, level, bars, doubt, and going back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, ONSET_DELAY_SECONDS
from segue_service.session.beats import BeatTracker
from segue_service.soundtrack.clock import MIN_CONFIDENCE

Onsets = NDArray[np.int16]
SECONDS = 30
TICKS = 100
ROCK = ((0.0, 1.0), (0.5, 0.4), (1.0, 0.7), (1.5, 0.4), (2.0, 0.85), (2.5, 0.4), (3.0, 0.7), (3.5, 0.4))
"""Beats of a bar and their strengths: kick, snare, hats between."""
CLICKS = tuple((float(beat), 1.0 if beat == 0 else 0.7) for beat in range(4))
EIGHTHS = tuple((beat / 2, 0.8) for beat in range(8))


def played(
    moments: NDArray[np.float64], weights: NDArray[np.float64], seconds: float = SECONDS, seed: int = 0
) -> Onsets:
    """Strengths int16[frames, 4]: each of the moments (seconds) over two ticks, over a little noise."""
    random = np.random.default_rng(seed)
    ticks = np.abs(random.normal(0, 0.01, int(seconds * TICKS)))
    at = (moments + ONSET_DELAY_SECONDS) * TICKS
    first = np.floor(at).astype(int)
    for shift, share in ((0, 1.0 - (at - first)), (1, at - first)):
        inside = (first + shift >= 0) & (first + shift < ticks.size)
        np.add.at(ticks, (first + shift)[inside], (weights * share)[inside])
    return np.round(1000 * ticks).astype(np.int16).reshape(-1, 4)


def loop(bpm: float, pattern: tuple[tuple[float, float], ...], seconds: float = SECONDS, begin: float = 0.21) -> Onsets:
    bars = int(seconds * bpm / 240) + 2
    beats = np.concatenate([np.array([beat for beat, _ in pattern]) + 4 * bar for bar in range(bars)])
    weights = np.tile([weight for _, weight in pattern], bars)
    jitter = np.random.default_rng(1).normal(0, 0.003, beats.size)
    return played(begin + beats * 60 / bpm + jitter, weights, seconds)


class Run:
    """What a tracker made of one place, of several that it heard together from frame `first` on."""

    def __init__(self, tracker: BeatTracker, place: int) -> None:
        self.tracker, self.place = tracker, place
        self.moments: list[float] = []
        self.beats: list[int] = []
        self.confidence: list[float] = []

    @property
    def bpm(self) -> float:
        return self.tracker.bpm(self.place)

    def later(self, second: float) -> NDArray[np.float64]:
        return np.array([moment for moment in self.moments if moment >= second])

    def lines(self, second: float) -> NDArray[np.float64]:
        told = zip(self.moments, self.beats, strict=True)
        return np.array([moment for moment, beat in told if beat == 0 and moment >= second])


def hear(runs: list[Run], music: list[Onsets], first: int = 0) -> None:
    places, tracker = np.array([run.place for run in runs]), runs[0].tracker
    for frame, onsets in enumerate(np.stack(music, axis=1), start=first):
        begun = tracker.hear(places, np.full(places.size, frame), onsets)
        for row, moment, beat in zip(begun.row.tolist(), begun.moment.tolist(), begun.beat.tolist(), strict=True):
            runs[row].moments.append(moment / FRAME_RATE)
            runs[row].beats.append(beat)
        for run in runs:
            run.confidence.append(tracker.confidence(run.place))


def heard(*music: Onsets, expect: dict[int, tuple[float, bool]] | None = None) -> list[Run]:
    """expect: by place, the tempo that is asked for and whether the model is conditioned by it."""
    tracker = BeatTracker(len(music))
    for place, (bpm, on_grid) in (expect or {}).items():
        tracker.expect(place, bpm, 4, on_grid=on_grid)
    runs = [Run(tracker, place) for place in range(len(music))]
    hear(runs, list(music))
    return runs


def off_grid(moments: NDArray[np.float64], bpm: float, begin: float = 0.21) -> float:
    """The largest distance, in seconds, of a beat from where a beat of this tempo is."""
    beats = (moments - begin) * bpm / 60
    return float(np.abs(beats - np.round(beats)).max() * 60 / bpm)


def test_beats_of_drum_loops_are_found_and_sure() -> None:
    tempi = (72.0, 90.0, 107.0, 125.0, 140.0)
    for bpm, run in zip(tempi, heard(*(loop(bpm, ROCK) for bpm in tempi)), strict=True):
        assert min(run.confidence[8 * FRAME_RATE :]) >= MIN_CONFIDENCE
        level = 2 if bpm < 80 and run.bpm > 100 else 1  # its eighths may be taken for beats
        assert run.bpm == pytest.approx(level * bpm, rel=0.01)
        assert off_grid(run.later(8.0), level * bpm) < 0.03
        assert len(run.later(8.0)) == pytest.approx((SECONDS - 8) * level * bpm / 60, abs=1.5)


def test_a_tempo_that_was_asked_for_settles_the_level() -> None:
    asked = [(CLICKS, 70.0, 70.0), (CLICKS, 180.0, 180.0)]
    asked += [(EIGHTHS, bpm, told) for bpm in (75.0, 90.0) for told in (bpm, 2 * bpm)]
    runs = heard(
        *(loop(bpm, pattern) for pattern, bpm, _ in asked),
        expect={place: (told, False) for place, (_, _, told) in enumerate(asked)},
    )
    assert [run.bpm for run in runs] == pytest.approx([told for *_, told in asked], rel=0.01)


def test_the_clock_runs_evenly_and_follows_a_change_of_tempo() -> None:
    change = 20.0
    (run,) = heard(np.concatenate([loop(90, ROCK, change), loop(126, ROCK, 15.0)]))
    before = np.diff([moment for moment in run.moments if 8.0 <= moment < change])
    assert np.abs(before / (60 / 90) - 1.0).max() < 0.05
    assert run.bpm == pytest.approx(126, rel=0.01)
    assert off_grid(run.later(change + 8.0), 126, change + 0.21) < 0.03
    assert min(run.confidence[int((change + 2) * FRAME_RATE) :]) < 0.8 * run.confidence[int(change * FRAME_RATE) - 1]


def test_noise_silence_and_free_rhythm_are_not_trusted() -> None:
    random = np.random.default_rng(5)
    noise = np.clip(np.abs(random.normal(0, 40, (SECONDS * FRAME_RATE, 4))), 0, 400).astype(np.int16)
    steps = np.cumsum(random.uniform(0.12, 1.1, 100))
    runs = heard(noise, np.zeros_like(noise), played(steps, np.full(steps.size, 0.3)))
    assert max(max(run.confidence) for run in runs) < MIN_CONFIDENCE
    assert runs[0].tracker.at(1, SECONDS * FRAME_RATE) is None, "in silence there is no clock at all"


def test_confidence_fades_when_the_beat_goes() -> None:
    (run,) = heard(np.concatenate([loop(120, ROCK, 15.0), played(np.zeros(0), np.zeros(0), 12.0)]))
    assert run.confidence[15 * FRAME_RATE - 1] >= 0.6
    assert run.confidence[-1] < MIN_CONFIDENCE


def test_the_accented_beat_begins_the_bar() -> None:
    begins = (0.21, 0.21 + 60 / 100)
    for begin, run in zip(begins, heard(*(loop(100, ROCK, begin=begin) for begin in begins)), strict=True):
        bars = (run.lines(15.0) - begin) * 100 / 240
        assert np.abs(bars - np.round(bars)).max() < 0.03


def test_bars_that_condition_the_model_are_the_bars() -> None:
    backwards = tuple(zip((0.0, 1.0, 2.0, 3.0), (0.6, 1.0, 0.6, 0.9), strict=True))
    onsets, period = loop(100, backwards, begin=0.0), 4 * 0.6
    told, by_ear = heard(onsets, onsets, expect={0: (100.0, True)})
    off = [run.lines(15.0) / period - np.round(run.lines(15.0) / period) for run in (told, by_ear)]
    assert np.abs(off[0]).max() < 0.02
    assert np.abs(off[1]).min() > 0.2, "the accent wins"


def test_beats_and_bars_are_foretold() -> None:
    bpm = 93.75
    (run,) = heard(loop(bpm, ROCK))
    clock = run.tracker.at(0, SECONDS * FRAME_RATE + 3)
    assert clock is not None
    assert clock.trusted
    assert clock.phrase_bars is None
    for ahead in range(0, int(4 * clock.frames_per_bar), 13):
        later = clock.at(clock.frame + ahead)
        beat, bar = ((later.frame + frames) / FRAME_RATE for frames in (later.frames_to_beat, later.frames_to_bar))
        assert off_grid(np.array([beat]), bpm) < 0.07
        assert off_grid(np.array([bar]), bpm / 4) < 0.07


def test_going_back_is_as_never_having_gone_on() -> None:
    music, other = loop(110, ROCK), loop(140, CLICKS, 6.0)
    (straight,) = heard(np.concatenate([music[:500], other]))
    (back,) = heard(music)
    for frame in (650, 500):
        back.tracker.rewind(0, frame)
    hear([back], [other], 500)
    assert back.tracker.at(0, 650) == straight.tracker.at(0, 650)
    for run in (back, straight):
        run.tracker.rewind(0, 311)
    assert back.tracker.at(0, 311) == straight.tracker.at(0, 311)
    assert back.tracker.at(0, 400) == straight.tracker.at(0, 400), "from the head on it is foretold"
    back.tracker.rewind(0, 0)
    assert back.tracker.at(0, 0) is None


def test_a_place_that_begins_anew_knows_nothing() -> None:
    (run,) = heard(loop(110, ROCK))
    run.tracker.reset(0)
    assert run.tracker.at(0, 800) is None
    assert run.bpm == run.tracker.confidence(0) == 0.0
    fresh = Run(BeatTracker(1), 0)
    for one in (run, fresh):
        hear([one], [loop(84, ROCK)], 40)
    assert run.tracker.at(0, 790) == fresh.tracker.at(0, 790)
    assert run.tracker.at(0, 30) is None, "before it begins"


def test_a_place_does_not_hear_its_neighbours() -> None:
    mine, other = loop(96, ROCK), loop(128, CLICKS)
    among, alone = heard(other, mine, other), Run(BeatTracker(3), 1)
    hear([alone], [mine])
    assert among[1].tracker.at(1, 700) == alone.tracker.at(1, 700)
    assert among[0].tracker.at(0, 700) != among[1].tracker.at(1, 700)
