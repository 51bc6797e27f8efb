# SPDX-License-Identifier: Apache-2.0
"""Each figure on sound of which the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue_engine.mastering.measure import integrated_lufs
from segue_service.rehearsal.ears import AudioEar, Blends, Hearing
from segue_service.rehearsal.metrics import Figures, Places, Question, clicks, measure, settle_seconds, short_term_lufs
from segue_service.session.playing import Performance
from segue_service.session.timeline import Axis
from segue_service.soundtrack import ExitPoint, grid_clock

RATE, FRAME = 48_000, 1920
PLACES = Places(told=6.0, begins=6.0, ends=7.0, over=16.0)


class ScriptedEar:
    """Hears the source until `at`, then the target as far as `top`; `base` is what the source has of the target."""

    scale, window, said = "fixed", 0.5, "a script"

    def __init__(self, at: float, top: float = 1.0, base: float = 0.0) -> None:
        self.at, self.top, self.base = at, top, base

    def hear(self, performance: Performance) -> Hearing:
        seconds = np.arange(0.5, len(performance.pcm) / RATE, 0.08)
        late = seconds >= self.at
        values = np.stack([np.where(late, 1 - self.top, 1.0), np.where(late, self.top, self.base)], 1)
        return Hearing(seconds, values)


def tone(seconds: float, level: float = 0.1) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([wave, wave], 1).astype(np.float32)


def performance(audio: np.ndarray, bpm: float | None = 93.75) -> Performance:
    from segue_engine.batch.fake import FakeEngine

    frames = len(audio) // FRAME
    clocks = [] if bpm is None else [grid_clock(frame, bpm) for frame in range(frames)]
    pcm = np.round(audio * 32767).astype(np.int16)
    return Performance(pcm, np.zeros((frames, 12), np.int16), Axis(FakeEngine(1).info), "a", clocks=clocks)


def figures(
    audio: np.ndarray, ear: Any = None, begins: int = 150, exit_at: ExitPoint = "next_beat", **asked: Any
) -> Figures:
    question = Question(**{"source": 0, "target": 1, "gain_db": 0.0, "exit_source_at": exit_at, **asked})
    return measure(performance(audio), PLACES, question, ear, begins)[0]


def test_settling_is_counted_from_the_change_and_lateness_from_the_fades_end() -> None:
    found = figures(tone(16.0), ScriptedEar(8.5))
    assert found.settle == pytest.approx(2.5, abs=0.1)
    assert found.late == pytest.approx(1.5, abs=0.1)
    assert (found.adherence_before, found.adherence) == (1.0, 1.0)


def test_a_style_that_never_comes_never_settles_and_is_not_adhered_to() -> None:
    found = figures(tone(16.0), ScriptedEar(99.0))
    assert found.settle == float("inf")
    assert found.adherence == 0.0


def test_a_style_that_is_like_the_source_must_still_come() -> None:
    assert figures(tone(16.0), ScriptedEar(99.0, base=0.6)).settle == float("inf")
    assert "already" in figures(tone(16.0), ScriptedEar(99.0, base=0.95)).absent["settle"]
    assert figures(tone(16.0), ScriptedEar(9.0, base=0.6)).settle == pytest.approx(3.0, abs=0.1)


def test_half_a_plateau_settles_by_its_own_height_but_is_told_by_adherence() -> None:
    found = figures(tone(16.0), ScriptedEar(8.0, top=0.4))
    assert found.settle == pytest.approx(2.0, abs=0.1)
    assert found.adherence == pytest.approx(0.4)


def test_one_stray_verdict_does_not_settle() -> None:
    seconds = np.arange(0.1, 16.0, 0.1)
    values = np.stack([np.zeros(len(seconds)), ((seconds > 7.0) & (seconds < 7.15)) | (seconds > 10.0)], 1)
    found = settle_seconds(Hearing(seconds, values.astype(float)), 1, PLACES, 0.8)
    assert found == pytest.approx(4.1, abs=0.11)


def test_what_nobody_can_judge_is_not_made_up() -> None:
    found = figures(tone(16.0))
    assert found.settle is found.adherence is None
    assert "judge" in found.absent["adherence"]
    assert "stinger" in figures(tone(16.0), ScriptedEar(8.0), stinger=True).absent["settle"]
    assert "alike" in figures(tone(16.0), ScriptedEar(8.0), target=0).absent["settle"]


def test_a_step_at_a_frames_edge_is_a_click_and_one_inside_a_frame_is_not_the_edges() -> None:
    clean = tone(16.0)
    assert clicks(clean, 0, PLACES)[0] < 5
    stepped = clean.copy()
    stepped[160 * FRAME :] += 0.05
    at_edge, inside = clicks(stepped, 0, PLACES)
    assert at_edge > 100 > inside
    stepped = clean.copy()
    stepped[160 * FRAME + 700 :] += 0.05
    at_edge, inside = clicks(stepped, 0, PLACES)
    assert inside > 100 > at_edge


def test_edges_are_found_where_delays_have_put_them() -> None:
    stepped = tone(16.0)
    stepped[160 * FRAME - 144 :] += 0.05
    assert clicks(stepped, -144, PLACES)[0] > 100 > clicks(stepped, 0, PLACES)[0]


def test_loudness_is_compared_with_what_gain_db_asks() -> None:
    audio = np.concatenate([tone(7.0, 0.1), tone(9.0, 0.2)])
    assert figures(audio).jump == pytest.approx(6.0, abs=0.2)
    assert figures(audio, gain_db=6.0).jump == pytest.approx(0.0, abs=0.2)
    assert figures(np.zeros((16 * RATE, 2), np.float32)).jump is None
    assert short_term_lufs(tone(4.0), 4.0) == pytest.approx(integrated_lufs(tone(4.0)), abs=0.1)


@pytest.mark.parametrize(
    ("begins", "place", "off"),
    [(160, "next_beat", 0.0), (163, "next_beat", 120.0), (160, "next_bar", 1280.0), (192, "next_bar", 0.0)],
)
def test_alignment_is_the_distance_to_the_nearest_such_place(begins: int, place: ExitPoint, off: float) -> None:
    assert figures(tone(16.0), begins=begins, exit_at=place).off_ms == off


def test_without_a_clock_or_a_place_there_is_no_alignment() -> None:
    assert "at once" in figures(tone(16.0), exit_at="immediate").absent["alignment"]
    question = Question(0, 1, 0.0, "next_bar")
    assert "clock" in measure(performance(tone(16.0), None), PLACES, question, None, 150)[0].absent["alignment"]


def test_blends_that_nobody_could_tell_apart_are_one() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 768)).astype(np.float32)
    blends = Blends.among(np.stack([one, other, one * 2 + 0.01 * other]))
    assert len(blends.embeddings) == 2
    assert [blends.of(row) for row in (one, other, one * 3)] == [0, 1, 0]


def test_an_encoder_that_takes_recordings_is_an_ear_of_its_own_scale() -> None:
    from segue_engine.batch.fake_styles import HashStyleEncoder
    from segue_engine.contract import Prompt

    encoder = HashStyleEncoder()
    heard = performance(tone(8.0))
    last = heard.pcm[-5 * RATE :].astype(np.float32) / 32768.0
    blends = np.concatenate([encoder.embed([Prompt(audio=last)]).embeddings, encoder.embed([Prompt("x")]).embeddings])
    ear = AudioEar(encoder, 3 * blends)
    found = ear.hear(heard)
    assert found.seconds.tolist() == [5.0, 5.5, 6.0, 6.5, 7.0, 7.5, 8.0]
    assert found.values[-1] == pytest.approx([1.0, found.values[-1][1]], abs=1e-5)
    assert abs(found.values[-1][1]) < 0.2
    assert ear.hear(performance(tone(4.0))).values.shape == (0, 2)
