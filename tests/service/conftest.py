# SPDX-License-Identifier: Apache-2.0
"""A real grpc.aio server on a loopback port over the fake engine, and a short way to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from segue.v1 import control_pb2, errors_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub
from segue.v1.operations_service_pb2_grpc import OperationsServiceStub
from segue.v1.soundtrack_authoring_service_pb2_grpc import SoundtrackAuthoringServiceStub
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

TEXT = (Path(__file__).parent / "dungeon.soundtrack.yaml").read_text(encoding="utf-8")


def no_death(error: BaseException) -> None:
    raise AssertionError("the device thread died") from error


@dataclass
class Refusal:
    """A refused call, unpacked."""

    code: str
    message: str
    reason: str
    fields: list[str]
    retry_ms: int | None
    unknown: errors_pb2.UnknownName | None
    problems: list[errors_pb2.SoundtrackProblem]


def unpack(error: grpc.aio.AioRpcError) -> Refusal:
    found = Refusal(error.code().name, error.details() or "", "", [], None, None, [])
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            retry, name, problems = (
                error_details_pb2.RetryInfo(),
                errors_pb2.UnknownName(),
                errors_pb2.SoundtrackProblems(),
            )
            if detail.Unpack(info):
                found.reason = info.reason
                assert info.domain == "segue"
            elif detail.Unpack(bad):
                found.fields = [violation.field for violation in bad.field_violations]
            elif detail.Unpack(retry):
                found.retry_ms = retry.retry_delay.seconds * 1000 + retry.retry_delay.nanos // 1_000_000
            elif detail.Unpack(name):
                found.unknown = name
            elif detail.Unpack(problems):
                found.problems = list(problems.problems)
    return found


@dataclass
class Opened:
    """A session and how to talk to it."""

    rig: Rig
    session_id: str
    token: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)

    def header(self, **fields: Any) -> control_pb2.ControlHeader:
        return control_pb2.ControlHeader(session_id=self.session_id, **fields)

    async def call(self, method: str, **fields: Any) -> Any:
        """A control or GetSession, CloseSession, ReportPlayback with this session's token."""
        request = getattr(pb, f"{method}Request")
        if "control" in request.DESCRIPTOR.fields_by_name:
            fields.setdefault("control", self.header())
        else:
            fields.setdefault("session_id", self.session_id)
        response = await getattr(self.rig.live, method)(request(**fields), metadata=self.metadata)
        return response.outcome if "outcome" in response.DESCRIPTOR.fields_by_name else response

    def stream(self, **fields: Any) -> Any:
        return self.rig.live.StreamAudio(
            pb.StreamAudioRequest(session_id=self.session_id, **fields), metadata=self.metadata
        )

    async def hear(self, samples: int, **fields: Any) -> tuple[bytes, list[Any]]:
        """Audio until so many samples are there, and all messages."""
        heard, messages, begin = b"", [], None
        call = self.stream(**fields)
        async for message in call:
            messages.append(message)
            if message.WhichOneof("message") == "audio":
                first = message.audio.first_sample
                begin = first if begin is None else begin
                heard = heard[: 4 * (first - begin)] + message.audio.payload
            if len(heard) >= 4 * samples:
                break
        call.cancel()
        return heard[: 4 * samples], messages


@dataclass
class Rig:
    """A server and stubs."""

    server: Server
    engine: Any
    channel: grpc.aio.Channel

    def __post_init__(self) -> None:
        self.live = LiveSoundtrackServiceStub(self.channel)
        self.authoring = SoundtrackAuthoringServiceStub(self.channel)
        self.operations = OperationsServiceStub(self.channel)

    async def create(self, **fields: Any) -> Opened:
        fields.setdefault("soundtrack_id", "dungeon")
        fields.setdefault("seed", 7)
        response = await self.live.CreateSession(pb.CreateSessionRequest(**fields))
        return Opened(self, response.session.session_id, response.session_token)

    async def refused(self, call: Any) -> Refusal:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        return unpack(caught.value)

    def session(self, opened: Opened) -> Any:
        """The session behind the wire."""
        return self.server.registry.get(opened.session_id, opened.token)


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


Start = Callable[..., contextlib.AbstractAsyncContextManager[Rig]]


@pytest.fixture
def soundtrack_text() -> str:
    return TEXT


@pytest.fixture
def wait_until() -> Any:
    return until


@pytest.fixture
def talk() -> Callable[..., Rig]:
    """talk(server, engine, channel): a rig of a server that the test has started itself."""
    return Rig


@pytest.fixture
def start() -> Start:
    """start(engine=…, **settings): a server for the length of the block."""

    @contextlib.asynccontextmanager
    async def make(
        engine: Any = None, on_death: Any = no_death, ear: Any = None, tracing: Any = None, **settings: Any
    ) -> AsyncIterator[Rig]:
        settings = {"port": 0, "drain_ms": 500, "goodbye_ms": 200, **settings}
        owned = FakeEngine(slots=4) if engine is None else engine
        assembly = SimpleNamespace(engine=owned, style_encoder=HashStyleEncoder())
        soundtrack = parse_soundtrack(TEXT)
        async with (
            running(
                Settings(**settings), assembly, [soundtrack], on_death=on_death, ear=ear, tracing=tracing
            ) as server,
            grpc.aio.insecure_channel(server.address) as channel,
        ):
            yield Rig(server, owned, channel)

    return make


@pytest.fixture
async def rig(start: Start) -> AsyncIterator[Rig]:
    async with start() as made:
        yield made
