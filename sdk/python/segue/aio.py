# SPDX-License-Identifier: Apache-2.0
"""The asyncio client; the same verbs as `segue.connect`, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

from segue.channel import DEFAULT_TIMEOUT, OPTIONS, Metadata, bearer, credentials
from segue.controls import Controls, create_request
from segue.decoding import Encoding
from segue.errors import NotFound, SegueError, translate
from segue.keeping import Keeper, opened, resume_request
from segue.playout import Heard
from segue.reception import Block, Patience, Reception, Stats, mend, wait_to_resume
from segue.replies import Reply
from segue.v1 import live_soundtrack_service_pb2 as live
from segue.v1 import session_pb2, stream_pb2
from segue.v1 import soundtrack_authoring_service_pb2 as authoring
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub
from segue.v1.operations_service_pb2_grpc import OperationsServiceStub
from segue.v1.soundtrack_authoring_service_pb2_grpc import SoundtrackAuthoringServiceStub


def connect(
    address: str = "localhost:7470",
    token: str | None = None,
    *,
    tls: bool = False,
    root_certificates: bytes | None = None,
    client_certificate: tuple[bytes, bytes] | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> Client:
    """A client of the server at host:port. Call it inside a running event loop.

    TLS where `tls`, `root_certificates` (PEM; None: the system's) or `client_certificate` (chain and key in PEM, for a
    server that demands one) is given.
    """
    if tls or root_certificates is not None or client_certificate is not None:
        proof = credentials(root_certificates, client_certificate)
        channel = grpc.aio.secure_channel(address, proof, options=OPTIONS)
    else:
        channel = grpc.aio.insecure_channel(address, options=OPTIONS)
    return Client(channel, token, timeout)


class Client:
    """A connection to a server; an async context manager that closes it."""

    def __init__(self, channel: grpc.aio.Channel, token: str | None = None, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._channel = channel
        self._metadata = bearer(token)
        self.timeout = timeout
        """Seconds for a call, and for a control while its session is being brought back."""
        self.live = LiveSoundtrackServiceStub(channel)
        self.authoring = SoundtrackAuthoringServiceStub(channel)
        self.operations = OperationsServiceStub(channel)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection. Sessions live on for the server's grace period."""
        await self._channel.close()

    async def info(self) -> live.GetServerInfoResponse:
        """What the server is and can do."""
        response: live.GetServerInfoResponse = await self.call(self.live.GetServerInfo, live.GetServerInfoRequest())
        return response

    async def play(
        self,
        soundtrack: str,
        *,
        seed: int | None = None,
        state: str = "",
        parameters: Mapping[str, float] | None = None,
        lead_ms: int = 0,
        version: int = 0,
        paused: bool = False,
        labels: Mapping[str, str] | None = None,
        prefill: bytes | Path | None = None,
        guidance: float | Mapping[str, float] | None = None,
    ) -> Session:
        """A new session; for prefill and guidance see `Client.play`. Raises NotFound, ResourceExhausted."""
        request = create_request(
            soundtrack,
            version=version,
            seed=seed,
            state=state,
            parameters=parameters,
            lead_ms=lead_ms,
            paused=paused,
            labels=labels,
            prefill=prefill,
            guidance=guidance,
        )
        response: live.CreateSessionResponse = await self.call(self.live.CreateSession, request)
        return Session(self, response.session.session_id, response.session_token, response)

    async def resume(
        self, saved: bytes, *, lead_ms: int = 0, paused: bool = False, labels: Mapping[str, str] | None = None
    ) -> Session:
        """A new session that goes on from what `Session.save` gave. Raises InvalidArgument, ValueError."""
        request = resume_request(opened(saved), lead_ms, paused=paused, labels=dict(labels or {}))
        response: live.CreateSessionResponse = await self.call(self.live.CreateSession, request)
        return Session(self, response.session.session_id, response.session_token, response)

    def attach(self, session_id: str, token: str) -> Session:
        """A session that somebody else created and whose token was handed out."""
        return Session(self, session_id, token)

    async def upload(self, text: str, *, replace: bool = False) -> authoring.UploadSoundtrackResponse:
        """Give the server a soundtrack, YAML or what `segue build` wrote. Raises InvalidArgument with its problems."""
        request = authoring.UploadSoundtrackRequest(text=text, replace=replace)
        response: authoring.UploadSoundtrackResponse = await self.call(self.authoring.UploadSoundtrack, request)
        return response

    async def call(self, method: Callable[..., Any], request: Any, metadata: Metadata | None = None) -> Any:
        """One unary call with this client's deadline. Raises SegueError."""
        try:
            return await method(
                request, timeout=self.timeout, metadata=self._metadata if metadata is None else metadata
            )
        except grpc.RpcError as error:
            raise translate(error) from None


