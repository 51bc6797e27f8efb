# SPDX-License-Identifier: Apache-2.0
"""One call from its bytes to its answer, whatever it came by: counted, timed, traced, and logged by its session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from structlog.contextvars import bind_contextvars, bound_contextvars

from segue_service.api.caller import Caller
from segue_service.api.calls import Method
from segue_service.errors import status_of
from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics
from segue_service.observe.tracing import Tracing, within
from segue_service.security.audit import Audit

_LONGEST = 64
_AUDITED = frozenset(("token_missing", "token_wrong", "token_expired", "quota", "prompt_refused"))
_log = logger("api")


@dataclass(frozen=True, slots=True)
class Desk:
    """What all calls of a server are answered with."""

    metrics: Metrics
    tracing: Tracing
    audit: Audit
    retry_ms: int
    route: str | None = None
    """The address of this process in the labels of its sessions' tokens."""

    def call(self, method: Method, caller: Caller) -> Call:
        """A call that has come in."""
        return Call(self, method, caller)


class Call:
    """`answer` or `stream` once, and `failed` for what they raise."""

    def __init__(self, desk: Desk, method: Method, caller: Caller) -> None:
        self._desk, self._method, self._caller = desk, method, caller
        self._about: dict[str, str] = {}

    async def answer(self, data: bytes) -> bytes:
        """The response to a unary call. Raises Refused, and what the handler raises."""
        method, began = self._method, time.monotonic()
        trace = self._desk.tracing.begin(method.service, method.name, self._caller.trace)
        try:
            request = self._read(data)
            trace.tell(**self._about)
            with within(trace), bound_contextvars(**self._session):
                answer: Awaitable[Message] = method.handle(request, self._caller)
                return (await answer).SerializeToString()
        except asyncio.CancelledError:
            trace.fail(code_pb2.CANCELLED, "cancelled")
            raise
        except Exception as error:
            if trace.is_recording:
                status = status_of(error, self._desk.retry_ms)
                trace.fail(status.code, _reason(status))
            raise
        finally:
            trace.end()
            self._desk.metrics.call_seconds.labels(method.name).observe(time.monotonic() - began)

    def stream(self, data: bytes) -> AsyncGenerator[bytes, None]:
        """The messages of a streaming call, serialised; they raise as `answer` does. To be called in a task of the
        call's own. Not traced: a stream lasts for hours."""
        request = self._read(data)
        bind_contextvars(**self._session)
        messages: AsyncGenerator[bytes, None] = self._method.handle(request, self._caller)
        return messages

    def failed(self, error: Exception) -> status_pb2.Status:
        """The status that the call ends with because of an error; counted, and logged where it is a fault."""
        status, metrics, name = status_of(error, self._desk.retry_ms), self._desk.metrics, self._method.name
        if status.code == code_pb2.INTERNAL:
            metrics.faults.labels(name).inc()
            _log.error("a call failed", method=name, error=repr(error), exc_info=error, **self._about)
        else:
            reason = _reason(status)
            metrics.refused.labels(name, code_pb2.Code.Name(status.code).lower(), reason).inc()
            if reason in _AUDITED:
                who, session = self._caller.who, self._about.get("session", "")
                told = {"tenant": who.tenant, "key": who.key, "peer": self._caller.peer, "session": session}
                self._desk.audit.note(f"refused {name}", reason, **told, detail=status.message)
        return status

    def may_be_elsewhere(self, status: status_pb2.Status) -> bool:
        """Whether a front door should ask others. This process is full; or the call came here for a session that it was
        said to have, and doesn't: another one that was here before may have had it, and others brought it back. Then
        each of those who are asked sends on, too, until the front door has had enough."""
        caller, route, reason = self._caller, self._desk.route, _reason(status)
        if route is None:
            return False
        if reason == "unknown_session" and caller.label is not None:
            return caller.label.route == route or caller.attempt > 1
        return reason == "server_full"

    def _read(self, data: bytes) -> Message:
        request = self._method.parse(data)
        self._about = about(request)
        return request

    @property
    def _session(self) -> dict[str, str]:
        # Not the request: tasks that are begun here outlive it.
        return {key: value for key, value in self._about.items() if key == "session"}


def about(request: Any) -> dict[str, str]:
    """Which session and request_id a request names, as logs and traces have them."""
    header = getattr(request, "control", request)
    named = {"session": getattr(header, "session_id", ""), "request": getattr(header, "request_id", "")}
    return {key: value[:_LONGEST] for key, value in named.items() if isinstance(value, str) and value}


def _reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    return info.reason.lower() if status.details and status.details[0].Unpack(info) else "unspecified"
