# SPDX-License-Identifier: Apache-2.0
"""The listeners of one session: who may join and from where, who is woken, who is cut off. Event loop only."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from segue.v1 import stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_engine.contract import SAMPLE_RATE
from segue_service.config import Settings
from segue_service.errors import sample_gone, too_many_listeners
from segue_service.observe.metrics import Metrics
from segue_service.session.codecs import Codecs
from segue_service.session.events import EventLog
from segue_service.session.hub import NEVER, Hub
from segue_service.session.listeners import ChunkCache, Listener, Wish

Goodbye = stream_pb2.Goodbye
_WARN_EVERY = 5.0


def stopped() -> stream_pb2.Goodbye:
    """What listeners of a session that was stopped are told."""
    return Goodbye(reason=Goodbye.REASON_STOPPED, message="the music was stopped", retry_after_ms=-1)


class Audience:
    """Listeners by name. `on_audio` is told when the head has reached what one of them waits for."""

    def __init__(
        self,
        hub: Hub,
        place: int,
        events: EventLog,
        settings: Settings,
        metrics: Metrics,
        codecs: Codecs,
        *,
        lead_ms: int,
    ) -> None:
        self._lead_ms = lead_ms
        self.chunks = ChunkCache(hub.history, place, codecs)
        self._hub, self._place, self._events = hub, place, events
        self._settings, self._metrics = settings, metrics
        self._listeners: dict[str, Listener] = {}
        self._numbers = 0
        self._takes: list[tuple[int, int]] = []
        self._warned: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._listeners)

    @property
    def lone(self) -> Listener | None:
        """The listener, if there is exactly one."""
        return next(iter(self._listeners.values())) if len(self._listeners) == 1 else None

    @property
    def lead_ms(self) -> int:
        """The largest lead that the session or any of its listeners was to have."""
        return max((self._lead_ms, *(one.lead_ms for one in self._listeners.values())))

    def ask_lead(self, name: str, lead_ms: int) -> bool:
        """A listener would like this lead for as long as it listens; gives whether another one holds by that."""
        listener, before = self.get(name), self.lead_ms
        if listener is None:
            return False
        listener.lead_ms = lead_ms
        for one in self._listeners.values():
            one.may_lag(self._lag_ms * SAMPLE_RATE // 1000)
        return self.lead_ms != before

    @property
    def _lag_ms(self) -> int:
        # While a session catches up with its lead, a listener that reads at once is behind by as much of it.
        return self._settings.listener_lag_ms + self.lead_ms

    def get(self, name: str) -> Listener | None:
        """A listener by name; "" is the lone one."""
        return self._listeners.get(name) if name else self.lone

    def join(self, wish: Wish, begin: int | None, playhead: int, take: int, held: int | None = None) -> Listener:
        """A new listener from `begin` on, None: from the playhead. Raises Refused.

        held: the take of what it has before `begin`. What is another one by now is sent again.
        """
        settings, history = self._settings, self._hub.history
        if len(self._listeners) >= settings.max_listeners:
            raise too_many_listeners(settings.max_listeners, settings.retry_after_ms)
        first, head = history.first_sample(self._place), history.head_sample(self._place)
        if begin is not None and held is not None:
            replaced = (sample for its, sample in self._takes if its > held)
            begin = max(min((begin, *replaced)), min(begin, first))
        if begin is None:
            begin = min(max(playhead, first), head)
        elif not first <= begin <= head:
            raise sample_gone(begin, first, head)
        self._numbers += 1
        listener = Listener(
            f"listener-{self._numbers}-{secrets.token_hex(4)}",  # nobody reports for another
            replace(wish, begin=begin),
            history,
            self._place,
            self.chunks,
            self._events,
            self._metrics,
            lag_samples=self._lag_ms * SAMPLE_RATE // 1000,
            single_frames=settings.single_frame_chunks,
            take=take,
            on_arm=self._arm,
        )
        self._listeners[listener.name] = listener
        self._metrics.listeners.inc()
        self._arm(listener.need)
        return listener

    def leave(self, listener: Listener) -> bool:
        """The stream is over. Gives False if it was already."""
        if self._listeners.pop(listener.name, None) is None:
            return False
        self._metrics.listeners.dec()
        return True

    def on_audio(self, head_sample: int) -> None:
        """Wake those whose chunk is there; cut off those that are too slow."""
        self._events.forget(self._hub.history.first_sample(self._place))
        for listener in list(self._listeners.values()):
            if listener.ending is None and not listener.look(head_sample):
                self._metrics.cut_listeners.labels("slow").inc()
                message = f"the listener fell more than {self._lag_ms} ms behind"
                listener.end(Goodbye(reason=Goodbye.REASON_SLOW_LISTENER, message=message, retry_after_ms=100))
        needs = [listener.need for listener in self._listeners.values() if listener.ending is None]
        self._hub.wake_sample[self._place] = min(needs, default=NEVER)

    def furthest(self, playhead: int) -> int:
        """The first sample that nobody has heard, given the session's playhead."""
        reported = (one.playhead for one in self._listeners.values() if one.playhead is not None)
        return max((playhead, *reported))

    def rewound(self, sample: int, take: int) -> None:
        """The timeline is another one from this sample on."""
        self.chunks.clear(sample)
        self.began(sample, take)
        for listener in self._listeners.values():
            listener.rewound(sample, take)
        needs = [listener.need for listener in self._listeners.values() if listener.ending is None]
        self._hub.wake_sample[self._place] = min(needs, default=NEVER)

    def began(self, sample: int, take: int) -> None:
        """This take begins at this sample."""
        oldest = self._hub.history.first_sample(self._place)
        self._takes = [one for one in self._takes if one[1] >= oldest]
        self._takes.append((take, sample))

    @property
    def keeps(self) -> bool:
        """Whether any listener wants continuation bytes and resume points."""
        return any(listener.wish.continuation for listener in self._listeners.values())

    def tell_keepers(self, message: StreamAudioResponse) -> None:
        """Send a message to those who want continuation bytes and resume points."""
        for listener in self._listeners.values():
            if listener.wish.continuation:
                listener.tell(message)

    def tell_late(self, event: stream_pb2.Event) -> None:
        """Tell an event to those whom the chunk that holds it has left already."""
        for listener in self._listeners.values():
            if listener.position > event.sample:
                listener.tell(StreamAudioResponse(event=event))

    def warn(self, code: stream_pb2.Warning.Code.ValueType, message: str) -> None:
        """Tell every listener something, the same thing at most every few seconds."""
        now = time.monotonic()
        if now - self._warned.get(code, -_WARN_EVERY) < _WARN_EVERY:
            return
        self._warned[code] = now
        sample = self._hub.history.head_sample(self._place)
        self.tell(StreamAudioResponse(warning=stream_pb2.Warning(code=code, message=message, sample=sample)))

    def tell(self, message: StreamAudioResponse) -> None:
        """Send everybody a message before their next chunk."""
        for listener in self._listeners.values():
            listener.tell(message)

    def end(self, goodbye: stream_pb2.Goodbye, final_sample: int | None = None) -> None:
        """End every stream: at once, or after the samples before `final_sample`."""
        for listener in list(self._listeners.values()):
            own = Goodbye()
            own.CopyFrom(goodbye)
            listener.end(own, final_sample)

    def _arm(self, sample: int) -> None:
        wake = self._hub.wake_sample
        wake[self._place] = min(int(wake[self._place]), sample)
