# SPDX-License-Identifier: Apache-2.0
"""The gRPC-Web adapter, an ASGI application: a body in, a handler in the middle, frames out as they come to be."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from google.rpc import code_pb2, status_pb2

from segue.v1 import errors_pb2
from segue_service.api.answering import Call, Desk
from segue_service.api.caller import Caller
from segue_service.api.calls import Method
from segue_service.api.web.frames import BINARY_TYPES, Wire, timeout_of, wire_of
from segue_service.api.web.origins import Headers, Origins
from segue_service.config import Settings
from segue_service.errors import Refused, too_large
from segue_service.observe.pulse import ALIVE, READY, Pulse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_BODY_SECONDS: Final = 30.0
"""A request must have arrived within this time."""
_TRAILER_SECONDS: Final = 5.0
"""A client that reads so slowly must have made room for the trailers within this time."""
_CLOSING_SECONDS: Final = 1.0
_NO_STORE: Final = (b"cache-control", b"no-store")


class Connection(Protocol):
    """What the server tells of the connection that a request came by, in scope["state"]["connection"]."""

    def abort(self) -> None:
        """Drop it at once, with whatever has not been sent."""

    def is_closing(self) -> bool:
        """Whether nothing that is written to it arrives any more."""


class Gone(Exception):  # noqa: N818 (nobody is told)
    """The client is not there any more."""


class WebAdapter:
    """One per server. Reads nothing of a body that is too large; a stream's task is its handler's to cancel."""

    def __init__(self, methods: Iterable[Method], settings: Settings, desk: Desk, pulse: Pulse) -> None:
        self._methods = {method.path: method for method in methods}
        self._settings, self._desk, self._pulse = settings, desk, pulse
        self._origins = Origins(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        origin, wire, connection = headers.get("origin"), wire_of(headers), scope["state"]["connection"]
        allowed = [] if origin is None else self._origins.headers(origin)
        plain = self._plain(scope["method"], scope["path"], headers, allowed)
        if plain is not None:
            await _tell_plain(connection, receive, send, plain)
            return
        if wire is None:
            plain = _Plain(415, f"content-type: expected {BINARY_TYPES[1]}\n", allowed)
            await _tell_plain(connection, receive, send, plain)
            return
        exchange = _Exchange(connection, receive, send, wire, allowed)
        method = self._methods.get(scope["path"])
        if method is None:
            message = f"no method {scope['path'][:200]}"
            await exchange.end(status_pb2.Status(code=code_pb2.UNIMPLEMENTED, message=message))
            return
        await self._serve(exchange, self._desk.call(method, Caller.of(headers.items(), _peer(scope))), method, headers)

    def _plain(self, verb: str, path: str, headers: Mapping[str, str], allowed: Headers) -> _Plain | None:
        """What is answered to a request that is no call; None if it is one."""
        origin = headers.get("origin")
        if origin is not None and not self._origins.allows(origin):
            return _Plain(403, f"pages of {origin[:200]} may not call this server: see the setting web_origins\n")
        if origin is not None and verb == "OPTIONS" and "access-control-request-method" in headers:
            return _Plain(204, "", self._origins.preflight(origin))
        if path in (READY, ALIVE) and verb in ("GET", "HEAD"):  # the same here; the metrics' port tells them apart
            return _Plain(*self._pulse.ready(), allowed)
        if verb != "POST":
            message = "gRPC-Web: expected POST /segue.v1.LiveSoundtrackService/METHOD, or GET /readyz\n"
            return _Plain(405, message, [*allowed, (b"allow", b"POST")])
        return None

    async def _serve(self, exchange: _Exchange, call: Call, method: Method, headers: Mapping[str, str]) -> None:
        deadline: asyncio.Timeout | None = None
        try:
            async with asyncio.timeout(timeout_of(headers)) as deadline:
                request = await exchange.request(headers.get("content-length"), self._settings.max_request_bytes)
                await exchange.watched(self._answer(exchange, call, method, request))
            status = None
        except Gone:
            await exchange.forget()
            return
        except Exception as error:
            if deadline is not None and deadline.expired():
                message = "the call's deadline has passed"
                status = status_pb2.Status(code=code_pb2.DEADLINE_EXCEEDED, message=message)
            else:
                status = call.failed(error)
        await exchange.end(status)

    async def _answer(self, exchange: _Exchange, call: Call, method: Method, data: bytes) -> None:
        if not method.streams:
            await exchange.tell(await call.answer(data))
            return
        async with contextlib.aclosing(call.stream(data)) as messages:
            async for message in messages:
                await exchange.tell(message)


class _Exchange:
    """One request and its response."""

    def __init__(self, connection: Connection, receive: Receive, send: Send, wire: Wire, headers: Headers) -> None:
        self._connection, self._receive, self._send, self._wire = connection, receive, send, wire
        self._headers = [(b"content-type", wire.content_type.encode()), _NO_STORE, *headers]
        self._begun = False

    async def request(self, announced: str | None, limit: int) -> bytes:
        """The message. Raises Refused, Gone."""
        longest = self._wire.longest(limit)
        if announced is not None and int(announced) > longest:
            raise too_large("request", int(announced), limit)
        body, patience = bytearray(), asyncio.get_running_loop().call_later(_BODY_SECONDS, self._connection.abort)
        try:
            while True:
                part = await self._receive()
                if part["type"] == "http.disconnect":
                    raise Gone
                body += part.get("body", b"")
                if len(body) > longest:
                    raise too_large("request", len(body), limit)
                if not part.get("more_body", False):
                    return self._wire.request(bytes(body))
        finally:
            patience.cancel()

    async def watched(self, answer: Awaitable[None]) -> None:
        """Let it answer for as long as there is somebody to answer. Raises Gone, and what the answer raises."""
        answering = asyncio.ensure_future(answer)
        watching = asyncio.ensure_future(self._until_gone())
        try:
            await asyncio.wait((answering, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_over = answering.done()
            answering.cancel()
            watching.cancel()
            await asyncio.gather(answering, watching, return_exceptions=True)
        if not is_over:
            raise Gone
        if answering.cancelled():  # by its handler
            if self._begun:  # since the client does not read
                self._connection.abort()
                await self._until_gone()
                raise Gone
            raise Refused(code_pb2.CANCELLED, errors_pb2.ERROR_REASON_UNSPECIFIED, "the call was cancelled")
        answering.result()

    async def tell(self, message: bytes) -> None:
        """Send a message, once the connection has room for it."""
        await self._write(self._wire.message(message), more=True)

    async def end(self, status: status_pb2.Status | None) -> None:
        """Send the trailers, if there is anybody to read them."""
        patience = asyncio.get_running_loop().call_later(_TRAILER_SECONDS, self._connection.abort)
        try:
            await self._write(self._wire.trailers(status), more=False)
        except Gone:
            await self.forget()
        finally:
            patience.cancel()

    async def forget(self) -> None:
        """As `_forget`."""
        await _forget(self._receive)

    async def _until_gone(self) -> None:
        await _until_gone(self._receive)

    async def _write(self, data: bytes, *, more: bool) -> None:
        if self._connection.is_closing():
            raise Gone
        if not self._begun:
            self._begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


async def _forget(receive: Receive) -> None:
    """The connection is closing: return when the server below has been told, which else takes it for a fault."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSING_SECONDS):
            await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A response that is not gRPC-Web's."""

    status: int
    text: str
    headers: Headers = field(default_factory=list)


async def _tell_plain(connection: Connection, receive: Receive, send: Send, plain: _Plain) -> None:
    if connection.is_closing():  # what came behind the request's head was no HTTP, and that has been answered
        await _forget(receive)
        return
    body = plain.text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *plain.headers]
    if plain.status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": plain.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
