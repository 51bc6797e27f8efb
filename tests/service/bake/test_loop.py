# SPDX-License-Identifier: Apache-2.0
"""Loops of recordings whose right loop is known, and what their seam sounds like."""

from __future__ import annotations

import numpy as np
import pytest

from segue_engine.mastering.measure import integrated_lufs, true_peak_dbtp
from segue_service.bake.loop import find_loops
from segue_service.bake.seam import crossfaded, levelled, look
from segue_service.soundtrack import MusicClock, grid_clock

RATE, FRAME = 48_000, 1920


def notes(length: float, step: float, count: int, seed: int) -> np.ndarray:
    """Decaying tones of random pitch every `step` seconds, f32[n, 2]."""
    rng = np.random.default_rng(seed)
    out = np.zeros((round(length * RATE), 2), np.float32)
    time = np.arange(round(2 * step * RATE)) / RATE
    for i in range(count):
        begin = round(i * step * RATE)
        wave = 0.2 * np.exp(-6 * time) * np.sin(2 * np.pi * rng.uniform(200, 2000) * time) * np.minimum(1, time * 500)
        room = out[begin : begin + len(time)]
        room += wave[: len(room), None].astype(np.float32)
    return out


def periodic(period: float, turns: int, lead: float, seed: int = 0) -> np.ndarray:
    """Something else for `lead` seconds, then the same `period` seconds over and over."""
    one = notes(period, 0.32, int(period / 0.32), seed)
    return np.concatenate([notes(lead, 0.4, int(lead / 0.4), seed + 1), *([one] * turns)])


def clocks(frames: int, bpm: float = 93.75, phrase: int | None = 8) -> list[MusicClock]:
    grid = [grid_clock(frame, bpm) for frame in range(frames)]
    return [MusicClock(c.frame, c.bpm, 4, c.frames_to_beat, c.frames_to_bar, c.bar % 8, phrase) for c in grid]


def test_without_a_clock_the_period_is_found_to_the_sample() -> None:
    period = 4.0 + 7 / RATE * 100  # no whole number of frames
    audio = periodic(period, 5, lead=3.0)
    best = find_loops(audio, 4.0, [], 0, lead=3.2)[0]
    assert best.on == "any"
    assert best.end - best.begin == round(period * RATE)
    assert best.begin >= 3.2 * RATE
    assert look(crossfaded(audio, best.begin, best.end)).click < 10


def test_with_a_clock_loops_are_whole_bars_and_phrases_are_preferred() -> None:
    audio = periodic(20.48, 4, lead=0.0)  # a phrase of 8 bars of 2.56 s
    found = find_loops(audio, 20.0, clocks(len(audio) // FRAME), 0, lead=6.0)
    assert found[0].on == "phrase"
    assert (found[0].begin, found[0].end) == (round(20.48 * RATE), round(40.96 * RATE))
    assert found[0].distance < 0.01
    assert all((loop.end - loop.begin) % (64 * FRAME) == 0 for loop in found)


def test_bars_lie_where_the_delays_have_put_them() -> None:
    audio = periodic(20.48, 4, lead=0.0)
    delayed = audio[FRAME + 144 :]  # frame 0 begins before the recording
    best = find_loops(delayed, 20.0, clocks(len(audio) // FRAME), -FRAME - 144, lead=6.0)[0]
    assert best.begin == round(20.48 * RATE) - FRAME - 144
    assert best.end - best.begin == round(20.48 * RATE)


def test_a_loop_never_crosses_a_change_of_tempo() -> None:
    frames = 1600
    changing = [*clocks(800), *clocks(frames, bpm=125.0)[800:]]
    audio = np.random.default_rng(0).normal(0, 0.1, (frames * FRAME, 2)).astype(np.float32)
    for loop in find_loops(audio, 20.0, changing, 0, lead=2.0):
        assert loop.on == "any" or loop.end <= 800 * FRAME or loop.begin >= 800 * FRAME


def test_nothing_is_found_in_what_is_too_short() -> None:
    assert find_loops(notes(3.0, 0.3, 9, 0), 20.0, [], 0, lead=1.0) == []


@pytest.mark.parametrize("seed", range(3))
def test_a_crossfade_keeps_power_and_takes_the_click_away(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 0.1, (4 * RATE, 2)).astype(np.float32)
    body = crossfaded(noise, RATE, 3 * RATE)
    faded = body[-round(0.2 * RATE) :]
    assert float((faded**2).mean()) == pytest.approx(0.01, rel=0.1)
    tone = (0.5 * np.sin(2 * np.pi * 333.3 * np.arange(4 * RATE) / RATE))[:, None].repeat(2, 1).astype(np.float32)
    cut = tone[RATE : 3 * RATE + 50]
    assert look(cut).fault(-100.0).startswith("it clicks")
    assert look(crossfaded(tone, RATE, 3 * RATE + 50)).click < 25


def test_equal_sounds_add_up_to_themselves() -> None:
    audio = periodic(2.0, 4, lead=0.0)
    np.testing.assert_allclose(crossfaded(audio, 2 * RATE, 4 * RATE), audio[2 * RATE : 4 * RATE], atol=1e-5)


def test_a_loop_is_brought_to_its_target_but_not_over_its_peak() -> None:
    body = notes(6.0, 0.2, 28, 1)
    assert integrated_lufs(np.concatenate([levelled(body, -20.0, -1.0)] * 2)) == pytest.approx(-20.0, abs=0.05)
    loud = levelled(body, -3.0, -1.0)
    assert true_peak_dbtp(loud) <= -1.0
    assert "loudness" in look(loud).fault(-3.0)
    assert not levelled(np.zeros_like(body), -20.0, -1.0).any()
