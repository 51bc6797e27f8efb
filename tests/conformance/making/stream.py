# SPDX-License-Identifier: Apache-2.0
"""stream.json and stream.grpcweb: a whole stream as a server sends it, and what a listener has at its end; and which
events are raised at what time, by the playhead."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from making.plain import fields_of, frame, trailers
from segue.v1 import audio_pb2, stream_pb2
from segue.v1.live_soundtrack_service_pb2 import StreamAudioResponse as Message

_FRAME = 1920
Event = stream_pb2.Event


def body() -> bytes:
    """The response's body, binary."""
    return b"".join(frame(message.SerializeToString()) for message in _messages()) + trailers(grpc_status="0")


def make() -> dict[str, Any]:
    """The file."""
    heard = b"".join(_pcm(0, n) for n in range(3)) + b"".join(_pcm(1, n) for n in range(3, 6))
    return {
        "stream": {
            "file": "stream.grpcweb",
            "messages": [_kind(message) for message in _messages()],
            "blocks": sum(message.HasField("audio") for message in _messages()),
            "takes": 1,
            "gaps": 0,
            "next_sample": str(6 * _FRAME),
            "pcm_bytes": len(heard),
            "pcm_sha256": hashlib.sha256(heard).hexdigest(),
            "finished": True,
        },
        "aligned": _aligned(),
    }


def _pcm(take: int, number: int) -> bytes:
    samples = ((n * 13 + 7_000 * take) % 20_000 for n in range(number * _FRAME, (number + 1) * _FRAME))
    return b"".join(struct.pack("<2h", n, -n) for n in samples)


def _audio(take: int, number: int) -> Message:
    chunk = audio_pb2.AudioChunk(
        take=take,
        first_sample=number * _FRAME,
        sample_count=_FRAME,
        payload=_pcm(take, number),
        continuation=b"codes %d %d" % (take, number),
    )
    return Message(audio=chunk)


def _messages() -> list[Message]:
    ready = stream_pb2.SessionReady(listener_id="l-1", report_every_ms=500)
    ready.session.session_id, ready.session.state = "s-1", "explore"
    ready.format.sample_rate, ready.format.channels, ready.format.frame_samples = 48_000, 2, _FRAME
    ready.format.encoding = audio_pb2.AUDIO_ENCODING_S16
    fight = stream_pb2.TransitionStarted(from_state="explore", to_state="combat", length_samples=2 * _FRAME)
    stopped = stream_pb2.Goodbye(reason=stream_pb2.Goodbye.REASON_STOPPED, next_sample=6 * _FRAME, retry_after_ms=-1)
    there = stream_pb2.StateChanged(from_state="explore", to_state="combat")
    return [
        Message(ready=ready),
        Message(warning=stream_pb2.Warning(code=stream_pb2.Warning.CODE_CLAMPED, message="danger was clamped")),
        Message(resume_point=stream_pb2.ResumePoint(token=b"point 0")),
        Message(event=Event(sample=0, bar=stream_pb2.Bar(bar=0, bpm=120, beats_per_bar=4))),
        Message(event=Event(sample=0, beat=stream_pb2.Beat(bpm=120, beats_per_bar=4))),
        *(_audio(0, number) for number in range(5)),
        Message(event=Event(sample=3 * _FRAME, take=1, rewound=stream_pb2.Rewound(replaced_until_sample=5 * _FRAME))),
        Message(event=Event(sample=3 * _FRAME, take=1, request_id="r-1", transition_started=fight)),
        Message(resume_point=stream_pb2.ResumePoint(token=b"point 1", sample=3 * _FRAME, take=1)),
        _audio(1, 3),
        Message(event=Event(sample=4 * _FRAME + 480, take=1, state_changed=there)),
        *(_audio(1, number) for number in (4, 5)),
        Message(goodbye=stopped),
    ]


def _kind(message: Message) -> dict[str, Any]:
    kind = message.WhichOneof("message")
    if kind == "audio":
        audio = message.audio
        return {"kind": kind, "take": audio.take, "first_sample": str(audio.first_sample), "count": audio.sample_count}
    return {"kind": kind, "fields": fields_of(getattr(message, str(kind)))}


def _aligned() -> list[dict[str, Any]]:
    """Steps: an event arrives, or the playhead (first sample not heard) has moved; `raised`: names, in order."""
    beat = stream_pb2.Beat(beat=1)
    return [
        {
            "case": "events wait for their samples, in the order of those, then of their arrival",
            "steps": [
                _arrives("b", Event(sample=2000, beat=beat)),
                _arrives("a", Event(sample=1000, beat=beat)),
                _arrives("c", Event(sample=2000, bar=stream_pb2.Bar(bar=1))),
                _moves(1000, []),
                _moves(1001, ["a"]),
                _moves(5000, ["b", "c"]),
            ],
        },
        {
            "case": "an event of a stretch that is replaced is void; what still holds is told again",
            "steps": [
                _arrives("kept", Event(sample=1000, beat=beat)),
                _arrives("void", Event(sample=3000, beat=beat)),
                _arrives("rewound", Event(sample=2000, take=1, rewound=stream_pb2.Rewound(replaced_until_sample=4000))),
                _arrives("again", Event(sample=3000, take=1, beat=beat)),
                _moves(5000, ["kept", "rewound", "again"]),
            ],
        },
        {
            "case": "an event whose sample has been heard is raised at once",
            "steps": [_moves(5000, []), _arrives("late", Event(sample=4000, beat=beat)), _moves(5000, ["late"])],
        },
    ]


def _arrives(name: str, event: Event) -> dict[str, Any]:
    return {"arrives": name, "hex": Message(event=event).SerializeToString().hex()}


def _moves(playhead: int, raised: list[str]) -> dict[str, Any]:
    return {"playhead": playhead, "raised": raised}
