# SPDX-License-Identifier: Apache-2.0
"""The server that inputs are sent to, and a session of its that they may do everything with.

That session has a fixed id and token, and is brought back by a resume point whenever it is gone: so an input's bytes
mean the same at every server, today and when a finding is run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import grpc

from fuzzing.pace import Pace
from segue.channel import OPTIONS
from segue.v1 import live_soundtrack_service_pb2 as live
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue_service.session.resume_point import Seal, digest_of

RESUME_KEY: Final = "a key that only fuzzed servers have"
OPERATOR_TOKEN: Final = "operator of servers that are fuzzed"
SESSION: Final = "s-00c0ffee00c0ffee"
TOKEN: Final = "token-of-the-session-that-is-given-up-to-it"
SETTINGS: Final[Mapping[str, Any]] = {
    "resume_keys": [RESUME_KEY],
    "resume_days": 36_500,
    "operator_token": OPERATOR_TOKEN,
    "grace_ms": 3_000,
    "max_suspended": 64,
    "listener_lag_ms": 4_000,
    "goodbye_ms": 200,
    # The tones of the engine without a model never change by themselves: that is no fault to mend.
    "guard_silence_ms": 0,
    "guard_loop_ms": 0,
}
"""What a server needs to be fuzzed."""
LIVE: Final = "/segue.v1.LiveSoundtrackService/"
AUTHORING: Final = "/segue.v1.SoundtrackAuthoringService/"
_BAD: Final = frozenset((grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS))
_STREAM_SECONDS: Final = 0.05
PATIENCE: Final = 6.0


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Metadata that shows this token."""
    return (("authorization", f"Bearer {token}"),)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended; messages: the first of them, serialised. late: it did not end within the limit."""

    code: grpc.StatusCode
    details: str = ""
    messages: Sequence[bytes] = ()
    late: str = ""

    @property
    def fault(self) -> str | None:
        """What is wrong with it, whatever was asked."""
        if self.late:
            return self.late
        return f"{self.code.name}: {self.details}" if self.code in _BAD else None


@dataclass(slots=True)
class Subject:
    """A server. limit: seconds that one call may take, by `pace`; by the wall it may be PATIENCE times that. web: host
    and port of gRPC-Web, None if it is not served."""

    address: str
    web: tuple[str, int] | None = None
    limit: float = 10.0
    pace: Pace = field(default_factory=Pace)
    may_drain: bool = False
    words: Sequence[str] = ()
    """What the soundtrack's parts are called."""
    points: list[dict[str, Any]] = field(default_factory=list)
    """Contents of resume points."""
    pieces: list[bytes] = field(default_factory=list)
    """Continuation bytes of a stream, and the sample after them."""
    sample: int = 0
    is_gone: bool = True
    """Whether an answer has said that the session is not there."""
    answers: dict[str, int] = field(default_factory=dict)
    """How often calls ended how."""
    seal: Seal = field(default_factory=lambda: Seal([RESUME_KEY.encode()], 36_500))
    _channel: Any = field(init=False)
    """grpc.aio.Channel: bytes in, bytes out."""

    @contextlib.asynccontextmanager
    async def open(self, soundtrack: str = "dungeon") -> AsyncIterator[Subject]:
        """Connected, and its session begun. Raises AssertionError if the server is not as SETTINGS would have it."""
        options = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        async with grpc.aio.insecure_channel(self.address, options=options) as self._channel:
            await self._learn(soundtrack)
            await self.renew()
            yield self

    async def call(
        self,
        path: str,
        data: bytes,
        metadata: Sequence[tuple[str, str | bytes]] = (),
        *,
        streams: int = 0,
        deadline: float | None = None,
    ) -> Answer:
        """One call. streams: messages of a stream that must come; others are taken if they do within moments."""
        made, began = list[bytes](), self.pace.now()
        try:
            async with asyncio.timeout(PATIENCE * self.limit):
                if streams:
                    await self._read(path, data, metadata, deadline, streams, made)
                else:
                    made.append(await self._channel.unary_unary(path)(data, metadata=metadata, timeout=deadline))
            answer = Answer(grpc.StatusCode.OK, "", made)
        except TimeoutError:
            answer = Answer(grpc.StatusCode.DEADLINE_EXCEEDED, "", made)
        except grpc.aio.AioRpcError as error:
            answer = Answer(error.code(), error.details() or "", made)
        if self.pace.now() - began > self.limit:
            answer = Answer(answer.code, answer.details, made, f"no answer within {self.limit:g} s: {path}")
        self.is_gone |= answer.code is grpc.StatusCode.NOT_FOUND and SESSION in answer.details
        name = "LATE" if answer.late else answer.code.name
        self.answers[name] = self.answers.get(name, 0) + 1
        return answer

    async def renew(self) -> None:
        """Bring the session back, if it is said to be gone. A server that is full may leave it so for a while."""
        if not self.is_gone:
            return
        token = self.signed({**self.points[0], "session": SESSION, "digest": digest_of(TOKEN)})
        resume = live.ResumeRequest(token=token, from_sample=self.sample, session_token=TOKEN)
        asked = live.CreateSessionRequest(resume=resume).SerializeToString()
        self.is_gone = (await self.call(LIVE + "CreateSession", asked)).code is not grpc.StatusCode.OK

    def signed(self, content: Any) -> bytes:
        """A resume point with this content, which may be no resume point's at all, signed as a server would."""
        name = hashlib.sha256(RESUME_KEY.encode()).hexdigest()[:6]
        return f"{name}.{self.seal._serializer.dumps(content)}".encode()

    async def played(self, response: bytes, *, is_paused: bool = False) -> str | None:
        """What goes wrong when a session that was created is listened to, looked at, steered and closed."""
        created = live.CreateSessionResponse.FromString(response)
        session, token = created.session.session_id, bearer(created.session_token)
        stream = live.StreamAudioRequest(session_id=session, with_continuation=True).SerializeToString()
        event = live.PostEventRequest(event=self.words[0] if self.words else "go")
        event.control.session_id = session
        state = live.SetStateRequest(state=created.session.state)
        state.control.session_id = session
        for name, data in (
            *([] if is_paused else [("StreamAudio", stream)]),
            ("GetSession", live.GetSessionRequest(session_id=session).SerializeToString()),
            ("PostEvent", event.SerializeToString()),
            ("SetState", state.SerializeToString()),
            *([] if is_paused else [("StreamAudio", stream)]),
            ("CloseSession", live.CloseSessionRequest(session_id=session).SerializeToString()),
        ):
            answer = await self.call(LIVE + name, data, token, streams=2 if name == "StreamAudio" else 0)
            if answer.fault is not None:
                return f"then {name}: {answer.fault}"
            if name == "StreamAudio" and answer.code is grpc.StatusCode.OK and len(answer.messages) < 2:
                return f"then {name}: its stream ended without a sound"
        return None

    async def _read(
        self, path: str, data: bytes, metadata: Any, deadline: float | None, least: int, made: list[bytes]
    ) -> None:
        call = self._channel.unary_stream(path)(data, metadata=metadata, timeout=deadline)
        try:
            while len(made) < 6:
                message = await asyncio.wait_for(call.read(), None if len(made) < least else _STREAM_SECONDS)
                if message is grpc.aio.EOF:
                    return
                made.append(message)
        except TimeoutError:
            return  # it goes on without saying anything for now
        finally:
            call.cancel()

    async def _learn(self, soundtrack: str) -> None:
        """What a client that plays would hold: names, resume points, continuation bytes."""
        asked = authoring.GetSoundtrackRequest(soundtrack_id=soundtrack).SerializeToString()
        answer = await self.call(AUTHORING + "GetSoundtrack", asked, bearer(OPERATOR_TOKEN))
        assert answer.code is grpc.StatusCode.OK, answer
        found = authoring.GetSoundtrackResponse.FromString(answer.messages[0]).soundtrack
        parameters = [parameter.name for parameter in found.parameters]
        self.words = [*found.events, *found.states, *parameters, *found.stingers, *found.styles, soundtrack, SESSION]
        asked = live.CreateSessionRequest(soundtrack_id=soundtrack, seed=7, target_lead_ms=100).SerializeToString()
        answer = await self.call(LIVE + "CreateSession", asked)
        assert answer.code is grpc.StatusCode.OK, answer
        created = live.CreateSessionResponse.FromString(answer.messages[0])
        session, token = created.session.session_id, bearer(created.session_token)
        stream = live.StreamAudioRequest(session_id=session, with_continuation=True).SerializeToString()
        call = self._channel.unary_stream(LIVE + "StreamAudio")(stream, metadata=token)
        events = iter([found.events[0], found.events[-1]])
        while len(self.points) < 3:
            message = live.StreamAudioResponse.FromString(await call.read())
            if message.HasField("audio"):
                self.pieces.append(message.audio.continuation)
            if message.HasField("resume_point"):
                point = self.seal.open(message.resume_point.token)
                self.sample = self.sample or message.resume_point.sample
                self.points.append(json.loads(point.model_dump_json(exclude_defaults=True)))
                event = live.PostEventRequest(event=next(events, found.events[0]))
                event.control.session_id = session
                await self.call(LIVE + "PostEvent", event.SerializeToString(), token)
        call.cancel()
        await self.call(LIVE + "CloseSession", live.CloseSessionRequest(session_id=session).SerializeToString(), token)
