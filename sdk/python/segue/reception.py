# SPDX-License-Identifier: Apache-2.0
"""What a stream's messages mean to a listener: blocks of samples, events, and where to go on after a break. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from numpy.typing import NDArray

from segue.channel import RECONNECT_TRIES
from segue.decoding import Encoding, decoder_of
from segue.errors import OutOfRange, ResourceExhausted, StreamEnded, Unavailable, translate
from segue.playout import Playout
from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioRequest, StreamAudioResponse

_ENDS: Final = (stream_pb2.Goodbye.REASON_STOPPED, stream_pb2.Goodbye.REASON_CLOSED)


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of the timeline: pcm int16[n, 2] (float32 where that was asked for), from first_sample on.

    Blocks of one take follow each other. One of a higher take replaces whatever lies from its first sample on:
    `PlaybackBuffer` does that.
    """

    first_sample: int
    pcm: NDArray[Any]
    take: int

    @property
    def end(self) -> int:
        """The sample after the last."""
        return self.first_sample + len(self.pcm)


@dataclass(slots=True)
class Stats:
    """What a listener has seen. underruns are reckoned as if the audio were played from 200 ms after its arrival."""

    blocks: int = 0
    samples: int = 0
    gaps: int = 0
    """Times that samples were missed for good."""
    takes: int = 0
    """Times that samples were replaced by a later take."""
    reconnects: int = 0
    playout: Playout = field(default_factory=Playout)

    @property
    def underruns(self) -> int:
        return self.playout.underruns


class Reception:
    """One listener's books, across reconnects."""

    def __init__(
        self, session_id: str, encoding: Encoding, from_sample: int | None, chunk_ms: int, clock: bool
    ) -> None:
        self._encoding: Encoding = encoding
        self._decoder = decoder_of(encoding)
        self.stats = Stats()
        self.on_event: list[Callable[[stream_pb2.Event], object]] = []
        self.on_warning: list[Callable[[stream_pb2.Warning], object]] = []
        self.goodbye: stream_pb2.Goodbye | None = None
        self.ready: stream_pb2.SessionReady | None = None
        self.listener_id = ""
        self.next_sample = from_sample
        self.tries = 0
        """Reconnects since audio last arrived."""
        self._session_id = session_id
        self._chunk_ms, self._clock = chunk_ms, clock
        self._take = 0

    def request(self) -> StreamAudioRequest:
        """How to begin, or to go on."""
        request = StreamAudioRequest(
            session_id=self._session_id,
            encoding=self._decoder.encoding,
            chunk_ms=self._chunk_ms,
            without_clock=not self._clock,
        )
        if self.next_sample is not None:
            request.from_sample = self.next_sample
        return request

    def take(self, message: StreamAudioResponse) -> Block | None:
        """The block in a message, if it holds one; calls back for events and warnings."""
        match message.WhichOneof("message"):
            case "audio":
                return self._block(message.audio)
            case "event":
                for event_callback in self.on_event:
                    event_callback(message.event)
            case "warning":
                for warning_callback in self.on_warning:
                    warning_callback(message.warning)
            case "ready":
                self.ready = message.ready
                self._decoder = decoder_of(self._encoding)
                self.listener_id = message.ready.listener_id
            case "goodbye":
                self.goodbye = message.goodbye
        return None

    @property
    def finished(self) -> bool:
        """Whether the music has come to its end."""
        return self.goodbye is not None and self.goodbye.reason in _ENDS

    def should_return(self) -> bool:
        """After the stream ended: whether to reconnect. Raises StreamEnded if that is pointless."""
        if self.finished:
            return False
        if self.goodbye is not None and self.goodbye.reason != stream_pb2.Goodbye.REASON_SLOW_LISTENER:
            raise StreamEnded(self.goodbye)
        self.goodbye = None
        return True

    def skip(self) -> None:
        """What was wanted is gone: go on at the live edge."""
        self.next_sample = None

    def _block(self, chunk: audio_pb2.AudioChunk) -> Block:
        pcm = self._decoder.decode(chunk)
        stats = self.stats
        stats.blocks += 1
        stats.samples += len(pcm)
        is_new = stats.blocks > 1 and chunk.take > self._take
        replaces = is_new and self.next_sample is not None and chunk.first_sample <= self.next_sample
        self._take = max(self._take, chunk.take)
        stats.takes += is_new
        if stats.blocks > 1 and chunk.first_sample != self.next_sample and not replaces:
            stats.gaps += 1
        stats.playout.arrived(chunk.first_sample, len(pcm), time.monotonic(), replaces=replaces)
        self.next_sample = chunk.first_sample + len(pcm)
        self.tries = 0
        return Block(chunk.first_sample, pcm, chunk.take)


def mend(reception: Reception, error: grpc.RpcError) -> None:
    """Decide whether a broken stream may be taken up again. Raises what can't be mended."""
    translated = translate(error)
    if isinstance(translated, OutOfRange) and reception.stats.blocks > 0 and reception.next_sample is not None:
        reception.skip()
        return
    mendable = isinstance(translated, Unavailable | ResourceExhausted) or translated.code == "CANCELLED"
    if not mendable or reception.tries >= RECONNECT_TRIES:
        raise translated from None
