# SPDX-License-Identifier: Apache-2.0
"""The blocking client. A `Client` may be shared between threads; a session's `audio` belongs to one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

from segue.channel import DEFAULT_TIMEOUT, OPTIONS, Metadata, bearer, credentials
from segue.controls import Controls, create_request
from segue.decoding import Encoding
from segue.errors import NotFound, ResourceExhausted, SegueError, translate
from segue.keeping import Keeper, opened, resume_request
from segue.playout import Heard
from segue.reception import Block, Patience, Reception, Stats, mend, wait_to_resume
from segue.replies import Reply
from segue.v1 import live_soundtrack_service_pb2 as live
from segue.v1 import operations_service_pb2 as operations
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
    """A client of the server at host:port. token: the operator's or tenant's, where the server asks for one.

    TLS where `tls`, `root_certificates` (PEM; None: the system's) or `client_certificate` (chain and key in PEM, for a
    server that demands one) is given.
    """
    if tls or root_certificates is not None or client_certificate is not None:
        proof = credentials(root_certificates, client_certificate)
        channel = grpc.secure_channel(address, proof, options=OPTIONS)
    else:
        channel = grpc.insecure_channel(address, options=OPTIONS)
    return Client(channel, token, timeout)


class Client:
    """A connection to a server; a context manager that closes it."""

    def __init__(self, channel: grpc.Channel, token: str | None = None, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._channel = channel
        self._metadata = bearer(token)
        self.timeout = timeout
        """Seconds for a call, and for a control while its session is being brought back."""
        self.live = LiveSoundtrackServiceStub(channel)
        self.authoring = SoundtrackAuthoringServiceStub(channel)
        self.operations = OperationsServiceStub(channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Sessions live on for the server's grace period."""
        self._channel.close()

    def info(self) -> live.GetServerInfoResponse:
        """What the server is and can do."""
        response: live.GetServerInfoResponse = self.call(self.live.GetServerInfo, live.GetServerInfoRequest())
        return response

    def play(
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
        wait: float = 0.0,
    ) -> Session:
        """A new session; `wait` at most so many seconds for a slot. Raises NotFound, ResourceExhausted.

        prefill: an audio file, or its bytes, that the music goes on from, where the model can. guidance: of styles that
        name none, one number for the style or {"style": 3, "notes": 1, "drums": 1}.
        """
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
        deadline = time.monotonic() + wait
        while True:
            try:
                response: live.CreateSessionResponse = self.call(self.live.CreateSession, request)
            except ResourceExhausted as full:
                pause = full.retry_after or 1.0
                if time.monotonic() + pause > deadline:
                    raise
                time.sleep(pause)
            else:
                return Session(self, response.session.session_id, response.session_token, response)

    def resume(
        self, saved: bytes, *, lead_ms: int = 0, paused: bool = False, labels: Mapping[str, str] | None = None
    ) -> Session:
        """A new session that goes on from what `Session.save` gave. Raises InvalidArgument, ValueError."""
        request = resume_request(opened(saved), lead_ms, paused=paused, labels=dict(labels or {}))
        response: live.CreateSessionResponse = self.call(self.live.CreateSession, request)
        return Session(self, response.session.session_id, response.session_token, response)

    def attach(self, session_id: str, token: str) -> Session:
        """A session that somebody else created and whose token was handed out."""
        return Session(self, session_id, token)

    def soundtracks(self) -> list[authoring.SoundtrackSummary]:
        """What the server can play."""
        found: list[authoring.SoundtrackSummary] = []
        token = ""
        while True:
            request = authoring.ListSoundtracksRequest(page_token=token)
            page: authoring.ListSoundtracksResponse = self.call(self.authoring.ListSoundtracks, request)
            found += page.soundtracks
            token = page.next_page_token
            if not token:
                return found

    def upload(self, text: str, *, replace: bool = False) -> authoring.UploadSoundtrackResponse:
        """Give the server a soundtrack, YAML or what `segue build` wrote. Raises InvalidArgument with its problems."""
        request = authoring.UploadSoundtrackRequest(text=text, replace=replace)
        response: authoring.UploadSoundtrackResponse = self.call(self.authoring.UploadSoundtrack, request)
        return response

    def validate(self, text: str) -> authoring.ValidateSoundtrackResponse:
        """What there is to say about a soundtrack."""
        request = authoring.ValidateSoundtrackRequest(text=text)
        response: authoring.ValidateSoundtrackResponse = self.call(self.authoring.ValidateSoundtrack, request)
        return response

    def sessions(self) -> list[session_pb2.Session]:
        """For operators: the first 500 sessions of the server."""
        request = operations.ListSessionsRequest(page_size=500)
        response: operations.ListSessionsResponse = self.call(self.operations.ListSessions, request)
        return list(response.sessions)

    def call(self, method: Callable[..., Any], request: Any, metadata: Metadata | None = None) -> Any:
        """One unary call with this client's deadline. Raises SegueError."""
        try:
            return method(request, timeout=self.timeout, metadata=self._metadata if metadata is None else metadata)
        except grpc.RpcError as error:
            raise translate(error) from None


