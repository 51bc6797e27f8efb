# SPDX-License-Identifier: Apache-2.0
"""The guard: what it takes for a fault, what it does not, and how often it asks for a refresh."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from segue_engine.contract import OVER_RANGE, SILENT, VITALS
from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.session.liveness import OVER_RANGE_SPAN, PERIOD, Guard, said

LEVELS = 3
LOOP, SILENCE, COOLDOWN, CALM = 40, 30, 50, 200
SETTINGS = Settings(
    guard_loop_ms=40 * LOOP,
    guard_silence_ms=40 * SILENCE,
    guard_over_range_ms=400,
    guard_cooldown_ms=40 * COOLDOWN,
    guard_calm_ms=40 * CALM,
    guard_refreshes=2,
)
WELL = np.zeros(VITALS, np.int16)


@dataclass
class Patient:
    """A session that notes what it is told, and when."""

    gain_db: float = 0.0
    frame: int = 0
    told: list[tuple[int, str]] = field(default_factory=list)

    def asked_gain_db(self, frame: int) -> float:
        return self.gain_db

    def on_verdict(self, cause: int) -> None:
        self.told.append((self.frame, said(cause)))

    def on_given_up(self, cause: int) -> None:
        self.told.append((self.frame, "gave up " + said(cause)))


class Ward:
    """A guard with one patient in place 2, and how frames reach it."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.metrics = Metrics()
        self.guard = Guard(4, LEVELS, settings, self.metrics)
        self.patient = Patient()
        self.guard.watch(2, self.patient)

    def hear(self, codes: NDArray[np.int16], *, silent: int = 0, over: bool = False) -> None:
        """The next frame."""
        vitals = WELL.copy()
        vitals[SILENT], vitals[OVER_RANGE] = silent, over
        self.guard.hear(np.array([2]), np.array([self.patient.frame]), codes[None], vitals[None])
        self.patient.frame += 1

    def stuck(self, frames: int) -> None:
        for _ in range(frames):
            self.hear(np.array([7, 7, 7], np.int16))

    def well(self, frames: int) -> None:
        for _ in range(frames):
            self.hear(np.array([self.patient.frame, 1, 2], np.int16))


def music(seed: int, frames: int) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(0, 1024, (frames, LEVELS)).astype(np.int16)


@pytest.mark.parametrize("period", [1, 2, 7, PERIOD])
def test_a_stuck_loop_is_told_when_it_has_lasted(period: int) -> None:
    ward, pattern = Ward(), music(1, period)
    for frame in range(20):
        ward.hear(music(2, 20)[frame])
    for frame in range(3 * (LOOP + PERIOD)):
        ward.hear(pattern[frame % period])
        if ward.patient.told:
            break
    assert ward.patient.told == [(20 + period + LOOP - 1, "loop")]


def test_what_goes_on_under_an_ostinato_is_no_loop() -> None:
    """A clock whose bar is longer than the longest loop that is looked for, as every starter's is within its phrase."""
    ward = Ward()
    for frame in range(10 * PERIOD):
        ward.hear(np.array([frame % (PERIOD + 1), 5, 5], np.int16))
    assert ward.patient.told == []


def test_silence_is_told_by_its_length_and_is_no_loop() -> None:
    ward = Ward()
    for frame in range(SILENCE + 20):
        ward.hear(np.array([0, 0, 0], np.int16), silent=frame + 1)
    assert ward.patient.told == [(SILENCE - 1, "silence")]
    assert ward.metrics.registry.get_sample_value("segue_silent_seconds_total") == pytest.approx(0.04 * (SILENCE + 20))


def test_nothing_is_done_where_nothing_would_be_heard() -> None:
    ward = Ward()
    ward.patient.gain_db = -96.0
    for frame in range(2 * SILENCE):
        ward.hear(np.array([0, 0, 0], np.int16), silent=frame + 1)
    assert ward.patient.told == []
    ward.patient.gain_db = -6.0
    ward.hear(np.array([0, 0, 0], np.int16), silent=2 * SILENCE + 1)
    assert ward.patient.told == [(2 * SILENCE, "silence")]


def test_over_range_is_counted_within_its_span() -> None:
    ward, every = Ward(), OVER_RANGE_SPAN // 9
    for frame, codes in enumerate(music(3, 4 * OVER_RANGE_SPAN)):
        ward.hear(codes, over=frame % every == 0)
    assert ward.patient.told[0] == (9 * every, "over_range"), "ten frames of a span"
    calm = Ward()
    for frame, codes in enumerate(music(3, 4 * OVER_RANGE_SPAN)):
        calm.hear(codes, over=frame % (2 * every) == 0)
    assert calm.patient.told == []


