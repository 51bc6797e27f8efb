# SPDX-License-Identifier: Apache-2.0
"""What a server can refuse a call with, as exceptions; each carries the server's sentence and its details."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from segue.v1 import errors_pb2
from segue.v1.stream_pb2 import Goodbye

_DETAILS_KEY = "grpc-status-details-bin"


class SegueError(Exception):
    """Base of all. code: gRPC's name; reason: Segue's machine-readable cause, "" if the server named none."""

    def __init__(self, message: str, *, code: str = "UNKNOWN", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.field = ""
        """The field of the request that is wrong, if it is about one."""
        self.kind = ""
        """What kind of name is unknown: "state", "event", …"""
        self.near_misses: tuple[str, ...] = ()
        """Names that look like the one that is unknown, best first."""
        self.known: tuple[str, ...] = ()
        """Names that there are, where one is unknown."""
        self.problems: tuple[errors_pb2.SoundtrackProblem, ...] = ()
        """What is wrong with a soundtrack."""
        self.quota = ""
        """Name of the quota that is used up, if it is a tenant's."""
        self.retry_after: float | None = None
        """Seconds to wait before trying again; None if the server named none."""


class NotFound(SegueError):  # noqa: N818 (named as the status)
    """No such session, soundtrack, state, event, parameter, stinger or style; see near_misses."""


class InvalidArgument(SegueError):  # noqa: N818
    """A value is missing, malformed or out of range; see field, or problems for a soundtrack."""


class Unauthenticated(SegueError):  # noqa: N818
    """The call needs a token."""


class PermissionDenied(SegueError):  # noqa: N818
    """The token doesn't open this."""


class ResourceExhausted(SegueError):  # noqa: N818
    """The server is full, or a quota is used up; see retry_after."""


class Unavailable(SegueError):  # noqa: N818
    """The server can't be reached, warms up or goes down; see retry_after."""


class FailedPrecondition(SegueError):  # noqa: N818
    """Not in the session's present status."""


class OutOfRange(SegueError):  # noqa: N818
    """The sample is older than what the server keeps, or in the future."""


class Unimplemented(SegueError):  # noqa: N818
    """Part of the contract that the server doesn't do yet."""


class DeadlineExceeded(SegueError):  # noqa: N818
    """The server did not answer in time."""


class ServerFault(SegueError):  # noqa: N818
    """A fault of the server; nothing was applied."""


class StreamEnded(SegueError):  # noqa: N818
    """The server ended the stream before the music's end; `goodbye` says why and when to come back."""

    def __init__(self, goodbye: Goodbye) -> None:
        known = goodbye.reason in Goodbye.Reason.values()
        reason = Goodbye.Reason.Name(goodbye.reason).removeprefix("REASON_") if known else ""
        super().__init__(goodbye.message or reason.lower() or "goodbye", code="UNAVAILABLE", reason=reason)
        self.goodbye = goodbye
        self.retry_after = goodbye.retry_after_ms / 1000 if goodbye.retry_after_ms >= 0 else None


_CLASSES: dict[str, type[SegueError]] = {
    "NOT_FOUND": NotFound,
    "INVALID_ARGUMENT": InvalidArgument,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "RESOURCE_EXHAUSTED": ResourceExhausted,
    "UNAVAILABLE": Unavailable,
    "FAILED_PRECONDITION": FailedPrecondition,
    "OUT_OF_RANGE": OutOfRange,
    "UNIMPLEMENTED": Unimplemented,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "INTERNAL": ServerFault,
}


def translate(error: grpc.RpcError) -> SegueError:
    """The exception that a gRPC error amounts to."""
    call: Any = error
    code = call.code().name
    message = call.details() or code.lower().replace("_", " ")
    made = _CLASSES.get(code, SegueError)(message, code=code)
    for key, value in _metadata(call):
        if key == _DETAILS_KEY and isinstance(value, bytes):
            _read(made, value)
    if code == "INTERNAL" and not made.reason:
        # A server names its own faults. This is a stream that was reset on its way: the server behind a proxy is gone.
        return Unavailable(message, code=code)
    return made


def _metadata(call: Any) -> Iterable[tuple[str, str | bytes]]:
    return [(str(key), value) for key, value in (call.trailing_metadata() or ())]


def _read(error: SegueError, data: bytes) -> None:
    """Fill an error from a serialised google.rpc.Status; what is not understood is left out."""
    try:
        status = status_pb2.Status.FromString(data)
    except DecodeError:
        return
    for detail in status.details:
        with contextlib.suppress(DecodeError):
            _take(error, detail)


def _take(error: SegueError, detail: any_pb2.Any) -> None:
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    unknown, problems = errors_pb2.UnknownName(), errors_pb2.SoundtrackProblems()
    quota = error_details_pb2.QuotaFailure()
    if detail.Unpack(info):
        error.reason = info.reason
    elif detail.Unpack(bad) and bad.field_violations:
        error.field = bad.field_violations[0].field
    elif detail.Unpack(quota) and quota.violations:
        error.quota = quota.violations[0].quota_id
    elif detail.Unpack(retry):
        error.retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    elif detail.Unpack(unknown):
        error.kind = unknown.kind
        error.near_misses, error.known = tuple(unknown.near_misses), tuple(unknown.known)
    elif detail.Unpack(problems):
        error.problems = tuple(problems.problems)
