# SPDX-License-Identifier: Apache-2.0
"""Adherence: who is judged when, on what, and that an ear which fails or takes long harms nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import CHANNELS, FRAME_SAMPLES, VITALS, Conditioning, Prompt
from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.session.adherence import Adherence, Asked, Sound, steady
from segue_service.session.ears import EncoderEar, ListenerEar, StyleCodesEar
from segue_service.session.liveness import Guard
from segue_service.session.timeline import History

WINDOW, LEVELS = 10, 3
STYLE = tuple(range(12))
SETTINGS = Settings(adherence_every_ms=400, guard_drift_ms=800, guard_drift_below=0.5)


@dataclass
class Scripted:
    """An ear that hears what the first code of a window's last frame says, in hundredths."""

    window: int = WINDOW
    at_once: int = 2
    wants_audio: bool = False
    meanwhile: Callable[[], None] = lambda: None
    heard: list[Sound] = field(default_factory=list)

    def judge(self, sounds: Sequence[Sound]) -> Sequence[float]:
        self.meanwhile()
        self.heard += sounds
        return [float(sound.codes[-1, 0]) / 100 for sound in sounds]


@dataclass
class Player:
    """A session: what it was asked for, and what it is told."""

    fading: bool = False
    told: list[tuple[int, float]] = field(default_factory=list)
    verdicts: list[int] = field(default_factory=list)

    def asked(self, first: int, end: int) -> Asked | None:
        return None if self.fading else Asked(np.ones(768, np.float32), STYLE)

    def on_adherence(self, frame: int, similarity: float) -> None:
        self.told.append((frame, similarity))

    def asked_gain_db(self, frame: int) -> float:
        return 0.0

    def on_verdict(self, cause: int) -> None:
        self.verdicts.append(cause)

    def on_given_up(self, cause: int) -> None:
        raise AssertionError


class Hall:
    """Four places, and time that passes in frames."""

    def __init__(self, ear: Any, settings: Settings = SETTINGS, frames: int = 40) -> None:
        info = FakeEngine(slots=2, levels=LEVELS, mastering_delay_samples=72).info
        self.metrics = Metrics()
        self.history = History(4, frames, info)
        self.guard = Guard(4, LEVELS, settings, self.metrics)
        self.executor = ThreadPoolExecutor(1)
        self.adherence = Adherence(ear, self.history, self.guard, self.executor, settings, self.metrics)
        self.players = [Player() for _ in range(4)]
        for place, player in enumerate(self.players):
            self.adherence.attach(place, player)
            self.guard.watch(place, player)

    def play(self, place: int, frames: int, like: int = 90) -> None:
        """The next frames of a place; their first code is `like`, their samples are the frame's number."""
        for frame in range(int(self.history.head[place]), int(self.history.head[place]) + frames):
            codes, vitals = np.array([[like, frame, 0]], np.int16), np.zeros((1, VITALS), np.int16)
            pcm = np.full((1, FRAME_SAMPLES, CHANNELS), frame, np.int16)
            at = np.array([place]), np.array([frame])
            self.history.write(*at, pcm, codes, vitals)
            self.guard.hear(*at, codes, vitals)

    @property
    def told(self) -> list[list[tuple[int, float]]]:
        return [player.told for player in self.players]


async def test_verdicts_come_by_turns_and_not_too_often() -> None:
    ear = Scripted()
    hall = Hall(ear)
    assert await hall.adherence.turn() == 0.0, "nothing has sounded"
    for place in range(3):
        hall.play(place, WINDOW, like=10 * place + 60)
    await hall.adherence.turn()
    assert hall.told == [[(WINDOW, 0.6)], [(WINDOW, 0.7)], [], []]
    await hall.adherence.turn()
    assert hall.told[2] == [(WINDOW, 0.8)]
    hall.play(0, 9)
    await hall.adherence.turn()
    assert len(hall.told[0]) == 1, "400 ms have not gone by"
    hall.play(0, 1)
    await hall.adherence.turn()
    assert hall.told[0][1:] == [(WINDOW + 10, 0.9)]
    assert hall.metrics.registry.get_sample_value("segue_adherence_count") == 4
    assert [sound.codes.shape for sound in ear.heard] == [(WINDOW, LEVELS)] * 4


async def test_a_fade_is_not_judged_and_what_was_replaced_meanwhile_is_not_told() -> None:
    ear = Scripted()
    hall = Hall(ear)
    hall.play(0, WINDOW)
    hall.players[0].fading = True
    await hall.adherence.turn()
    assert not ear.heard
    hall.players[0].fading = False
    hall.play(0, 5)

    def rewind() -> None:
        hall.history.go_back(0, WINDOW)
        hall.play(0, 8, like=33)

    ear.meanwhile = rewind
    await hall.adherence.turn()
    assert len(ear.heard) == 1
    assert hall.told[0] == []


