# SPDX-License-Identifier: Apache-2.0
"""The Python client and a server of a later version: what it does not know passes it by, and the music goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import segue
from segue.v1 import control_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as live
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import running
from segue_service.soundtrack import parse_soundtrack

TEXT = "soundtrack: walk\ninitial: calm\nstyles: {calm: {prompts: calm}}\nstates: {calm: {style: calm}}\n"
LATER = b"\xc2\x3e\x05later\xc8\x3e\x01"
"""Fields 1000, a text, and 1001, a number."""


def dead(error: BaseException) -> None:
    raise AssertionError from error


def chatter() -> list[live.StreamAudioResponse]:
    """Messages of a later version: one of a new kind, a new event, known ones with new values."""
    event = stream_pb2.Event(sample=0)
    event.MergeFromString(LATER)
    warning = stream_pb2.Warning(code=4242, message="of a later kind")  # type: ignore[arg-type]
    kinds = [
        live.StreamAudioResponse(),
        live.StreamAudioResponse(event=event),
        live.StreamAudioResponse(warning=warning),
        live.StreamAudioResponse(
            event=stream_pb2.Event(status_changed=stream_pb2.StatusChanged(status=4242))  # type: ignore[arg-type]
        ),
    ]
    for message in kinds:
        message.MergeFromString(LATER)
    return kinds


class LaterStream:
    """StreamAudio of a later version, around a real one."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __call__(self, request: Any, **options: Any) -> LaterStream:
        return LaterStream(self._call(request, **options))

    def __iter__(self) -> Iterator[live.StreamAudioResponse]:
        for message in self._call:
            yield from chatter()
            if message.HasField("audio"):
                message.audio.MergeFromString(LATER)
            message.MergeFromString(LATER)
            yield message

    def cancel(self) -> None:
        self._call.cancel()

    def cancelled(self) -> bool:
        return bool(self._call.cancelled())


async def test_a_stream_of_a_later_version_is_heard() -> None:
    assembly = SimpleNamespace(engine=FakeEngine(slots=1), style_encoder=HashStyleEncoder())
    settings = Settings(port=0, drain_ms=0, goodbye_ms=100)
    async with running(settings, assembly, [parse_soundtrack(TEXT)], on_death=dead) as server:

        def work() -> None:
            with segue.connect(server.address) as music, music.play("walk") as session:
                music.live.StreamAudio = LaterStream(music.live.StreamAudio)  # type: ignore[assignment]
                said: list[str] = []
                events: list[str | None] = []
                session.on_warning(lambda warning: said.append(warning.message))
                session.on_event(lambda event: events.append(event.WhichOneof("detail")))
                heard = segue.NewestTakes()
                for block in session.audio(from_sample=0):
                    heard.put(block)
                    if heard.end > 48_000:
                        break
                assert len(heard.pcm) == heard.end
                assert (session.stats.gaps, session.stats.reconnects) == (0, 0)
                assert "of a later kind" in said
                assert {None, "status_changed", "bar"} <= set(events)

        await asyncio.to_thread(work)


def test_an_outcome_of_a_later_version_is_understood_as_far_as_it_goes() -> None:
    outcome = control_pb2.ControlOutcome(landing=4242, state="calm", audible_at_sample=960)  # type: ignore[arg-type]
    outcome.MergeFromString(LATER)
    reply = segue.Reply.of(outcome)
    assert (reply.landing, reply.state, reply.audible_at_sample) == ("unspecified", "calm", 960)
