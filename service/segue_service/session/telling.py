# SPDX-License-Identifier: Apache-2.0
"""What a session's listeners are told: what steering foresees, takes back and replaces, and what arrives from the
engine. Steering and the hub call in here and know nothing of listeners; what listeners do to a session is `listening`.
"""

from __future__ import annotations

from collections.abc import Callable

from segue.v1 import stream_pb2
from segue_engine.contract import FRAME_SAMPLES
from segue_service.session.audience import Audience
from segue_service.session.events import EventLog
from segue_service.session.parts import Parts
from segue_service.session.ways import Ways


class Telling:
    """Fulfils `steering.Stage` and `hub.Tenant` for a session, whose place in the hub it takes. Event loop only."""

    def __init__(
        self,
        parts: Parts,
        ways: Ways,
        *,
        frame: int,
        lead_ms: int,
        on_planned: Callable[[], None],
        on_follow: Callable[[], None],
    ) -> None:
        """frame: where the timeline begins here. on_planned, on_follow: what else is to be done then."""
        self.place = parts.hub.attach(self, frame)
        self.events = EventLog(lambda event: parts.logs.note(self.place, "event", event=event))
        self.audience = Audience(
            *(parts.hub, self.place, self.events, parts.settings, parts.metrics, parts.codecs), lead_ms=lead_ms
        )
        self.overtaken = 0
        """How often the server could not keep its lead."""
        self._hub, self._metrics, self._ways = parts.hub, parts.metrics, ways
        self._on_planned, self._on_follow = on_planned, on_follow

    # What steering tells

    def furthest(self, playhead: int) -> int:
        """See Stage."""
        return self.audience.furthest(playhead)

    def on_event(self, event: stream_pb2.Event, frame: int) -> None:
        """See Stage. Whoever has got its place already is told now."""
        if self.events.add(event, frame):
            self.audience.tell_late(event)

    def on_planned(self) -> None:
        """See Stage."""
        self._on_planned()

    def on_traced(self) -> None:
        """See Stage."""
        self._ways.arm()
        self._hub.follow_ways(self.place, self._ways)

    def on_limited(self) -> None:
        """See Stage."""
        self.audience.warn(
            stream_pb2.Warning.CODE_REWIND_LIMITED, "too many rewinds: a control landed at the head instead"
        )

    def on_rewound(self, first: int, head: int, take: int) -> None:
        """See Stage. Whoever has got more of the old take gets it anew from there."""
        axis = self._hub.history.axis
        sample = axis.audible(first)
        self.events.cut(sample)
        rewound = stream_pb2.Rewound(replaced_until_sample=axis.audible(head))
        event = stream_pb2.Event(sample=sample, take=take, rewound=rewound)
        self.audience.rewound(sample, take)
        self.events.add(event)

    # What the hub tells

    def on_audio(self, head_sample: int) -> None:
        """See Tenant."""
        self.audience.on_audio(head_sample)

    def on_follow(self) -> None:
        """See Tenant."""
        self._on_follow()

    def on_beat(
        self, frame: float, beat: int, bar: int, bpm: float, beats_per_bar: int, phrase_bars: int, confidence: float
    ) -> None:
        """See Tenant. A bar is told, too, where one begins."""
        sample = round(FRAME_SAMPLES * frame)
        if beat == 0:
            told = stream_pb2.Bar(
                bar=bar, phrase_bars=phrase_bars, bpm=bpm, beats_per_bar=beats_per_bar, confidence=confidence
            )
            self.events.add(stream_pb2.Event(sample=sample, bar=told), is_clock=True)
        event = stream_pb2.Beat(beat=beat, bar=bar, bpm=bpm, beats_per_bar=beats_per_bar, confidence=confidence)
        self.events.add(stream_pb2.Event(sample=sample, beat=event), is_clock=True)

    def on_overtaken(self) -> None:
        """See Tenant. It is said now and then."""
        self.overtaken += 1
        self._metrics.underruns.labels("server").inc()
        self.audience.warn(stream_pb2.Warning.CODE_LEAD_LOST, "the server could not keep its lead")
