# SPDX-License-Identifier: Apache-2.0
"""What steering and the hub call, and what listeners are told then."""

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
from segue_service.observe.metrics import Metrics
from segue_service.session.codecs import Codecs
from segue_service.session.hub import Hub
from segue_service.session.listeners import Listener, Wish
from segue_service.session.telling import Telling
from segue_service.session.ways import Ways


class Scene:
    """A session's telling with a real hub and a listener who has got a second, of a timeline of two seconds."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.metrics, settings = Metrics(), Settings()
        engine = FakeEngine(slots=1)
        self.hub = Hub(engine, 1, 200, self.metrics)
        self.noted: list[stream_pb2.Event] = []
        parts: Any = SimpleNamespace(
            hub=self.hub,
            settings=settings,
            metrics=self.metrics,
            codecs=Codecs(executor, 96_000),
            logs=SimpleNamespace(note=lambda place, kind, *, event: self.noted.append(event)),
        )
        self.called: list[str] = []
        self.ways = Ways(lambda: 0)
        self.telling = Telling(
            *(parts, self.ways),
            frame=0,
            lead_ms=500,
            on_planned=lambda: self.called.append("planned"),
            on_follow=lambda: self.called.append("follow"),
        )
        self.hub.history.head[0] = 50
        self.listener: Listener = self.telling.audience.join(Wish(AUDIO_ENCODING_S16, 0, 5), 0, 0, 0)
        self.listener.position = 25 * FRAME_SAMPLES

    def late(self) -> list[StreamAudioResponse]:
        """What the listener is to get before its next chunk."""
        return [StreamAudioResponse.FromString(message) for message in self.listener._extra]

    def events(self) -> list[stream_pb2.Event]:
        held = self.telling.events.between(0, 100 * FRAME_SAMPLES, clock=True)
        return [StreamAudioResponse.FromString(message).event for message in held]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ThreadPoolExecutor(1) as executor:
        yield Scene(executor)


def state_changed(frame: int) -> stream_pb2.Event:
    changed = stream_pb2.StateChanged(from_state="explore", to_state="combat")
    return stream_pb2.Event(sample=frame * FRAME_SAMPLES, state_changed=changed)


def test_an_event_whose_place_a_listener_has_got_is_told_at_once(scene: Scene) -> None:
    scene.telling.on_event(state_changed(10), 10)
    scene.telling.on_event(state_changed(30), 30)
    assert [message.event for message in scene.late()] == [state_changed(10)]
    assert scene.events() == [state_changed(10), state_changed(30)]
    assert scene.noted == [state_changed(10), state_changed(30)], "the session's log has them, too"
    scene.telling.events.retract(9)
    scene.telling.on_event(state_changed(10), 10)
    assert len(scene.late()) == 1, "foreseen again, it is no news"


def test_a_rewind_takes_the_sound_back_and_says_how_much(scene: Scene) -> None:
    scene.telling.on_beat(20.0, 0, 3, 120.0, 4, 8, 1.0)
    scene.telling.on_event(state_changed(5), 5)
    scene.telling.on_rewound(15, 50, take=2)
    axis = scene.hub.history.axis
    assert (scene.listener.position, scene.listener.take) == (axis.audible(15), 2)
    first, second = scene.events()
    assert first == state_changed(5)
    assert (second.sample, second.take) == (axis.audible(15), 2)
    assert second.rewound.replaced_until_sample == axis.audible(50)


def test_a_beat_is_told_where_it_is_heard_and_with_it_the_bar_that_it_begins(scene: Scene) -> None:
    scene.telling.on_beat(20.5, 0, 3, 120.0, 4, 8, 0.75)
    scene.telling.on_beat(33.0, 1, 3, 120.0, 4, 8, 0.75)
    bar, one, two = scene.events()
    assert bar.sample == one.sample == round(20.5 * FRAME_SAMPLES)
    assert bar.bar == stream_pb2.Bar(bar=3, phrase_bars=8, bpm=120.0, beats_per_bar=4, confidence=0.75)
    assert (one.beat.beat, two.beat.beat, two.sample) == (0, 1, 33 * FRAME_SAMPLES)
    assert not scene.noted, "the clock is not for the session's log"


def test_what_went_wrong_is_counted_each_time_and_said_now_and_then(scene: Scene) -> None:
    for _ in range(3):
        scene.telling.on_overtaken()
    scene.telling.on_limited()
    codes = [message.warning.code for message in scene.late()]
    assert codes == [stream_pb2.Warning.CODE_LEAD_LOST, stream_pb2.Warning.CODE_REWIND_LIMITED]
    assert scene.telling.overtaken == 3
    assert scene.metrics.registry.get_sample_value("segue_underruns_total", {"by": "server"}) == 3


def test_the_hub_and_steering_are_passed_on_to_what_else_follows(scene: Scene) -> None:
    scene.telling.on_follow()
    scene.telling.on_planned()
    assert scene.called == ["follow", "planned"]
    scene.telling.on_traced()
    assert scene.ways.wanted(0, 1)
    assert scene.telling.furthest(7) == 7
    scene.listener.playhead = 9
    assert scene.telling.furthest(7) == 9