async def test_a_session_that_went_meanwhile_is_told_nothing() -> None:
    ear = Scripted()
    hall = Hall(ear)
    hall.play(1, WINDOW)
    ear.meanwhile = lambda: hall.adherence.detach(1)
    await hall.adherence.turn()
    assert hall.told[1] == []
    hall.play(1, 30)
    assert await hall.adherence.turn() == 0.0


async def test_low_adherence_reaches_the_guard() -> None:
    hall = Hall(Scripted())
    for _ in range(4):
        hall.play(3, WINDOW, like=20)
        await hall.adherence.turn()
    assert len(hall.players[3].verdicts) == 1
    assert hall.players[0].verdicts == []


async def test_an_ear_that_fails_is_given_up() -> None:
    def fail() -> None:
        raise ValueError("no files")

    ear = Scripted(meanwhile=fail)
    hall = Hall(ear)
    for _ in range(5):
        hall.play(0, WINDOW)
        await hall.adherence.turn()
    assert hall.told[0] == []
    ear.meanwhile = lambda: None
    assert await hall.adherence.turn() == 0.0
    await hall.adherence.run()


@pytest.mark.parametrize(
    ("ear", "settings", "frames"),
    [(None, SETTINGS, 40), (Scripted(), Settings(adherence_every_ms=0), 40), (Scripted(), SETTINGS, WINDOW - 1)],
)
async def test_without_an_ear_a_wish_or_a_history_nothing_happens(ear: Any, settings: Settings, frames: int) -> None:
    hall = Hall(ear, settings, frames)
    hall.play(0, 30)
    assert await hall.adherence.turn() == 0.0
    await hall.adherence.run()


async def test_an_ear_for_audio_gets_the_window_as_it_is_on_the_timeline() -> None:
    ear = Scripted(wants_audio=True)
    hall = Hall(ear)
    hall.play(0, WINDOW)
    hall.play(1, WINDOW + 7)
    await hall.adherence.turn()
    young, old = (sound.pcm for sound in ear.heard)
    assert young.shape == (WINDOW * FRAME_SAMPLES - 72, CHANNELS), "what lies before sample 0 was never heard"
    assert old.shape == (WINDOW * FRAME_SAMPLES, CHANNELS)
    assert old[[0, -1], 0].tolist() == [7, WINDOW + 6]


def test_steadily_asked_for() -> None:
    one, other = (Conditioning(style_codes=(code,) * 12) for code in (1, 2))
    louder = Conditioning(style_codes=(1,) * 12, gain_db=3.0)
    assert steady([(0, one), (5, louder)], 9) == (1,) * 12
    assert steady([(0, one), (5, other)], 9) is None
    assert steady([(0, one), (9, other)], 9) == (1,) * 12
    assert steady([(0, Conditioning())], 9) is None, "a masked style asks for nothing"
    assert steady([], 9) is None


def test_the_encoders_ear_gives_the_cosine() -> None:
    encoder = HashStyleEncoder()
    pcm = np.arange(4000, dtype=np.int16).reshape(-1, 2)
    (same,) = encoder.embed([Prompt(audio=pcm.astype(np.float32) / 32768)]).embeddings
    other = encoder.embed([Prompt(text="other")]).embeddings[0]
    codes = np.zeros((1, LEVELS), np.int16)
    sounds = [Sound(codes, pcm, Asked(3 * asked, STYLE)) for asked in (same, same + 2 * other)]
    near, far = EncoderEar(encoder).judge(sounds)
    assert near == pytest.approx(1.0, abs=1e-5)
    assert far == pytest.approx(float(same @ (same + 2 * other) / np.linalg.norm(same + 2 * other)), abs=1e-5)


def test_ears_for_codes() -> None:
    class Listener:
        def hear(self, windows: np.ndarray) -> np.ndarray:
            return np.eye(768, dtype=np.float32)[windows[:, 0, 0]]

    none = np.zeros((0, 2), np.int16)
    asked = np.eye(768, dtype=np.float32)
    sounds = [Sound(np.full((2, 3), code, np.int16), none, Asked(asked[5], (5, 5, 9))) for code in (5, 6)]
    assert ListenerEar(Listener(), 2).judge(sounds) == [1.0, 0.0]
    assert StyleCodesEar().judge(sounds) == [1.0, 0.0]
