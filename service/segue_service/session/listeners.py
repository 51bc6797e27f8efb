# SPDX-License-Identifier: Apache-2.0
"""A listener's stream: pulled from the session's timeline as fast as its client reads, and cut off if that is too slow.

The queue of a listener is the timeline itself: what it has not read yet is its distance to the head, which is bounded.
A slow listener costs the others nothing, since nobody ever waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse
from segue_service.observe.metrics import Metrics
from segue_service.session.codecs import Codecs
from segue_service.session.continuation import fingerprint, pack
from segue_service.session.encoding import ENCODERS, name_of
from segue_service.session.events import EventLog
from segue_service.session.packets import Packets, Run
from segue_service.session.timeline import History
from segue_service.session.ways import Ways

Goodbye = stream_pb2.Goodbye
_KEPT_CHUNKS: Final = 16


@dataclass(frozen=True, slots=True)
class Chunk:
    """A serialised message, the sample after its last, and the run of packets that it is of, if it is compressed."""

    message: bytes
    end: int
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a listener asked for, checked: begin is its first sample, chunk_frames the length of its later chunks."""

    encoding: audio_pb2.AudioEncoding.ValueType
    begin: int
    chunk_frames: int
    clock: bool = True
    continuation: bool = False


class ChunkCache:
    """Audio messages of one session, encoded once per stretch and encoding. Event loop only."""

    def __init__(self, history: History, place: int, codecs: Codecs) -> None:
        self._history, self._place = history, place
        self._mark = fingerprint(history.axis.info)
        self._kept: OrderedDict[tuple[int, int, int, int, bool], bytes] = OrderedDict()
        self._codecs = codecs
        self.packets: dict[int, Packets] = {}
        """Of the compressed encodings that were asked for."""
        self.encoded = 0

    def delay(self, encoding: int) -> int:
        """Samples by which the end of the last frame's payload is behind the end of the frame."""
        codec = self._codecs.framed.get(encoding)
        return 0 if codec is None else codec.delay

    async def chunk(
        self, wish: Wish, begin: int, end: int, take: int, run: Run | None, *, is_last: bool = False
    ) -> Chunk | None:
        """The message that holds samples [begin, end) or the first of them, for a listener that has read `run` so far.

        None if the timeline was replaced meanwhile. is_last: the music ends at `end`.
        """
        encoding = wish.encoding
        if encoding in ENCODERS:
            return Chunk(self._message(wish, begin, end, take, 0, None), end)
        packets = self.packets.get(encoding)
        if packets is None:
            codec = self._codecs.framed[encoding]
            packets = self.packets[encoding] = Packets(self._history, self._place, codec)
        read = await packets.read(begin, end, run, is_last=is_last)
        if read is None:
            return None
        return Chunk(self._message(wish, begin, read.end, take, read.skip, read.payload), read.end, read.run)

    def _message(self, wish: Wish, begin: int, end: int, take: int, skip: int, payload: bytes | None) -> bytes:
        key = (wish.encoding, begin, end, skip, wish.continuation)
        found = self._kept.get(key)
        if found is None:
            if payload is None:
                payload = ENCODERS[wish.encoding](self._history.pcm(self._place, begin, end))
            chunk = audio_pb2.AudioChunk(
                take=take, first_sample=begin, sample_count=end - begin, payload=payload, skip_samples=skip
            )
            if wish.continuation:
                first, codes, vitals = self._history.played(self._place, begin, end)
                if len(codes):
                    chunk.continuation = pack(self._mark, first, take, codes, vitals[-1])
            found = StreamAudioResponse(audio=chunk).SerializeToString()
            self.encoded += 1
            self._kept[key] = found
            if len(self._kept) > _KEPT_CHUNKS:
                self._kept.popitem(last=False)
        return found

    def clear(self, sample: int = 0) -> None:
        """The timeline has been replaced from this sample on."""
        self._kept.clear()
        for packets in self.packets.values():
            packets.replaced(sample)


