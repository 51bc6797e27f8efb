# SPDX-License-Identifier: Apache-2.0
"""The Python client against a real server on loopback; the blocking one in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest

import segue
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

T = TypeVar("T")
FRAME = 1920
TEXT = (Path(__file__).parents[2] / "service" / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")


def dead(error: BaseException) -> None:
    raise AssertionError from error


@contextlib.asynccontextmanager
async def serving(port: int = 0, **settings: Any) -> AsyncIterator[Server]:
    assembly = SimpleNamespace(engine=FakeEngine(slots=2), style_encoder=HashStyleEncoder())
    made = Settings(port=port, drain_ms=300, goodbye_ms=200, **settings)
    async with running(made, assembly, [parse_soundtrack(TEXT)], on_death=dead) as server:
        yield server


async def with_client(do: Callable[[segue.Client], T], **settings: Any) -> T:
    async with serving(**settings) as server:

        def work() -> T:
            with segue.connect(server.address) as music:
                return do(music)

        return await asyncio.to_thread(work)


def hear(session: segue.Session, samples: int, **wishes: Any) -> list[segue.Block]:
    blocks: list[segue.Block] = []
    for block in session.audio(**wishes):
        blocks.append(block)
        if sum(len(b.pcm) for b in blocks) >= samples:
            break
    return blocks


async def test_the_readme_example() -> None:
    def do(music: segue.Client) -> None:
        session = music.play("dungeon", seed=7)
        session.set(danger=0.6)
        reply = session.post("enemy_spotted")
        assert reply.state == "combat"
        assert reply.audible_at_sample is not None
        assert reply.landing in ("head", "rewound")
        assert reply.in_transition
        assert session.seed == 7
        assert session.warnings[0].message.startswith("styles.combat")

    await with_client(do)


async def test_blocks_are_int16_on_the_timeline_and_events_are_called_back() -> None:
    def do(music: segue.Client) -> None:
        seen: list[str] = []
        with music.play("dungeon", seed=7, lead_ms=1000) as session:
            session.on_event(lambda event: seen.append(str(event.WhichOneof("detail"))))
            reply = session.post("enemy_spotted", set={"danger": 0.9})
            blocks = hear(session, (reply.audible_at_sample or 0) + FRAME)
            assert blocks[0].first_sample == 0
            for before, after in itertools.pairwise(blocks):
                assert after.first_sample == before.end
            assert blocks[0].pcm.dtype == np.int16
            assert blocks[0].pcm.shape == (FRAME, 2)
            assert {"beat", "bar", "state_changed", "transition_started"} <= set(seen)
            assert (session.stats.gaps, session.stats.reconnects) == (0, 0)
            floats = hear(session, FRAME, encoding="f32", from_sample=0)
            np.testing.assert_array_equal(floats[0].pcm * 32768, blocks[0].pcm)
            assert session.heard(FRAME) <= session.get().head_sample

    await with_client(do)


async def test_every_control_has_a_verb() -> None:
    def do(music: segue.Client) -> None:
        session = music.play("dungeon", state="combat", parameters={"danger": 0.1}, lead_ms=500)
        assert session.trigger("treasure").audible_at_sample is not None
        assert session.set({"danger": 0.4}, jump=True).state == "combat"
        assert session.set_state("boss", at="immediate").state == "boss"
        assert session.prompts({"harp": 1.0}, fade=0.5).landing in ("head", "rewound", "head_limited")
        assert session.reset(seed=3).landing in ("head", "rewound", "head_limited")
        assert session.pause().landing == "head"
        assert session.pause().reason
        assert session.play().landing == "head"
        end = session.stop().audible_at_sample
        blocks = list(session.audio())
        assert not blocks or blocks[-1].end == end
        session.close()
        session.close()
        assert music.info().free_slots == 2
        assert [summary.soundtrack_id for summary in music.soundtracks()] == ["dungeon"]
        assert music.validate(TEXT).valid
        assert music.upload(TEXT).soundtrack.version == 3
        assert music.sessions() == []

    await with_client(do)


async def test_a_token_is_enough_to_listen_and_steer() -> None:
    def do(music: segue.Client) -> None:
        owner = music.play("dungeon", lead_ms=500)
        guest = music.attach(owner.session_id, owner.token)
        assert guest.post("enemy_spotted").state == "combat"
        assert hear(guest, FRAME)
        with pytest.raises(segue.PermissionDenied):
            music.attach(owner.session_id, "guess").get()

    await with_client(do)


async def test_a_granted_token_listens_and_steers_no_more_than_it_may() -> None:
    def do(music: segue.Client) -> None:
        owner = music.play("dungeon", lead_ms=500)
        spectator = music.attach(owner.session_id, owner.grant(hours=1))
        player = music.attach(owner.session_id, owner.grant(steer=True))
        assert hear(spectator, FRAME)
        assert player.post("enemy_spotted").state == "combat"
        for refused in (lambda: spectator.post("enemy_spotted"), player.close, lambda: player.grant()):
            with pytest.raises(segue.PermissionDenied):
                refused()
        assert owner.get().state == "combat"

    await with_client(do)


async def test_a_quota_is_named(tmp_path: Path) -> None:
    from segue_service.security.keys import new_key

    key, tenants = new_key(), tmp_path / "tenants.yaml"
    entry = f"id: studio, api_keys: [{{ id: {key.id}, sha256: {key.sha256} }}], quotas: {{ sessions: 1 }}"
    tenants.write_text(f"tenants:\n  - {{ {entry} }}\n", encoding="utf-8")
    async with serving(tenants_file=tenants) as server:
        music = segue.aio.connect(server.address, key.key)
        async with music:
            session = await music.play("dungeon")
            with pytest.raises(segue.ResourceExhausted) as caught:
                await music.play("dungeon")
            assert (caught.value.reason, caught.value.quota, caught.value.retry_after) == ("QUOTA", "sessions", 2.0)
            guest = music.attach(session.session_id, await session.grant())
            assert (await guest.get()).session_id == session.session_id


async def test_errors_say_what_would_work() -> None:
    def do(music: segue.Client) -> None:
        with pytest.raises(segue.NotFound) as unknown:
            music.play("dungeom")
        assert unknown.value.near_misses == ("dungeon",)
        session = music.play("dungeon")
        with pytest.raises(segue.NotFound, match="enemy_spotted") as event:
            session.post("enemy_spoted")
        assert (event.value.kind, event.value.reason) == ("event", "UNKNOWN_NAME")
        with pytest.raises(segue.InvalidArgument) as value:
            session.set(danger=7)
        assert "danger" in value.value.field
        with pytest.raises(segue.InvalidArgument) as text:
            music.upload(TEXT.replace("via: aftermath", "via: aftermth"))
        assert text.value.problems[0].path == "transitions[1].via"
        music.play("dungeon")
        with pytest.raises(segue.ResourceExhausted) as full:
            music.play("dungeon")
        assert full.value.retry_after == 2.0
        with pytest.raises(segue.OutOfRange):
            hear(session, 1, from_sample=10**9)
        with pytest.raises(ValueError, match="next_bar"):
            session.set_state("boss", at="tomorrow")  # type: ignore[arg-type]

    await with_client(do)


async def test_a_server_that_is_not_there() -> None:
    def do() -> None:
        with segue.connect("127.0.0.1:1", timeout=2.0) as music, pytest.raises(segue.SegueError) as gone:
            music.info()
        assert isinstance(gone.value, segue.Unavailable | segue.DeadlineExceeded)

    await asyncio.to_thread(do)


async def test_hush_ends_the_audio_from_elsewhere() -> None:
    def do(music: segue.Client) -> None:
        session = music.play("dungeon")
        for place, _ in enumerate(session.audio()):
            if place == 3:
                session.hush()
        assert session.stats.blocks >= 4

    await with_client(do)


async def test_the_asyncio_client() -> None:
    async with serving() as server, segue.aio.connect(server.address) as music:
        assert (await music.info()).ready
        session = await music.play("dungeon", seed=7, lead_ms=500)
        reply = await session.post("enemy_spotted")
        assert reply.state == "combat"
        blocks = []
        async for block in session.audio():
            blocks.append(block)
            if block.end >= 8 * FRAME:
                break
        assert blocks[0].first_sample == 0
        with pytest.raises(segue.NotFound):
            await session.trigger("nope")
        assert await session.heard(0) >= 0
        await session.close()
        await session.close()


async def test_a_stream_that_is_cut_is_taken_up_where_it_was() -> None:
    """The server ends the stream as of a slow listener; the client comes back for the very next sample."""
    async with serving() as server, segue.aio.connect(server.address) as music:
        session = await music.play("dungeon", seed=7, lead_ms=2000)
        inner = server.registry.get(session.session_id, session.token)
        pcm, cut = [], False
        async for block in session.audio():
            pcm.append(block.pcm)
            if block.end >= 10 * FRAME and not cut:
                cut = True
                from segue.v1.stream_pb2 import Goodbye

                inner.bid(Goodbye(reason=Goodbye.REASON_SLOW_LISTENER))
            if block.end >= 40 * FRAME:
                break
        assert (session.stats.reconnects, session.stats.gaps) == (1, 0)
        other = await music.play("dungeon", seed=7, lead_ms=2000)
        whole = []
        async for block in other.audio():
            whole.append(block.pcm)
            if block.end >= 40 * FRAME:
                break
        np.testing.assert_array_equal(np.concatenate(pcm)[: 40 * FRAME], np.concatenate(whole)[: 40 * FRAME])


@pytest.mark.parametrize("encoding", ["qoa", "opus"])
async def test_compressed_audio_comes_as_the_same_blocks(encoding: Any) -> None:
    if encoding == "opus":
        pytest.importorskip("av")

    def listen(music: segue.Client) -> None:
        session = music.play("dungeon", seed=7, lead_ms=1000)
        plain = np.concatenate([block.pcm for block in hear(session, 30 * FRAME, from_sample=0)])
        blocks = hear(session, 25 * FRAME, from_sample=1234, encoding=encoding)
        assert blocks[0].first_sample == 1234
        assert all(one.end == other.first_sample for one, other in itertools.pairwise(blocks))
        got = np.concatenate([block.pcm for block in blocks])[: 25 * FRAME].astype(np.float64)
        wanted = plain[1234 : 1234 + len(got)]
        assert got.shape == wanted.shape
        assert np.square(wanted - got).mean() < 0.01 * np.square(wanted.astype(np.float64)).mean()

    await with_client(listen)
