# SPDX-License-Identifier: Apache-2.0
"""Listeners come, report, wish and go; the session's slot is paced by what they do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from segue.v1 import stream_pb2
from segue.v1.audio_pb2 import AUDIO_ENCODING_S16
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import FRAME_SAMPLES
from segue_service.config import Settings
from segue_service.errors import Refused
from segue_service.observe.metrics import Metrics
from segue_service.session.audience import Audience
from segue_service.session.codecs import Codecs
from segue_service.session.events import EventLog
from segue_service.session.hub import Hub
from segue_service.session.listeners import Wish
from segue_service.session.listening import Listening
from segue_service.session.transport import CLOSED, PAUSED, PLAYING, STOPPED
from segue_service.session.ways import Ways

HEAD = 100 * FRAME_SAMPLES
WISH = Wish(AUDIO_ENCODING_S16, 0, 5)


class Scene:
    """A session whose audience is real; its slot says what it is told. The playhead is at frame 10, the head at 100."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.metrics, settings = Metrics(), Settings(min_lead_ms=100, max_lead_ms=5_000)
        hub = Hub(FakeEngine(slots=1), 1, 200, self.metrics)
        hub.history.head[0] = 100
        self.slot: list[tuple[Any, ...]] = []
        self.trips: list[float] = []
        self.touched = 0
        audience = Audience(
            *(hub, 0, EventLog(), settings, self.metrics, Codecs(executor, 96_000)),
            lead_ms=500,
        )
        self.transport: Any = SimpleNamespace(
            status=PLAYING,
            play_head=lambda *, moves, begin=None: self.slot.append(("moves", moves, begin)),
            believe=lambda playhead: self.slot.append(("believe", playhead)),
            lead=lambda milliseconds: self.slot.append(("lead", milliseconds)),
        )
        steering: Any = SimpleNamespace(
            playhead=lambda: 10 * FRAME_SAMPLES, take=0, rewinding=SimpleNamespace(measured=self.trips.append)
        )
        self.point = stream_pb2.ResumePoint(token=b"signed", sample=5)
        points: Any = SimpleNamespace(now=lambda: self.point)
        parts: Any = SimpleNamespace(hub=hub, settings=settings, metrics=self.metrics)
        self.listening = Listening(
            *("s-1", parts, 0, steering, self.transport, audience, points, Ways(lambda: 0), self.touch)
        )

    def touch(self) -> None:
        self.touched += 1


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ThreadPoolExecutor(1) as executor:
        yield Scene(executor)


async def test_the_playhead_moves_from_a_lone_listeners_first_chunk_until_nobody_listens(scene: Scene) -> None:
    listener = scene.listening.join(WISH, None)
    assert listener.wish.begin == 10 * FRAME_SAMPLES
    assert not scene.slot
    messages = listener.messages()
    await anext(messages)
    assert scene.slot == [("moves", True, 10 * FRAME_SAMPLES)]
    other = scene.listening.join(WISH, 0)
    await anext(other.messages())
    assert scene.slot[1:] == [("moves", True, None)], "where several listen, none takes it back"
    for one in (listener, other, other):
        scene.listening.leave(one)
    assert scene.slot[2:] == [("moves", False, None)]
    assert scene.touched == 2


async def test_a_paused_session_stays_where_it_is(scene: Scene) -> None:
    scene.transport.status = PAUSED
    await anext(scene.listening.join(WISH, 0).messages())
    assert not scene.slot


def test_a_lone_listener_paces_the_session_and_is_believed_within_what_it_was_sent(scene: Scene) -> None:
    listener = scene.listening.join(WISH, 0)
    listener.position = 20 * FRAME_SAMPLES
    assert scene.listening.report("", 12_345, round_trip=0.08) == 12_345
    assert scene.listening.report(listener.name, HEAD) == listener.position
    assert scene.slot == [("believe", 12_345), ("believe", listener.position)]
    assert scene.trips == [0.08]
    other = scene.listening.join(WISH, 0)
    other.position = HEAD
    assert scene.listening.report(other.name, 5) == 5
    assert scene.listening.report("nobody", 5, round_trip=0.0) == 10 * FRAME_SAMPLES
    assert len(scene.slot) == 2
    assert listener.playhead == 20 * FRAME_SAMPLES
    assert scene.touched == 4


def test_underruns_are_counted_whoever_reports_them(scene: Scene) -> None:
    scene.listening.report("nobody", None, underruns=2)
    scene.listening.report("nobody", None, underruns=-1)
    assert scene.listening.underruns == 2
    assert scene.metrics.registry.get_sample_value("segue_underruns_total", {"by": "listener"}) == 2


def test_the_largest_wish_for_a_lead_is_the_sessions_as_long_as_it_listens(scene: Scene) -> None:
    one, two = scene.listening.join(WISH, 0), scene.listening.join(WISH, 0)
    scene.listening.ask_lead(one.name, 2_000)
    scene.listening.ask_lead(two.name, 1_000)
    scene.listening.ask_lead(two.name, 60_000)
    assert scene.slot == [("lead", 2_000), ("lead", 5_000)], "within the server's limits, and told where it changes"
    scene.listening.leave(two)
    assert scene.slot[2:] == [("lead", 2_000)]


def test_who_keeps_continuation_gets_a_resume_point_at_once(scene: Scene) -> None:
    keeper = scene.listening.join(Wish(AUDIO_ENCODING_S16, 0, 5, continuation=True), 0)
    assert [StreamAudioResponse.FromString(message).resume_point for message in keeper._extra] == [scene.point]
    assert not scene.listening.join(WISH, 0)._extra


async def test_who_comes_after_the_end_gets_what_there_is_and_goodbye(scene: Scene) -> None:
    scene.transport.status = STOPPED
    messages = [
        StreamAudioResponse.FromString(message) async for message in scene.listening.join(WISH, 90 * 1920).messages()
    ]
    assert sum(message.audio.sample_count for message in messages) == HEAD - 90 * 1920
    assert messages[-1].goodbye.reason == stream_pb2.Goodbye.REASON_STOPPED
    scene.transport.status = CLOSED
    with pytest.raises(Refused, match="s-1"):
        scene.listening.join(WISH, 0)
