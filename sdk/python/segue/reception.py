# SPDX-License-Identifier: Apache-2.0
"""What a stream's messages mean to a listener: blocks of samples, events, and where to go on after a break. No I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from numpy.typing import NDArray

from segue.channel import RECONNECT_TRIES, backoff
from segue.decoding import Encoding, decoder_of
from segue.errors import (
    DeadlineExceeded,
    NotFound,
    OutOfRange,
    ResourceExhausted,
    SegueError,
    StreamEnded,
    Unavailable,
    translate,
)
from segue.keeping import Keeper, resume_request
from segue.playout import Playout
from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import CreateSessionRequest, StreamAudioRequest, StreamAudioResponse

_LONGEST_PAUSE: Final = 0.5
"""Seconds between two tries of a control: its session may be back at any moment."""
_ENDS: Final = (stream_pb2.Goodbye.REASON_STOPPED, stream_pb2.Goodbye.REASON_CLOSED)
_ELSEWHERE: Final = (stream_pb2.Goodbye.REASON_DRAINING, stream_pb2.Goodbye.REASON_FAULT)
"""Ends of streams after which the music goes on with a resume point, perhaps on another server."""


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
    resumes: int = 0
    """Times that the session was brought back by its resume point."""
    playout: Playout = field(default_factory=Playout)

    @property
    def underruns(self) -> int:
        return self.playout.underruns


class Reception:
    """One listener's books, across reconnects."""

    def __init__(
        self,
        session_id: str,
        encoding: Encoding,
        from_sample: int | None,
        chunk_ms: int,
        clock: bool,
        keeper: Keeper | None = None,
    ) -> None:
        """keeper: takes what is needed to resume; None asks the server for nothing of it."""
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
        self._keeper = keeper
        self.farewell: stream_pb2.Goodbye | None = None
        """Of the server that the session has to leave."""
        self.is_lost = False
        """Whether the server says that there is no such session, so that it has to be resumed."""
        self.is_over = False
        """Whether nobody listens any more, who would bring the session back."""
        self.on_way: Callable[[str], object] = lambda token: None
        """Called with the session's token by the way to where it is now; "" if the server names none."""
        self.reader: object = None
        """Thread or task that the last block was given to."""
        self._was_resumed = False

    def request(self) -> StreamAudioRequest:
        """How to begin, or to go on."""
        request = StreamAudioRequest(
            session_id=self._session_id,
            encoding=self._decoder.encoding,
            chunk_ms=self._chunk_ms,
            without_clock=not self._clock,
            with_continuation=self._keeper is not None,
        )
        if self.next_sample is not None:
            request.from_sample = self.next_sample
            if self.stats.blocks:
                request.take = self._take
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
                self.on_way(message.ready.session_token)
            case "resume_point":
                if self._keeper is not None:
                    self._keeper.point(message.resume_point)
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
        goodbye, self.goodbye = self.goodbye, None
        if goodbye is None or goodbye.reason == stream_pb2.Goodbye.REASON_SLOW_LISTENER:
            return True
        if goodbye.reason in _ELSEWHERE and self.can_resume:
            self.farewell = goodbye
            return True
        self.goodbye = goodbye
        raise StreamEnded(goodbye)

    @property
    def can_resume(self) -> bool:
        """Whether there is what it takes to go on without the server that began."""
        return self._keeper is not None and self._keeper.is_ready and self.next_sample is not None

    def resume(self, session_token: str) -> CreateSessionRequest:
        """What brings the session back, at the sample that is wanted next."""
        if self._keeper is None or self.next_sample is None:
            raise ValueError("nothing was kept to resume from")
        request = self._keeper.resume(self.next_sample, session_token)
        self.next_sample = request.from_sample
        return resume_request(request)

    def resumed(self) -> None:
        """The session is back."""
        self.is_lost, self.farewell, self._was_resumed = False, None, True
        self.stats.resumes += 1

    def lost(self) -> bool:
        """The server says that there is no such session. Whether it may be brought back: not if it was and brought no
        audio since, time and again."""
        if not self.can_resume or (self._was_resumed and self.tries >= RECONNECT_TRIES):
            return False
        if not self._was_resumed:
            self.tries = 0  # however long nobody was there: somebody is now
        self.is_lost = True
        return True

    def pause(self) -> float:
        """Seconds until the next try, after a break."""
        return 0.0 if self.is_lost and not self._was_resumed else backoff(self.tries)

    def skip(self) -> None:
        """What was wanted is gone: go on at the live edge."""
        self.next_sample = None

    def _block(self, chunk: audio_pb2.AudioChunk) -> Block:
        pcm = self._decoder.decode(chunk)
        if self._keeper is not None:
            self._keeper.chunk(chunk)
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
        self.tries, self._was_resumed = 0, False
        return Block(chunk.first_sample, pcm, chunk.take)


class Patience:
    """With which a call is sent again while its session is being brought back: until `seconds` have passed. sender:
    thread or task that the call is of."""

    def __init__(self, seconds: float, sender: object) -> None:
        self._until = time.monotonic() + seconds
        self._sender = sender
        self._tries = 0

    def wait(self, reception: Reception | None, error: SegueError) -> float:
        """Seconds after which to send again what failed like this. Raises the error where that is pointless, and
        Unavailable where it took too long, or as long as the sender waits nobody brings the session back."""
        if not (_is_lost(error) or isinstance(error, Unavailable)):
            raise error
        if reception is None or reception.is_over or not reception.can_resume:
            raise error
        self._tries += 1
        pause = min(_LONGEST_PAUSE, backoff(self._tries))
        if time.monotonic() + pause > self._until or self._sender == reception.reader:
            raise _not_back(error)
        return pause


def wait_to_resume(reception: Reception, error: SegueError) -> float:
    """Seconds after which a session that could not be brought back may be tried again. Raises what is for good."""
    may_pass = isinstance(error, Unavailable | ResourceExhausted | DeadlineExceeded)
    if not may_pass or reception.tries >= RECONNECT_TRIES:
        raise _for_good(reception, error)
    reception.tries += 1
    return max(backoff(reception.tries), error.retry_after or 0.0)


def mend(reception: Reception, error: grpc.RpcError) -> None:
    """Decide whether a broken stream may be taken up again. Raises what can't be mended."""
    translated = translate(error)
    if isinstance(translated, OutOfRange) and reception.stats.blocks > 0 and reception.next_sample is not None:
        reception.skip()
        return
    if _is_lost(translated) and reception.can_resume:
        if reception.lost():
            return
        raise _for_good(reception, _not_back(translated)) from None
    mendable = isinstance(translated, Unavailable | ResourceExhausted) or translated.code == "CANCELLED"
    if not mendable or reception.tries >= RECONNECT_TRIES:
        raise _for_good(reception, translated) from None


def _is_lost(error: SegueError) -> bool:
    return isinstance(error, NotFound) and error.reason == "UNKNOWN_SESSION"


def _not_back(error: SegueError) -> SegueError:
    """What to say instead of "no such session" where it may still come back."""
    if not _is_lost(error):
        return error
    return Unavailable(f"the session is not back yet: {error.message}", code="UNAVAILABLE", reason=error.reason)


def _for_good(reception: Reception, error: SegueError) -> SegueError:
    """What to raise where no server was found to go on with: the reason for which the last one was left, if any."""
    return StreamEnded(reception.farewell) if reception.farewell is not None else error
