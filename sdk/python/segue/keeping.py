# SPDX-License-Identifier: Apache-2.0
"""What a listener keeps so that the music can go on when its server is gone, or from a saved game. No I/O."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from segue.controls import request_id
from segue.v1 import audio_pb2, stream_pb2
from segue.v1 import live_soundtrack_service_pb2 as live

KEPT_SECONDS: Final = 20
_SAMPLE_RATE: Final = 48_000


@dataclass(frozen=True, slots=True)
class _Piece:
    begin: int
    end: int
    data: bytes


class Keeper:
    """The continuation bytes of the last 20 s, some 12 KB, and the newest resume point."""

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque()
        self._point: stream_pb2.ResumePoint | None = None
        self._take = 0

    @property
    def is_ready(self) -> bool:
        """Whether there is a resume point to go on from."""
        return self._point is not None

    def chunk(self, chunk: audio_pb2.AudioChunk) -> None:
        """A chunk has arrived; what it replaces is dropped."""
        self._take = max(self._take, chunk.take)
        if not chunk.continuation:
            return
        while self._pieces and self._pieces[-1].begin >= chunk.first_sample:
            self._pieces.pop()
        end = chunk.first_sample + chunk.sample_count
        self._pieces.append(_Piece(chunk.first_sample, end, chunk.continuation))
        while self._pieces[0].end < end - KEPT_SECONDS * _SAMPLE_RATE:
            self._pieces.popleft()

    def point(self, point: stream_pb2.ResumePoint) -> None:
        """A resume point has arrived."""
        self._point = point

    def resume(self, next_sample: int, session_token: str = "") -> live.ResumeRequest:
        """How to go on at `next_sample`, or at the take that was about to come. With the session's token as the same
        session, without as another. Raises ValueError if there is no resume point."""
        if self._point is None:
            raise ValueError("there is no resume point: none has arrived yet")
        if self._point.take > self._take:
            next_sample = min(next_sample, self._point.sample)
        return live.ResumeRequest(
            token=self._point.token,
            continuation=[piece.data for piece in self._pieces if piece.begin < next_sample],
            from_sample=next_sample,
            session_token=session_token,
        )


def resume_request(
    resume: live.ResumeRequest, lead_ms: int = 0, *, paused: bool = False, labels: dict[str, str] | None = None
) -> live.CreateSessionRequest:
    """A request for a session that goes on."""
    return live.CreateSessionRequest(
        resume=resume, target_lead_ms=lead_ms, paused=paused, labels=labels or {}, request_id=request_id()
    )


def opened(saved: bytes) -> live.ResumeRequest:
    """What `Session.save` gave. Raises ValueError."""
    try:
        found = live.ResumeRequest.FromString(saved)
    except Exception as error:  # protobuf's own class differs between its implementations
        raise ValueError("saved: expected the bytes that Session.save gave") from error
    if not found.token:
        raise ValueError("saved: expected the bytes that Session.save gave")
    return found