class Session(Controls[Reply]):
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
        self._call: Any = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def audio(
        self,
        *,
        encoding: Encoding = "s16",
        from_sample: int | None = None,
        chunk_ms: int = 0,
        clock: bool = True,
        resume: bool = True,
    ) -> Iterator[Block]:
        """Blocks of the timeline until the music is stopped or the session closed; breaks are mended.

        Events are called back on this thread, before the block that holds them. Read on, or the server cuts you off.
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
                    request = reception.resume(self.token)
                    try:
                        made = self._client.call(self._client.live.CreateSession, request, self._metadata)
                        self._adopt(made.session_token)
                        reception.resumed()
                    except SegueError as error:
                        time.sleep(wait_to_resume(reception, error))
                        continue
                call: Any = self._client.live.StreamAudio(reception.request(), metadata=self._metadata)
                self._call = call
                try:
                    for message in call:
                        block = reception.take(message)
                        if block is not None:
                            reception.reader = threading.get_ident()
                            yield block
                    if not reception.should_return():
                        return
                except grpc.RpcError as error:
                    if call.cancelled() and self._call is None:
                        return
                    mend(reception, error)
                finally:
                    call.cancel()
                reception.stats.reconnects += 1
                time.sleep(reception.pause())
                reception.tries += 1
        finally:
            reception.is_over = True

    def hush(self) -> None:
        """End `audio` from another thread."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def on_event(self, callback: Callable[[stream_pb2.Event], object]) -> None:
        """Call back for every event of the music while `audio` is iterated."""
        self._on_event.append(callback)

    def on_warning(self, callback: Callable[[stream_pb2.Warning], object]) -> None:
        """Call back for every warning while `audio` is iterated."""
        self._on_warning.append(callback)

    def heard(self, playhead_sample: int, underruns: int = 0) -> int:
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
        response: live.ReportPlaybackResponse = self._send("ReportPlayback", request)
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

    def get(self) -> session_pb2.Session:
        """The session as it is now."""
        response: live.GetSessionResponse = self._insist(
            "GetSession", live.GetSessionRequest(session_id=self.session_id)
        )
        return response.session

    def grant(self, *, steer: bool = False, hours: float = 4.0) -> str:
        """A token of this session to hand out, which `Client.attach` takes: for listening, and for steering too if
        `steer`, until so many hours have passed. Raises PermissionDenied where this session's own is a granted one."""
        request = live.GrantTokenRequest(
            session_id=self.session_id, may_steer=steer, valid_seconds=max(1, round(3600 * hours))
        )
        response: live.GrantTokenResponse = self._insist("GrantToken", request)
        return response.session_token

    def close(self) -> None:
        """Free the session. Idempotent."""
        try:
            self._send("CloseSession", live.CloseSessionRequest(session_id=self.session_id))
        except NotFound:
            return

    def _adopt(self, token: str) -> None:
        """The same token, by the way to where the session is now."""
        if token:
            self.token, self._metadata = token, bearer(token)

    def _send(self, method: str, request: Any) -> Any:
        return self._client.call(getattr(self._client.live, method), request, self._metadata)

    def _control(self, method: str, request: Any) -> Reply:
        return Reply.of(self._insist(method, request).outcome)

    def _insist(self, method: str, request: Any) -> Any:
        """Send it, and again for as long as its session is being brought back."""
        patience = Patience(self._client.timeout, threading.get_ident())
        while True:
            try:
                return self._send(method, request)
            except SegueError as error:
                pause = patience.wait(self._reception, error)
            time.sleep(pause)

    def _playhead(self) -> tuple[int | None, str]:
        reception = self._reception
        if reception is None:
            return None, ""
        return self._heard.by(time.monotonic(), reception.next_sample), reception.listener_id
