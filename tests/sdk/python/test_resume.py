# SPDX-License-Identifier: Apache-2.0
"""The Python client goes on when its server is gone, and from a saved game."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import segue
from segue.aio import Session
from segue.aio import connect as aconnect
from segue.keeping import Keeper
from segue.v1 import audio_pb2, stream_pb2
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

FRAME = 1920
TEXT = (Path(__file__).parents[2] / "service" / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")
KEYS = ("a key for tests, of thirty-two letters",)


@contextlib.asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Server]:
    assembly = SimpleNamespace(engine=FakeEngine(slots=2), style_encoder=HashStyleEncoder())
    made = Settings(port=0, drain_ms=300, goodbye_ms=200, resume_keys=KEYS, **settings)
    async with running(made, assembly, [parse_soundtrack(TEXT)]) as server:
        yield server


async def hear(session: Session, blocks: list[segue.Block], until: Any) -> None:
    async for block in session.audio(from_sample=blocks[-1].end if blocks else None):
        blocks.append(block)
        if until():
            break


async def many(blocks: list[segue.Block]) -> None:
    async with asyncio.timeout(20):
        while len(blocks) < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def is_whole(blocks: list[segue.Block]) -> bool:
    return [block.first_sample for block in blocks[1:]] == [block.end for block in blocks[:-1]]


async def test_a_server_that_goes_down_hands_over_to_the_next() -> None:
    async with serving() as second, contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving())
        target = f"ipv4:127.0.0.1:{first.port},127.0.0.1:{second.port}"
        async with aconnect(target) as music:
            session = await music.play("dungeon", seed=7)
            await session.post("enemy_spotted")
            blocks: list[segue.Block] = []
            listening = asyncio.create_task(hear(session, blocks, lambda: blocks[-1].take > 0 and len(blocks) > 40))
            await many(blocks)
            down = asyncio.create_task(stack.aclose())
            await listening
            await down
            assert is_whole(blocks)
            assert (session.stats.resumes, session.stats.gaps) == (1, 0)
            assert len(second.registry) == 1
            reply = await session.set(danger=0.5)
            assert reply.state == (await session.get()).state == "combat"


async def test_a_session_that_was_lost_is_brought_back_and_controls_wait_for_it() -> None:
    async with serving() as server, aconnect(server.address) as music:
        session = await music.play("dungeon", seed=7)
        blocks: list[segue.Block] = []
        listening = asyncio.create_task(hear(session, blocks, lambda: blocks[-1].take > 0))
        await many(blocks)
        await server.registry.close(
            next(iter(server.registry)), stream_pb2.Goodbye(reason=stream_pb2.Goodbye.REASON_FAULT)
        )
        reply = await session.post("enemy_spotted")
        await listening
        assert reply.state == "combat"
        assert is_whole(blocks)
        assert session.stats.resumes == 1


def test_a_saved_game_goes_on_as_another_session() -> None:
    async def run() -> None:
        async with serving() as server:
            await asyncio.to_thread(work, server.address)

    def work(address: str) -> None:
        with segue.connect(address) as music:
            with music.play("dungeon", seed=7) as session:
                session.post("enemy_spotted")
                for block in session.audio():
                    if block.first_sample > 30 * FRAME:
                        break
                session.heard(20 * FRAME)
                saved = session.save(at=20 * FRAME)
                first = session.session_id
            assert len(saved) < 16_000
            with music.resume(saved, labels={"slot": "2"}) as session:
                assert session.session_id != first
                assert session.get().state == "combat"
                block = next(iter(session.audio()))
                assert block.first_sample == 20 * FRAME
                assert block.take >= 1
            with pytest.raises(ValueError, match=r"Session\.save"):
                music.resume(b"\xff\xff")
            with pytest.raises(segue.InvalidArgument, match="refused"):
                music.resume(saved.replace(b".", b"_", 1))

    asyncio.run(run())


def chunk(begin: int, count: int, take: int = 0) -> audio_pb2.AudioChunk:
    return audio_pb2.AudioChunk(
        first_sample=begin, sample_count=count, take=take, continuation=f"{take} {begin}".encode()
    )


def test_a_keeper_keeps_twenty_seconds_of_the_newest_takes() -> None:
    keeper = Keeper()
    with pytest.raises(ValueError, match="no resume point"):
        keeper.resume(0)
    for number in range(100):
        keeper.chunk(chunk(number * 48_000, 48_000))
    keeper.point(stream_pb2.ResumePoint(token=b"t", sample=0, take=0))
    asked = keeper.resume(100 * 48_000, "secret")
    assert (asked.from_sample, asked.session_token) == (100 * 48_000, "secret")
    assert asked.continuation[0] == b"0 3792000"
    assert asked.continuation[-1] == b"0 4752000"
    keeper.chunk(chunk(95 * 48_000 + 1920, 1920, take=1))
    asked = keeper.resume(95 * 48_000 + 3840)
    assert list(asked.continuation[-2:]) == [b"0 4560000", b"1 4561920"]
    keeper.point(stream_pb2.ResumePoint(token=b"u", sample=90 * 48_000, take=2))
    asked = keeper.resume(95 * 48_000 + 3840)
    assert asked.from_sample == 90 * 48_000, "where the take begins that was about to come"
    assert asked.continuation[-1] == b"0 4272000"
    assert np.all([int(piece.split()[1]) < asked.from_sample for piece in asked.continuation])