def test_refreshes_back_off_and_end() -> None:
    ward = Ward()
    ward.stuck(1500)
    told = [what for _, what in ward.patient.told]
    assert told == ["loop", "loop", "gave up loop"]
    first, second, third = (frame for frame, _ in ward.patient.told)
    assert second - first >= COOLDOWN
    assert third - second >= 2 * COOLDOWN
    assert ward.metrics.registry.get_sample_value("segue_guard_verdicts_total", {"cause": "loop"}) == 2
    assert ward.metrics.registry.get_sample_value("segue_guard_given_up_total", {"cause": "loop"}) == 1


def test_what_was_given_up_is_taken_up_again_after_a_reset_or_a_long_calm() -> None:
    for again in ("reset", "calm"):
        ward = Ward()
        ward.stuck(1500)
        before = len(ward.patient.told)
        if again == "reset":
            ward.guard.reset(2)
        else:
            ward.well(CALM + 5)
        ward.stuck(LOOP + 1)
        assert [what for _, what in ward.patient.told[before:]] == ["loop"], again


def test_faults_far_apart_are_each_the_first() -> None:
    ward = Ward()
    for _ in range(6):
        ward.stuck(LOOP + 1)
        ward.well(COOLDOWN + CALM + 5)
    assert [what for _, what in ward.patient.told] == ["loop"] * 6


def test_low_adherence_is_told_where_it_is_asked_for_and_lasts() -> None:
    ward = Ward(SETTINGS.model_copy(update={"guard_drift_ms": 40_000, "guard_drift_below": 0.3}))
    ward.well(5000)
    for frame in (100, 600, 1100):
        ward.guard.feel(2, frame, 0.1)
    assert [what for _, what in ward.patient.told] == ["drift"]
    for better in ({"similarity": 0.5}, {"similarity": 0.1, "anew": True}):
        ward.guard.reset(2)
        for frame in range(5500, 15_000, 500):
            ward.guard.feel(2, frame, 0.1) if frame % 1000 else ward.guard.feel(2, frame, **better)
    assert len(ward.patient.told) == 1
    quiet = Ward()
    quiet.well(5)
    for frame in range(10, 100_000, 500):
        quiet.guard.feel(2, frame, 0.0)
    assert quiet.patient.told == [], "off by default"


@settings(max_examples=30)
@given(data=st.data())
def test_going_back_leaves_what_a_straight_run_would(data: st.DataObject) -> None:
    """Rewinds, whatever was heard before them, change no verdict on what stays."""
    seed = data.draw(st.integers(0, 99))
    kept = np.concatenate([music(seed, 12), np.tile(music(seed, 3), (LOOP, 1))])
    straight, bent = Ward(), Ward()
    for codes in kept:
        straight.hear(codes)
    at = 0
    for back in sorted(data.draw(st.lists(st.integers(1, 50), max_size=3))):
        while at < back:
            bent.hear(kept[at])
            at += 1
        for codes in data.draw(st.sampled_from([music(seed + 1, 9), kept[at : at + 5]])):
            bent.hear(codes, over=True)
        bent.guard.rewind(2, at)
        bent.patient.frame = at
    for codes in kept[at:]:
        bent.hear(codes)
    assert bent.patient.told == straight.patient.told
    assert straight.patient.told


def test_patients_do_not_hear_each_other_and_a_new_one_inherits_nothing() -> None:
    guard = Guard(4, LEVELS, SETTINGS, Metrics())
    patients = [Patient() for _ in range(3)]
    for place, patient in enumerate(patients):
        guard.watch(place, patient)
    healthy = music(5, 3 * LOOP)
    for frame in range(2 * LOOP):
        codes = np.stack([healthy[frame], healthy[0], healthy[frame], healthy[0]])
        if frame == LOOP - 3:
            guard.leave(1)
            guard.watch(1, Patient())
        guard.hear(np.arange(4), np.full(4, frame), codes, np.zeros((4, VITALS), np.int16))
    assert [patient.told for patient in patients] == [[], [], []], "place 3 is nobody's"


def test_an_unguarded_server_asks_for_nothing() -> None:
    ward = Ward(SETTINGS.model_copy(update={"guard": False}))
    ward.stuck(500)
    assert ward.patient.told == []
