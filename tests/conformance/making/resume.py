# SPDX-License-Identifier: Apache-2.0
"""resume.json: what a listener keeps of a stream, and what it sends so that another server goes on; when it does so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from making.plain import fields_of
from segue.keeping import Keeper
from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse

_FRAME = 1920
_SECOND = 48_000
Message = StreamAudioResponse


def make() -> dict[str, Any]:
    """The file."""
    return {"kept_seconds": 20, "kept": list(_kept()), "endings": list(_endings())}


def _chunk(first: int, count: int = _FRAME, take: int = 0, mark: bytes | None = None) -> Message:
    continuation = b"c%d-%d" % (take, first) if mark is None else mark
    chunk = audio_pb2.AudioChunk(take=take, first_sample=first, sample_count=count, continuation=continuation)
    return Message(audio=chunk)


def _point(token: bytes, sample: int, take: int = 0) -> Message:
    return Message(resume_point=stream_pb2.ResumePoint(token=token, sample=sample, take=take))


def _kept() -> Iterator[dict[str, Any]]:
    plain = [_point(b"p0", 0), _chunk(0), _chunk(_FRAME), _chunk(2 * _FRAME)]
    yield _keeping("all that has come", plain, 3 * _FRAME, "secret")
    yield _keeping("for another session", plain, 3 * _FRAME, "")
    yield _keeping("from what was heard: later pieces are left out", plain, _FRAME + 7, "secret")
    yield _keeping("no resume point yet", plain[1:], 3 * _FRAME, "secret")
    newer = [*plain, _point(b"p1", 2 * _FRAME)]
    yield _keeping("the newest resume point", newer, 3 * _FRAME, "secret")
    taken = [*plain, _chunk(_FRAME, take=1), _chunk(2 * _FRAME, take=1)]
    yield _keeping("a take: pieces from its place on are replaced", taken, 3 * _FRAME, "secret")
    inside = [*plain, _chunk(_FRAME + 960, 960, take=1)]
    yield _keeping("a take in the middle of a piece: both are sent", inside, 2 * _FRAME, "secret")
    coming = [*plain, _point(b"p2", _FRAME, take=1)]
    yield _keeping("a resume point of a take that has not come: from its place", coming, 3 * _FRAME, "secret")
    later = [*plain, _point(b"p2", 9 * _FRAME, take=1)]
    yield _keeping("a take that lies ahead changes nothing", later, 3 * _FRAME, "secret")
    mute = [_point(b"p0", 0), _chunk(0), _chunk(_FRAME, mark=b""), _chunk(2 * _FRAME)]
    yield _keeping("a chunk without continuation", mute, 3 * _FRAME, "secret")
    old = [_point(b"p0", 0), *[_chunk(n * _SECOND, _SECOND) for n in range(30)]]
    yield _keeping("20 s and no more", old, 30 * _SECOND, "secret")


def _keeping(case: str, messages: list[Message], next_sample: int, token: str) -> dict[str, Any]:
    keeper = Keeper()
    for message in messages:
        if message.HasField("audio"):
            keeper.chunk(message.audio)
        else:
            keeper.point(message.resume_point)
    made: dict[str, Any] = {"case": case, "messages_hex": [message.SerializeToString().hex() for message in messages]}
    made |= {"next_sample": str(next_sample), "session_token": token}
    if not keeper.is_ready:
        return made | {"resume": None}
    request = keeper.resume(next_sample, token)
    return made | {"resume": {"hex": request.SerializeToString().hex(), "fields": fields_of(request)}}


def _endings() -> Iterator[dict[str, Any]]:
    """How a stream ended, whether there is a resume point, and what to do: literal, since it is the rule."""
    goodbye = stream_pb2.Goodbye
    table: list[tuple[Any, int, str, str]] = [
        (goodbye.REASON_CLOSED, -1, "finish", "finish"),
        (goodbye.REASON_STOPPED, -1, "finish", "finish"),
        (goodbye.REASON_DRAINING, 2_000, "reconnect", "fail"),
        (goodbye.REASON_FAULT, 1_000, "reconnect", "fail"),
        (goodbye.REASON_SLOW_LISTENER, 0, "reconnect", "reconnect"),
        (goodbye.REASON_IDLE, -1, "fail", "fail"),
        (goodbye.REASON_SUSPENDED, -1, "fail", "fail"),
        (goodbye.REASON_TOKEN_EXPIRED, -1, "fail", "fail"),
        (4242, -1, "fail", "fail"),
    ]
    for reason, retry_ms, kept, bare in table:
        name = (
            goodbye.Reason.Name(reason).removeprefix("REASON_") if reason in goodbye.Reason.values() else "a later one"
        )
        message = Message(goodbye=goodbye(reason=reason, message="why", retry_after_ms=retry_ms, next_sample=5_760))
        for has_point, action in ((True, kept), (False, bare)):
            told = {"case": f"Goodbye: {name}", "goodbye_hex": message.SerializeToString().hex()}
            yield {**told, "has_resume_point": has_point, "action": action}
    yield _broken("the stream ends without a word", 0, "", "reconnect", "reconnect")
    yield from _errors()


def _errors() -> Iterator[dict[str, Any]]:
    table = [
        ("the connection broke", 14, "", "reconnect", "reconnect"),
        ("the server goes down", 14, "DRAINING", "reconnect", "reconnect"),
        ("too many listeners", 8, "TOO_MANY_LISTENERS", "reconnect", "reconnect"),
        ("cancelled on the way", 1, "", "reconnect", "reconnect"),
        ("the server has lost the session", 5, "UNKNOWN_SESSION", "resume", "fail"),
        ("the sample is gone", 11, "SAMPLE_GONE", "live edge", "live edge"),
        ("the wrong token", 7, "TOKEN_WRONG", "fail", "fail"),
        ("no token", 16, "TOKEN_MISSING", "fail", "fail"),
        ("a field", 3, "INVALID_FIELD", "fail", "fail"),
        ("a fault", 13, "FAULT", "fail", "fail"),
    ]
    for row in table:
        yield _broken(*row)


def _broken(case: str, code: int, reason: str, kept: str, bare: str) -> dict[str, Any]:
    told = {"code": code, "reason": reason} if code else {}
    return {"case": case, **told, "action_with_resume_point": kept, "action_without": bare}
