# SPDX-License-Identifier: Apache-2.0
"""What happens in the music, as stream messages in timeline order: told ahead, and untold if it will not happen."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from segue.v1 import stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_engine.contract import FRAME_SAMPLES
from segue_service.session.timeline import Axis
from segue_service.soundtrack import (
    Effect,
    ParameterChanged,
    StateChanged,
    StingerFinished,
    StingerStarted,
    TransitionCancelled,
    TransitionFinished,
    TransitionStarted,
)


@dataclass(frozen=True, slots=True, order=True)
class Told:
    """A serialised event at its sample. frame is the machine's entry that it belongs to, -1 for what stays true."""

    sample: int
    order: int
    frame: int = field(compare=False)
    message: bytes = field(compare=False)
    is_clock: bool = field(compare=False, default=False)
    what: bytes = field(compare=False, default=b"")


class EventLog:
    """Events of one session, past (as long as audio is kept) and foreseen. Event loop only.

    note: is given every event but those of the clock, for the session's log.
    """

    def __init__(self, note: Callable[[stream_pb2.Event], None] = lambda event: None) -> None:
        self._note = note
        self._events: list[Told] = []
        self._order = 0
        self._retracted: frozenset[bytes] = frozenset()

    def add(self, event: stream_pb2.Event, frame: int = -1, *, is_clock: bool = False) -> bool:
        """Tell an event at event.sample; with a frame it may be taken back by `retract`. Gives whether it is news: not
        among what was taken back last, whatever its take."""
        if not is_clock:
            self._note(event)
        self._order += 1
        message = StreamAudioResponse(event=event).SerializeToString()
        what = _without_take(event) if frame >= 0 else b""
        bisect.insort(self._events, Told(event.sample, self._order, frame, message, is_clock, what))
        return what not in self._retracted

    def retract(self, frame: int) -> None:
        """Take back what the machine foresaw after this frame."""
        self._retracted = frozenset(event.what for event in self._events if event.frame > frame)
        self._events = [event for event in self._events if event.frame <= frame]

    def cut(self, sample: int) -> None:
        """Forget what was told of the sound from this sample on, which is replaced; the machine's own stays."""
        self._events = [event for event in self._events if event.sample < sample or event.frame >= 0]

    def between(self, begin: int, end: int, *, clock: bool) -> Iterable[bytes]:
        """Messages of the events with begin <= sample < end, in order."""
        first = bisect.bisect_left(self._events, begin, key=lambda event: event.sample)
        for event in self._events[first:]:
            if event.sample >= end:
                break
            if clock or not event.is_clock:
                yield event.message

    def forget(self, before: int) -> None:
        """Drop what lies before this sample."""
        del self._events[: bisect.bisect_left(self._events, before, key=lambda event: event.sample)]


def _without_take(event: stream_pb2.Event) -> bytes:
    plain = stream_pb2.Event()
    plain.CopyFrom(event)
    plain.take = 0
    return plain.SerializeToString(deterministic=True)


def wire_event(effect: Effect, request_id: str, take: int, axis: Axis) -> stream_pb2.Event:
    """An effect of the state machine as it goes over the wire."""
    sample = axis.audible(effect.frame)
    event = stream_pb2.Event(sample=sample, take=take, request_id=request_id)
    match effect:
        case StateChanged():
            event.state_changed.CopyFrom(stream_pb2.StateChanged(from_state=effect.previous, to_state=effect.state))
        case TransitionStarted():
            event.transition_started.CopyFrom(
                stream_pb2.TransitionStarted(
                    from_state=effect.source,
                    to_state=effect.target,
                    length_samples=axis.audible(effect.ends_at) - sample,
                    via=effect.via or "",
                )
            )
        case TransitionFinished():
            event.transition_finished.CopyFrom(
                stream_pb2.TransitionFinished(
                    from_state=effect.source, to_state=effect.target, interrupted=effect.interrupted
                )
            )
        case TransitionCancelled():
            event.transition_cancelled.CopyFrom(
                stream_pb2.TransitionCancelled(to_state=effect.target, reason=str(effect.reason))
            )
        case StingerStarted():
            if effect.clip is not None:
                # Where the beat is heard, as Beat and Bar tell it, not where its first frame may begin to differ.
                event.sample = FRAME_SAMPLES * effect.frame
            frames = 0 if effect.ends_at is None else effect.ends_at - effect.frame
            event.stinger_started.CopyFrom(
                stream_pb2.StingerStarted(
                    name=effect.name,
                    length_samples=FRAME_SAMPLES * frames,
                    clip=effect.clip or "",
                    gain_db=effect.gain_db,
                )
            )
        case StingerFinished():
            event.stinger_finished.CopyFrom(stream_pb2.StingerFinished(name=effect.name))
        case ParameterChanged():
            event.parameter_changed.CopyFrom(
                stream_pb2.ParameterChanged(
                    name=effect.name, value=effect.target, arrives_at_sample=axis.audible(effect.arrives_at)
                )
            )
    return event