class Listener:
    """One stream of one session; `messages` belongs to its handler, the rest to the session. Event loop only."""

    def __init__(
        self,
        name: str,
        wish: Wish,
        history: History,
        place: int,
        chunks: ChunkCache,
        events: EventLog,
        metrics: Metrics,
        *,
        lag_samples: int,
        single_frames: int,
        take: int = 0,
        on_arm: Callable[[int], None],
    ) -> None:
        self.name = name
        self.wish = wish
        self.position = wish.begin
        """First sample that has not been handed to the transport."""
        self.take = take
        """Of the chunks to come."""
        self.playhead: int | None = None
        """As reported by the client."""
        self.lead_ms = 0
        """Lead that the client would like; 0: it has no wish."""
        self.ending: Goodbye | None = None
        self.on_end: Callable[[], object] | None = None
        """Called when the stream is to end, to see that it does even if its client reads nothing."""
        self._history, self._place, self._chunks, self._events = history, place, chunks, events
        self._metrics = metrics
        self._singles = self._first_singles = single_frames
        self._lag = lag_samples
        lag_now = max(0, history.head_sample(place) - wish.begin)
        self._allowed = max(lag_samples, lag_now + lag_samples)
        self._final: int | None = None
        self._waiting = False
        self._ready = asyncio.Event()
        self._on_arm = on_arm
        self.on_first: Callable[[Listener], None] | None = None
        """Called when the first chunk is handed to the transport."""
        self.ways: Ways | None = None
        """Traced controls of its session, which are followed to whoever hears them first."""
        self._extra: list[bytes] = []
        self._label = name_of(wish.encoding)
        self._delay = chunks.delay(wish.encoding)
        self._run: Run | None = None

    @property
    def need(self) -> int:
        """Head at which the session must look at this listener again: its next chunk is there, or it is too slow."""
        return self._chunk_end() + self._delay if self._waiting else self.position + self._allowed + 1

    def tell(self, message: StreamAudioResponse) -> None:
        """Send a message before the next chunk."""
        self._extra.append(message.SerializeToString())
        self._ready.set()

    def rewound(self, sample: int, take: int) -> None:
        """The timeline is another one from this sample on: send from there, in small chunks again."""
        self.take = take
        if self.position > sample:
            self.position = sample
            self._singles = self._first_singles
        self._ready.set()

    def may_lag(self, samples: int) -> None:
        """It may be this far behind the head, at least, before it is cut off."""
        self._lag = max(self._lag, samples)
        self._allowed = max(self._allowed, samples)

    def look(self, head: int) -> bool:
        """The head has moved; gives False if the listener is so far behind that it has to be cut off."""
        lag = head - self.position
        if self._waiting and head >= self._chunk_end() + self._delay:
            self._waiting = False
            self._ready.set()
        if lag <= self._lag:
            self._allowed = self._lag
        return lag <= self._allowed

    def end(self, goodbye: Goodbye, final_sample: int | None = None) -> None:
        """End the stream: at once, or after the samples before `final_sample`. The first call wins."""
        if self.ending is None:
            self.ending = goodbye
            self._final = final_sample
            self._ready.set()
            if self.on_end is not None:
                self.on_end()

    async def messages(self) -> AsyncIterator[bytes]:
        """The stream after SessionReady: events before the chunk that holds them, chunks, Goodbye last."""
        while True:
            for extra in self._extra:
                yield extra
            self._extra.clear()
            begin, end, take = self.position, self._available(), self.take
            if end > begin:
                ways = self.ways if self.ways is not None and self.ways.wanted(begin, end) else None
                asked = 0.0 if ways is None else time.monotonic()
                chunk = await self._chunks.chunk(self.wish, begin, end, take, self._run, is_last=end == self._final)
                if chunk is None or (self.position, self.take) != (begin, take):  # rewound meanwhile
                    continue
                message, end, self._run = chunk.message, chunk.end, chunk.run
                encoded = 0.0 if ways is None else time.monotonic()
                told = list(self._events.between(begin, end, clock=self.wish.clock))
                if self.on_first is not None:
                    self.on_first(self)
                    self.on_first = None
                self._singles = max(0, self._singles - 1)
                self.position = end  # all of it before anything is handed over: the timeline may be rewound meanwhile
                for event in told:
                    yield event
                yield message
                if ways is not None:
                    ways.sent(self.name, begin, end, asked, encoded)
                self._metrics.chunks.inc()
                self._metrics.audio_bytes.labels(self._label).inc(len(message))
                continue
            if self.ending is not None:
                self.ending.next_sample = self.position
                yield StreamAudioResponse(goodbye=self.ending).SerializeToString()
                return
            self._ready.clear()
            self._waiting = True
            self._on_arm(self._chunk_end() + self._delay)
            await self._ready.wait()
            self._waiting = False

    def _available(self) -> int:
        """End of the next chunk if it can be sent now, else the position."""
        if self.ending is not None and self._final is None:
            return self.position
        head = self._history.head_sample(self._place)
        if self._history.first_sample(self._place) > self.position:
            return self.position
        end = self._chunk_end()
        if self._final is not None:
            end = min(end, self._final)
            return end if end <= head else self.position
        return end if end + self._delay <= head else self.position

    def _chunk_end(self) -> int:
        """Where the next chunk ends: single frames first, then at multiples of the chunk's length, to be shared."""
        axis, length = self._history.axis, self.wish.chunk_frames
        frame = axis.frame(self.position + self._delay)
        following = frame + 1 if self._singles > 0 else (frame // length + 1) * length
        return max(0, axis.sample(following) - self._delay)
