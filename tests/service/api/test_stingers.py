# SPDX-License-Identifier: Apache-2.0
"""Stingers over the wire: clips at the sample of a beat, drums off and on again, places that the game names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segue
from segue.v1 import control_pb2
from segue_engine.batch.fake import FakeEngine
from segue_service.session.director import Director
from segue_service.session.spacing import Spacing, moments_of
from segue_service.session.styles import StyleTable
from segue_service.soundtrack import Machine, MusicClock, PostTrigger, SetState, parse_soundtrack

FRAME = 1920
BEAT, BAR = 16 * FRAME, 64 * FRAME
HIT = np.linspace(0.5, 0.1, 3 * FRAME, dtype=np.float32)
NOW = control_pb2.EXIT_SOURCE_AT_IMMEDIATE
NEXT_BAR = control_pb2.EXIT_SOURCE_AT_NEXT_BAR


def events(messages: list[Any], kind: str) -> list[Any]:
    found = (message.event for message in messages if message.WhichOneof("message") == "event")
    return [event for event in found if event.WhichOneof("detail") == kind]


@pytest.mark.parametrize("delays", [{}, {"codec_delay_frames": 1, "mastering_delay_samples": 144}], ids=str)
@pytest.mark.parametrize("place", [None, NEXT_BAR])
async def test_a_clip_begins_where_a_beat_is_heard(start: Any, delays: dict[str, int], place: int | None) -> None:
    async with start(engine=FakeEngine(slots=2, **delays)) as rig:
        opened = await rig.create(target_lead_ms=1000)
        header = opened.header() if place is None else opened.header(exit_source_at=place)
        outcome = await opened.call("PostTrigger", trigger="hit", control=header)
        _, messages = await opened.hear(outcome.audible_at_sample + 20 * FRAME)
    (hit,) = events(messages, "stinger_started")
    assert (hit.stinger_started.name, hit.stinger_started.clip) == ("hit", "clips/hit.flac")
    told = events(messages, "beat" if place is None else "bar")
    assert hit.sample in {event.sample for event in told}
    assert hit.sample % (BEAT if place is None else BAR) == 0
    assert 0 <= hit.sample - outcome.audible_at_sample < 2 * FRAME


async def test_a_clip_is_heard_once_whatever_takes_come(rig: Any, wait_until: Any) -> None:
    """A client that holds seconds, a clip, then a change of state before its beat: it is void, and told again."""
    opened = await rig.create(target_lead_ms=4000)
    await wait_until(lambda: rig.session(opened).head_sample >= 4000 * 48)
    clips, played, outcome = segue.Clips({"clips/hit.flac": HIT}), segue.NewestTakes(), None
    music = segue.NewestTakes()
    async for message in opened.stream():
        match message.WhichOneof("message"):
            case "event":
                clips.on_event(message.event)
            case "audio":
                chunk = message.audio
                pcm = np.frombuffer(chunk.payload, "<i2").reshape(-1, 2)
                music.put(segue.Block(chunk.first_sample, pcm, chunk.take))
                if outcome is None and music.end >= 40 * FRAME:
                    await opened.call("PostTrigger", trigger="hit", control=opened.header(exit_source_at=NEXT_BAR))
                    outcome = await opened.call("SetState", state="boss", control=opened.header(exit_source_at=NOW))
                    assert outcome.take == 1
                    assert outcome.audible_at_sample < BAR
                if outcome is not None and chunk.take == 1 and music.end >= BAR + 10 * FRAME:
                    break
    for at in range(0, music.end, FRAME):
        pcm = music.pcm[at : at + FRAME]
        played.put(segue.Block(at, clips.mix(at, pcm), 0))
    added = (played.pcm.astype(np.int32) - music.pcm)[:, 0]
    np.testing.assert_allclose(added[BAR : BAR + len(HIT)], HIT * 32768, atol=1.0)
    assert not added[:BAR].any()
    assert not added[BAR + len(HIT) :].any()


async def conditionings(text: str, inputs: dict[int, list[Any]], last: int, executor: Any) -> list[Any]:
    """What each frame is made under, as a session would steer it a frame at a time."""
    from segue_engine.batch.fake_styles import HashStyleEncoder

    soundtrack = parse_soundtrack(text)
    machine = Machine(soundtrack)
    director, table = Director(machine, machine.start()), StyleTable(soundtrack, HashStyleEncoder())
    spacing, under = Spacing(FakeEngine(slots=1).info), list[Any]()
    for frame in range(last):
        clock = MusicClock(frame=0, bpm=93.75, phrase_bars=8).at(frame)
        batches = [("x", inputs[frame])] if frame in inputs else []
        placement = director.place(frame, clock, batches)
        entries = await table.conditionings(placement.points, None, executor, placement.limit)
        moments = moments_of(placement, director.state_after(placement), None)
        entries = spacing.space(entries, placement.limit, moments)
        spacing.commit(entries, moments)
        director.commit(placement)
        under.append([conditioning for at, conditioning in entries if at <= frame][-1])
    return under


@pytest.mark.parametrize(
    "stinger", ["style: sparkle, length: 1 bar", "drums: off, length: 1 bar", "drums: on, length: 2 beats"]
)
async def test_the_held_state_comes_back_exactly(soundtrack_text: str, stinger: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    text = soundtrack_text.replace("style: sparkle, length: 1 bar, exit_source_at: next_beat", stinger)
    with ThreadPoolExecutor(1) as executor:
        begun = {2: [SetState("combat", "immediate")]}
        plain = await conditionings(text, begun, 200, executor)
        heard = await conditionings(text, {**begun, 37: [PostTrigger("treasure")]}, 200, executor)
    differs = [frame for frame in range(200) if plain[frame] != heard[frame]]
    length = 64 if "1 bar" in stinger else 32
    if "drums: on" in stinger:
        assert not differs, "combat has drums"
    else:
        assert (differs[0], differs[-1]) == (37, 37 + length - 1)
    if "off" in stinger:
        assert {heard[frame].style_codes for frame in differs} == {plain[100].style_codes}, "the style is held"


def test_the_clip_of_the_example_can_be_read() -> None:
    from segue_service.cli.clip_files import recordings
    from segue_service.soundtrack import load_soundtrack

    folder = Path(__file__).parents[3] / "examples" / "dungeon"
    found = recordings(folder, load_soundtrack(folder / "dungeon.soundtrack.yaml"))
    assert list(found) == ["clips/hit.flac"]
    assert found["clips/hit.flac"].shape[1] == 2
