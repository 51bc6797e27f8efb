# SPDX-License-Identifier: Apache-2.0
"""Changes of style are an interval apart, whatever asks for them and however often plans are made anew."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.v1 import control_pb2
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import Conditioning
from segue_service.session.library import Library
from segue_service.session.offline import Performance, Performer, Said
from segue_service.session.spacing import LEAST, Spacing
from segue_service.soundtrack import PostEvent, SetParameters, StateChanged, parse_soundtrack

INTERVAL = 25


def at(entries: list[tuple[int, Conditioning]], frame: int) -> Conditioning:
    return next(conditioning for first, conditioning in reversed(entries) if first <= frame)


def changes(codes: Any) -> list[int]:
    """Frames whose style is not that of the frame before."""
    rows = np.asarray(codes).reshape(len(codes), -1)
    return (np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1).tolist()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 30),
    st.lists(st.tuples(st.integers(0, 9), st.lists(st.tuples(st.integers(1, 9), st.integers(0, 3)))), min_size=1),
    st.sets(st.integers(0, 120), max_size=4),
)
def test_any_plans_give_changes_an_interval_apart_and_what_was_asked_for_in_the_end(
    wanted_interval: int, plans: list[tuple[int, list[tuple[int, int]]]], moments: set[int]
) -> None:
    spacing = Spacing(FakeEngine(slots=1, style_interval_frames=wanted_interval).info)
    assert spacing.interval == max(LEAST, wanted_interval)
    heard: list[int] = []
    first = 0
    for number, (gap, steps) in enumerate(plans):
        frame, entries = first, [(first, Conditioning(style_codes=(9,), gain_db=float(number)))]
        for ahead, code in steps:
            frame += ahead
            entries.append((frame, Conditioning(style_codes=(code,), gain_db=float(frame % 7))))
        following = first + gap if number + 1 < len(plans) else frame + 2 * spacing.interval + 121
        limit = max(frame + 1, following)
        known = frozenset(moment for moment in moments if moment >= first)
        spaced = spacing.space(entries, limit, known)
        spacing.commit(spaced, known)
        assert spaced[0][0] == first
        assert [f for f, _ in spaced] == sorted({f for f, _ in spaced})
        for now in range(first, following):
            assert at(spaced, now).gain_db == at(entries, now).gain_db, "only the style is held"
            heard.append(at(spaced, now).style_codes[0])
        first = following
    assert heard[-1] == entries[-1][1].style_codes[0]
    turns = changes(heard)
    for one, other in zip([0, *turns], turns, strict=False):
        assert other in moments or other - one >= spacing.interval


def test_a_change_that_nothing_precedes_is_not_held_up_and_a_fade_ends_on_its_last_frame() -> None:
    spacing = Spacing(FakeEngine(slots=1, style_interval_frames=INTERVAL).info)
    spacing.commit([(0, Conditioning(style_codes=(0,)))], frozenset())
    fade = [(frame, Conditioning(style_codes=(frame - 99,))) for frame in range(100, 160, 5)]
    spaced = spacing.space([*fade, (160, Conditioning(style_codes=(99,)))], 500, frozenset({100, 160}))
    assert [frame for frame, _ in spaced] == [100, 125, 160], "150 would be too near to the end"
    assert [conditioning.style_codes[0] for _, conditioning in spaced] == [11, 36, 99], "the middle of what each holds"


def perform(text: str, frames: int, said: list[Said], interval: int) -> Performance:
    async def run() -> Performance:
        engine = FakeEngine(slots=1, style_interval_frames=interval)
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(text))
            return await Performer(engine, record, 7, executor).perform(frames, said)

    return asyncio.run(run())


@pytest.mark.parametrize("interval", [1, INTERVAL])
def test_a_parameter_that_moves_in_every_frame_of_a_minute(soundtrack_text: str, interval: int) -> None:
    frames = 60 * 25
    said = [
        Said(frame, "danger", [SetParameters({"danger": 0.5 + 0.5 * float(np.sin(frame / 20))})])
        for frame in range(1, frames)
    ]
    said.insert(700, Said(700, "enemy", [PostEvent("enemy_spotted")]))
    played = perform(soundtrack_text, frames, said, interval)
    moments = [effect.frame for effect in played.effects if isinstance(effect, StateChanged)]
    assert moments[0] == 700
    turns = changes(played.codes[:, 1:])
    quiet = [turn for turn in turns if turn < 700]
    assert min(np.diff(quiet)) >= max(interval, LEAST)
    assert len(quiet) > 0.8 * 700 / max(interval, LEAST), "it follows as often as it may"
    assert 700 in turns
    assert 712 in turns, "the fade's last step"


async def test_a_live_session_is_held_to_it_too(start: Any) -> None:
    """While it is heard, so that the controls land all along the timeline."""
    async with start(engine=FakeEngine(slots=1, style_interval_frames=INTERVAL)) as rig:
        opened = await rig.create(target_lead_ms=200)
        session = rig.session(opened)
        hearing = asyncio.create_task(opened.hear(75 * 1920))
        for step in range(60):
            value = control_pb2.ParameterValue(name="danger", value=abs((step % 20) - 10) / 10)
            await opened.call("SetParameters", parameters=control_pb2.ParameterChange(values=[value]))
            await asyncio.sleep(0.03)
        await hearing
        _, codes, _ = rig.server.registry.parts.hub.history.played(session.place, 0, 75 * 1920)
    turns = changes(codes[:, 1:])
    assert turns
    assert all(gap >= INTERVAL for gap in np.diff([0, *turns]))