class Session(Controls[Awaitable[Reply]]):
    """A session that this client may steer and listen to. It is heard (and kept alive) by iterating `audio`."""

    def __init__(
        self, client: Client, session_id: str, token: str, created: live.CreateSessionResponse | None = None
    ) -> None:
        self.session_id = session_id
        self.token = token
        """Opens this session; hand it to whoever shall listen to it or steer it."""
        self.seed = created.session.seed if created is not None else None
        self.warnings = list(created.warnings) if created is not None else []
        self.stats = Stats()
        """Of the latest `audio`."""
        self._client = client
        self._metadata = bearer(token)
        self._on_event: list[Callable[[stream_pb2.Event], object]] = []
        self._on_warning: list[Callable[[stream_pb2.Warning], object]] = []
        self._reception: Reception | None = None
        self._heard = Heard()
        self._keeper: Keeper | None = None

    async def audio(
        self,
        *,
        encoding: Encoding = "s16",
        from_sample: int | None = None,
        chunk_ms: int = 0,
        clock: bool = True,
        resume: bool = True,
    ) -> AsyncIterator[Block]:
        """Blocks of the timeline until the music is stopped or the session closed; breaks are mended by reconnecting.

        Events are called back before the block that holds them. Read on, or the server will cut you off.
        encoding: s16, f32 (float32 blocks), qoa or opus, which needs the extra `opus` on both sides. resume: keep what
        it takes to go on when the server is gone, on another one where the address leads to it; some 5 kbit/s.
        Raises StreamEnded, SegueError, ImportError.
        """
        keeper = Keeper() if resume else None
        reception = Reception(self.session_id, encoding, from_sample, chunk_ms, clock, keeper)
        self._keeper = keeper
        reception.on_event, reception.on_warning = self._on_event, self._on_warning
        reception.on_way = self._adopt
        self._reception, self.stats = reception, reception.stats
        try:
            while True:
                if reception.is_lost:
                    try:
                        request = reception.resume(self.token)
                        made = await self._client.call(self._client.live.CreateSession, request, self._metadata)
                        self._adopt(made.session_token)
                        reception.resumed()
                    except SegueError as error:
                        await asyncio.sleep(wait_to_resume(reception, error))
                        continue
                call: Any = self._client.live.StreamAudio(reception.request(), metadata=self._metadata)
                try:
                    async for message in call:
                        block = reception.take(message)
                        if block is not None:
                            reception.reader = asyncio.current_task()
                            yield block
                    if not reception.should_return():
                        return
                except grpc.RpcError as error:
                    mend(reception, error)
                finally:
                    call.cancel()
                reception.stats.reconnects += 1
                await asyncio.sleep(reception.pause())
                reception.tries += 1
        finally:
            reception.is_over = True

    def on_event(self, callback: Callable[[stream_pb2.Event], object]) -> None:
        """Call back for every event of the music while `audio` is iterated."""
        self._on_event.append(callback)

    def on_warning(self, callback: Callable[[stream_pb2.Warning], object]) -> None:
        """Call back for every warning while `audio` is iterated."""
        self._on_warning.append(callback)

    async def heard(self, playhead_sample: int, underruns: int = 0) -> int:
        """Report the first sample that has not been heard yet; gives the playhead that the server believes.

        Do so now and then: the time that a report takes tells the server how soon a change can be here.
        """
        began = time.monotonic()
        self._heard.at(playhead_sample, began)
        request = live.ReportPlaybackRequest(
            session_id=self.session_id,
            listener_id=self._playhead()[1],
            playhead_sample=playhead_sample,
            underruns=underruns,
            round_trip_ms=self._heard.round_trip_ms,
        )
        response: live.ReportPlaybackResponse = await self._send("ReportPlayback", request)
        self._heard.round_trip(time.monotonic() - began)
        return response.playhead_sample

    def save(self, at: int | None = None) -> bytes:
        """What `Client.resume` can go on from, some 13 KB for a save file: from sample `at`, or what was last reported
        as heard, or else the end of what has arrived. Needs `audio` with resume. Raises ValueError.
        """
        reception = self._reception
        if self._keeper is None or reception is None or reception.next_sample is None:
            raise ValueError("there is nothing to save yet: iterate audio first")
        heard = self._playhead()[0] if at is None else at
        end = reception.next_sample if heard is None else min(heard, reception.next_sample)
        return self._keeper.resume(end).SerializeToString()

    async def get(self) -> session_pb2.Session:
        """The session as it is now."""
        request = live.GetSessionRequest(session_id=self.session_id)
        response: live.GetSessionResponse = await self._insist("GetSession", request)
        return response.session

    async def grant(self, *, steer: bool = False, hours: float = 4.0) -> str:
        """A token of this session to hand out, which `Client.attach` takes: for listening, and for steering too if
        `steer`, until so many hours have passed. Raises PermissionDenied where this session's own is a granted one."""
        request = live.GrantTokenRequest(
            session_id=self.session_id, may_steer=steer, valid_seconds=max(1, round(3600 * hours))
        )
        response: live.GrantTokenResponse = await self._insist("GrantToken", request)
        return response.session_token

    async def close(self) -> None:
        """Free the session. Idempotent."""
        try:
            await self._send("CloseSession", live.CloseSessionRequest(session_id=self.session_id))
        except NotFound:
            return

    def _adopt(self, token: str) -> None:
        """The same token, by the way to where the session is now."""
        if token:
            self.token, self._metadata = token, bearer(token)

    async def _send(self, method: str, request: Any) -> Any:
        return await self._client.call(getattr(self._client.live, method), request, self._metadata)

    async def _control(self, method: str, request: Any) -> Reply:
        return Reply.of((await self._insist(method, request)).outcome)

    async def _insist(self, method: str, request: Any) -> Any:
        """Send it, and again for as long as its session is being brought back."""
        patience = Patience(self._client.timeout, asyncio.current_task())
        while True:
            try:
                return await self._send(method, request)
            except SegueError as error:
                pause = patience.wait(self._reception, error)
            await asyncio.sleep(pause)

    def _playhead(self) -> tuple[int | None, str]:
        reception = self._reception
        if reception is None:
            return None, ""
        return self._heard.by(time.monotonic(), reception.next_sample), reception.listener_id
