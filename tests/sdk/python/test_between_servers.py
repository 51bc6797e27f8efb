# SPDX-License-Identifier: Apache-2.0
"""What the Python client does while its session is at no server: who waits, how long, and what is said in the end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import segue
from segue.aio import connect
from segue.channel import RECONNECT_TRIES
from segue.keeping import Keeper
from segue.reception import Patience, Reception, mend, wait_to_resume
from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.api.routed_token import bare, with_route
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

TEXT = (Path(__file__).parents[2] / "service" / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")
FAULT = stream_pb2.Goodbye(reason=stream_pb2.Goodbye.REASON_FAULT)
LOST = segue.NotFound("no session", code="NOT_FOUND", reason="UNKNOWN_SESSION")
DOWN = segue.Unavailable("nobody is there", code="UNAVAILABLE")


@contextlib.asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Server]:
    assembly = SimpleNamespace(engine=FakeEngine(slots=2), style_encoder=HashStyleEncoder())
    made = Settings(port=0, drain_ms=100, goodbye_ms=100, **settings)
    async with running(made, assembly, [parse_soundtrack(TEXT)]) as server:
        yield server


def reception(*, has_point: bool = True) -> Reception:
    """Of a listener that has heard something."""
    made = Reception("s-1", "s16", None, 0, clock=True, keeper=Keeper())
    hear(made)
    if has_point:
        made.take(StreamAudioResponse(resume_point=stream_pb2.ResumePoint(token=b"p")))
    return made


def hear(listener: Reception) -> None:
    first = listener.next_sample or 0
    chunk = audio_pb2.AudioChunk(first_sample=first, sample_count=1, payload=b"\0\0\0\0")
    listener.take(StreamAudioResponse(audio=chunk))


def broken(error: segue.SegueError, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a stream raises that breaks with this error."""
    monkeypatch.setattr("segue.reception.translate", lambda _: error)
    return Exception()


async def test_a_listener_that_others_have_overtaken_learns_the_way() -> None:
    async with serving(allow_anonymous=True, session_route="10.0.0.2:7470") as server, connect(server.address) as music:
        first = await music.play("dungeon", seed=1)
        old = with_route(first.token, first.session_id, "10.0.0.1:7470")
        session = music.attach(first.session_id, old)
        async for _ in session.audio():
            break
        assert session.token == first.token != old
        assert bare(session.token) == bare(old)


async def test_a_control_of_whoever_reads_the_audio_does_not_wait_for_himself() -> None:
    async with serving() as server, connect(server.address) as music:
        session = await music.play("dungeon", seed=1)
        refused = resumed = False
        async with asyncio.timeout(20):
            async for block in session.audio():
                if block.first_sample > 20_000 and not refused:
                    await server.registry.close(next(iter(server.registry)), FAULT)
                    with pytest.raises(segue.Unavailable, match="not back yet"):
                        await session.get()
                    refused = True
                if session.stats.resumes and not resumed:
                    resumed = True
                    await session.post("enemy_spotted")
                    break
        assert refused
        assert resumed


async def test_a_control_of_another_task_waits_however_long_it_takes() -> None:
    async with serving(retry_after_ms=100) as server, connect(server.address) as music:
        session = await music.play("dungeon", seed=1)
        heard = 0

        async def listen() -> None:
            nonlocal heard
            async for _ in session.audio():
                heard += 1

        listening = asyncio.create_task(listen())
        async with asyncio.timeout(20):
            while heard < 10:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        server.registry.ready = False  # warms up
        await server.registry.close(next(iter(server.registry)), FAULT)
        asked = asyncio.create_task(session.get())
        controls = [asyncio.create_task(session.post("enemy_spotted")), asyncio.create_task(session.set(danger=0.5))]
        await asyncio.sleep(1.0)
        assert not asked.done()
        server.registry.ready = True
        assert {reply.state for reply in await asyncio.gather(*controls)} <= {"combat", "explore"}
        assert (await session.get()).state == "combat"
        await asked
        listening.cancel()


def test_a_control_is_sent_again_until_its_time_is_over_and_never_told_that_there_is_no_session() -> None:
    listener = reception()
    assert 0 <= Patience(10, "me").wait(listener, LOST) <= 0.5
    assert 0 <= Patience(10, "me").wait(listener, DOWN) <= 0.5
    patience = Patience(10, "me")
    assert all(patience.wait(listener, DOWN) <= 0.5 for _ in range(20))
    with pytest.raises(segue.Unavailable, match="not back yet") as late:
        Patience(0, "me").wait(listener, LOST)
    assert late.value.reason == "UNKNOWN_SESSION"
    with pytest.raises(segue.PermissionDenied):
        Patience(10, "me").wait(listener, segue.PermissionDenied("no"))


@pytest.mark.parametrize("why", ["nobody listens", "no point", "nobody listens any more"])
def test_where_nobody_brings_it_back_a_control_fails_at_once(why: str) -> None:
    listener = None if why == "nobody listens" else reception(has_point=why != "no point")
    if listener is not None:
        listener.is_over = why == "nobody listens any more"
    with pytest.raises(segue.NotFound):
        Patience(10, "me").wait(listener, LOST)


def test_audio_that_is_not_read_any_more_brings_nothing_back() -> None:
    async def serve(ready: threading.Event, done: threading.Event, told: list[str]) -> None:
        async with serving() as server:
            told.append(server.address)
            ready.set()
            await asyncio.to_thread(done.wait, 20)

    ready, done, told = threading.Event(), threading.Event(), list[str]()
    thread = threading.Thread(target=lambda: asyncio.run(serve(ready, done, told)))
    thread.start()
    try:
        assert ready.wait(20)
        with segue.connect(told[0]) as music:
            session = music.play("dungeon", seed=1)
            audio = session.audio()
            for block in audio:
                if block.first_sample > 20_000:
                    break
            audio.close()  # type: ignore[attr-defined]
            music.attach(session.session_id, session.token).close()
            with pytest.raises(segue.NotFound):
                session.get()
    finally:
        done.set()
        thread.join()


def test_a_listener_brings_its_session_back_after_the_longest_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = reception()
    for listener.tries in range(RECONNECT_TRIES):
        mend(listener, broken(DOWN, monkeypatch))
    listener.tries = RECONNECT_TRIES
    mend(listener, broken(LOST, monkeypatch))
    assert listener.is_lost
    assert listener.pause() == 0
    slow = segue.DeadlineExceeded("too slow", code="DEADLINE_EXCEEDED")
    assert all(wait_to_resume(listener, slow) > 0 for _ in range(RECONNECT_TRIES))
    with pytest.raises(segue.DeadlineExceeded):
        wait_to_resume(listener, slow)


def test_a_session_that_is_lost_again_and_again_is_given_up_as_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = reception()
    for _ in range(RECONNECT_TRIES):
        mend(listener, broken(LOST, monkeypatch))
        listener.tries += 1
        listener.resumed()
    with pytest.raises(segue.Unavailable, match="not back yet"):
        mend(listener, broken(LOST, monkeypatch))
    hear(listener)
    mend(listener, broken(LOST, monkeypatch))
    assert listener.is_lost
    with pytest.raises(segue.NotFound):
        mend(reception(has_point=False), broken(LOST, monkeypatch))
