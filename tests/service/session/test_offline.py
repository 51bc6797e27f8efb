# SPDX-License-Identifier: Apache-2.0
"""Offline performances: the same every time, controls at their frames, quantised ones on the clock."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.session.library import Library
from segue_service.session.offline import Performance, Performer, Said
from segue_service.soundtrack import (
    ControlError,
    PostEvent,
    SetParameters,
    StateChanged,
    TransitionStarted,
    parse_soundtrack,
)

TEXT = (Path(__file__).parents[1] / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")
FRAME = 1920


def perform(frames: int, said: list[Said], seed: int = 7, delay: int = 0) -> Performance:
    async def run() -> Performance:
        engine = FakeEngine(slots=1, mastering_delay_samples=delay)
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(TEXT))
            return await Performer(engine, record, seed, executor).perform(frames, said)

    return asyncio.run(run())


def first_difference(one: Performance, other: Performance) -> int:
    """First sample that differs."""
    return int(np.flatnonzero((one.pcm != other.pcm).any(1))[0])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_piece() -> None:
    said = [Said(40, "enemy", [PostEvent("enemy_spotted")])]
    assert perform(120, said).pcm.tobytes() == perform(120, said).pcm.tobytes()
    assert perform(120, said).pcm.tobytes() != perform(120, said, seed=8).pcm.tobytes()


@pytest.mark.parametrize("delay", [0, 144])
def test_an_immediate_control_changes_the_sound_where_it_says(delay: int) -> None:
    at = 53
    changed = perform(120, [Said(at, "enemy", [PostEvent("enemy_spotted")])], delay=delay)
    plain = perform(120, [], delay=delay)
    ((_, outcome),) = changed.outcomes
    assert not isinstance(outcome, ControlError)
    begins = outcome[0].begins_at
    assert begins == at
    claimed = changed.axis.audible(begins)
    assert claimed == at * FRAME - delay
    # the fade's first point may still be the old blend: the promise is "not before, and soon"
    assert claimed <= first_difference(plain, changed) <= claimed + 6 * FRAME


def test_a_transition_for_the_next_beat_starts_on_one() -> None:
    said = [Said(3, "to boss", [PostEvent("boss_door_opened")]), Said(603, "won", [PostEvent("boss_died")])]
    played = perform(800, said)
    starts = [effect.frame for effect in played.effects if isinstance(effect, TransitionStarted)]
    states = [effect.state for effect in played.effects if isinstance(effect, StateChanged)]
    assert states == ["boss", "victory"]
    assert starts[0] * FRAME in played.bars
    assert starts[1] * FRAME in played.beats
    assert starts[1] >= 603


def test_a_wrong_control_is_an_outcome_and_the_music_goes_on() -> None:
    played = perform(
        60, [Said(20, "oops", [PostEvent("enemy_spoted")]), Said(30, "d", [SetParameters({"danger": 9.0})])]
    )
    errors = [outcome for _, outcome in played.outcomes]
    assert all(isinstance(error, ControlError) for error in errors)
    assert "enemy_spotted" in str(errors[0])
    assert "danger" in str(errors[1])
    assert np.abs(played.pcm[-FRAME:]).max() > 0


def test_all_samples_are_there_whatever_the_limiter_looks_ahead() -> None:
    plain, late = perform(50, []), perform(50, [], delay=144)
    assert plain.pcm.shape == late.pcm.shape == (50 * FRAME, 2)
    assert late.pcm[-FRAME:].any()
