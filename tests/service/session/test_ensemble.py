# SPDX-License-Identifier: Apache-2.0
"""Many parts at once: each sounds as it does alone, a free slot is used again, and none is left behind."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import Conditioning
from segue_service.session.ensemble import perform_all
from segue_service.session.library import Library
from segue_service.session.offline import Performance, Performer, Said
from segue_service.session.playing import Part
from segue_service.soundtrack import PostEvent, TransitionStarted, parse_soundtrack

TEXT = (Path(__file__).parents[1] / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")
SAID = [Said(20, "enemy", [PostEvent("enemy_spotted")])]


def play(seeds: list[int], slots: int, frames: int = 60, delay: int = 144) -> tuple[dict[int, Performance], FakeEngine]:
    async def run() -> tuple[dict[int, Performance], FakeEngine]:
        engine = FakeEngine(slots=slots, mastering_delay_samples=delay)
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(TEXT))
            parts = [Part(engine.info, record, seed, executor, frames + 7 * i, SAID) for i, seed in enumerate(seeds)]
            return {place: played async for place, played in perform_all(engine, parts, slots)}, engine

    return asyncio.run(run())


def test_a_part_among_others_sounds_as_it_does_alone() -> None:
    async def alone(seed: int, frames: int) -> Performance:
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(TEXT))
            engine = FakeEngine(slots=1, mastering_delay_samples=144)
            return await Performer(engine, record, seed, executor).perform(frames, SAID)

    together, engine = play([3, 4, 5], slots=2)
    assert sorted(together) == [0, 1, 2]
    for place, seed in enumerate([3, 4, 5]):
        single = asyncio.run(alone(seed, 60 + 7 * place))
        np.testing.assert_array_equal(together[place].pcm, single.pcm)
        assert together[place].effects == single.effects
    for _ in range(2):  # every slot is free again
        engine.insert(0, Conditioning())


def test_a_part_may_end_when_it_has_heard_enough() -> None:
    async def run() -> Performance:
        engine = FakeEngine(slots=1)
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(TEXT))
            part = Part(engine.info, record, 1, executor, 4000, SAID)
            part.ends = lambda effects: next(
                (e.ends_at + 10 for e in effects if isinstance(e, TransitionStarted)), None
            )
            ((_, played),) = [one async for one in perform_all(engine, [part], 1)]
            return played

    played = asyncio.run(run())
    started = next(effect for effect in played.effects if isinstance(effect, TransitionStarted))
    assert len(played.pcm) == (started.ends_at + 10) * 1920
    assert played.ending is not None
    assert played.ending.state == "combat"


def test_whoever_stops_early_leaves_no_slot_taken() -> None:
    async def run() -> None:
        engine = FakeEngine(slots=2)
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(TEXT))
            parts = [Part(engine.info, record, seed, executor, 10 + 50 * seed) for seed in range(2)]
            playing = perform_all(engine, parts, 2)
            await anext(playing)
            await playing.aclose()
        for _ in range(2):
            engine.insert(0, Conditioning())

    asyncio.run(run())


def test_cancelling_gets_its_turn_in_every_step() -> None:
    async def run() -> int:
        frames = 0
        engine = FakeEngine(slots=1)
        with ThreadPoolExecutor(1) as executor:
            record = await Library(HashStyleEncoder(), executor).compile(parse_soundtrack(TEXT))

            def more(count: int) -> None:
                nonlocal frames
                frames += count
                if frames == 100:
                    task.cancel()

            async def listen() -> None:
                async for _ in perform_all(engine, [Part(engine.info, record, 1, executor, 100_000)], 1, more):
                    raise AssertionError("it was cancelled long before")

            task = asyncio.create_task(listen())
            await asyncio.wait([task])
            assert task.cancelled()
        return frames

    assert asyncio.run(run()) == 100
