# SPDX-License-Identifier: Apache-2.0
"""Everything that a call can be refused with, and how each refusal looks as google.rpc.Status.

Handlers raise `Refused` (or let the engine's, the soundtrack's and the style encoder's own errors through); the
adapters call `status_of`. No gRPC types here: codes are google.rpc's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from segue.v1 import errors_pb2
from segue_engine.contract import ConditioningError, EngineFullError, PromptError
from segue_service.soundtrack import Diagnostic, InvalidValue, OutOfRange, SoundtrackError, UnknownName

DOMAIN = "segue"
Reason = errors_pb2.ErrorReason
_SHOWN = 50


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """A call that is refused: google.rpc code, ErrorReason, a sentence, and details to pack."""

    def __init__(self, code: int, reason: Reason.ValueType, message: str, *details: Message) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details


def invalid(field: str, expected: str) -> Refused:
    """A field of the request that is missing, malformed or out of range."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=expected)
    return Refused(
        code_pb2.INVALID_ARGUMENT,
        errors_pb2.ERROR_REASON_INVALID_FIELD,
        f"{field}: {expected}",
        error_details_pb2.BadRequest(field_violations=[violation]),
    )


def retry(milliseconds: int) -> error_details_pb2.RetryInfo:
    """The detail that tells a client when to come back."""
    seconds, rest = divmod(milliseconds, 1000)
    return error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds, nanos=rest * 1_000_000))


def unknown(kind: str, name: str, near: Sequence[str], known: Sequence[str], message: str = "") -> Refused:
    """A name that nothing goes by, with its near misses."""
    if not message:
        message = f'no {kind} "{name[:100]}".'
        message += f' Did you mean "{near[0]}"?' if near else (f" There is: {', '.join(known[:8])}" if known else "")
    reason = (
        errors_pb2.ERROR_REASON_UNKNOWN_SOUNDTRACK if kind == "soundtrack" else errors_pb2.ERROR_REASON_UNKNOWN_NAME
    )
    detail = errors_pb2.UnknownName(kind=kind, name=name, near_misses=near, known=list(known)[:_SHOWN])
    return Refused(code_pb2.NOT_FOUND, reason, message, detail)


def unknown_session(session_id: str) -> Refused:
    """No such session: closed, expired or never there."""
    message = f'no session "{session_id[:64]}": it was closed, has expired or never was'
    return Refused(code_pb2.NOT_FOUND, errors_pb2.ERROR_REASON_UNKNOWN_SESSION, message)


def token_missing(what: str) -> Refused:
    """Metadata without a token."""
    message = f'expected {what} in the metadata, as "authorization: Bearer TOKEN" or "segue-session-token: TOKEN"'
    return Refused(code_pb2.UNAUTHENTICATED, errors_pb2.ERROR_REASON_TOKEN_MISSING, message)


def token_wrong(what: str) -> Refused:
    """A token that doesn't open what was asked for."""
    return Refused(code_pb2.PERMISSION_DENIED, errors_pb2.ERROR_REASON_TOKEN_WRONG, f"the token doesn't open {what}")


def token_expired(what: str, when: datetime) -> Refused:
    """A token, key or JWT that was good until then."""
    message = f"{what} has expired: it was good until {when:%Y-%m-%d %H:%M:%S} UTC"
    return Refused(code_pb2.PERMISSION_DENIED, errors_pb2.ERROR_REASON_TOKEN_EXPIRED, message)


def over_quota(tenant: str, quota: str, message: str, retry_ms: int | None = None) -> Refused:
    """A tenant has as much of something as it may; retry_ms: where waiting helps."""
    said = f'quota "{quota}": {message}'
    violation = error_details_pb2.QuotaFailure.Violation(subject=f"tenant:{tenant}", description=said, quota_id=quota)
    details: list[Message] = [error_details_pb2.QuotaFailure(violations=[violation])]
    if retry_ms is not None:
        details.append(retry(retry_ms))
    return Refused(code_pb2.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_QUOTA, said, *details)


def prompt_refused(field: str, prompt: str, reason: str) -> Refused:
    """A prompt that is not allowed here."""
    said = f'{field}: "{prompt[:100]}" is not allowed: {reason}'
    violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=said)
    detail = error_details_pb2.BadRequest(field_violations=[violation])
    return Refused(code_pb2.INVALID_ARGUMENT, errors_pb2.ERROR_REASON_PROMPT_REFUSED, said, detail)


def server_full(slots: int, retry_ms: int) -> Refused:
    """Every slot is taken; running sessions are never starved for a new one."""
    message = f"all {slots} sessions of this server are taken"
    return Refused(code_pb2.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_SERVER_FULL, message, retry(retry_ms))


def too_many_listeners(limit: int, retry_ms: int) -> Refused:
    """The session has as many listeners as it may."""
    message = f"the session has {limit} listeners, as many as it may"
    return Refused(code_pb2.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_TOO_MANY_LISTENERS, message, retry(retry_ms))


def too_large(field: str, size: int, limit: int) -> Refused:
    """A field that is larger than the server takes."""
    message = f"{field}: expected at most {limit} bytes, got {size}"
    return Refused(code_pb2.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_TOO_LARGE, message)


def limit_reached(message: str, retry_ms: int) -> Refused:
    """The server keeps no more of something."""
    return Refused(code_pb2.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_QUOTA, message, retry(retry_ms))


def draining(retry_ms: int) -> Refused:
    """The server is going down."""
    message = "the server is going down; try another one"
    return Refused(code_pb2.UNAVAILABLE, errors_pb2.ERROR_REASON_DRAINING, message, retry(retry_ms))


def not_ready(retry_ms: int) -> Refused:
    """The server is still warming up."""
    message = "the server is still warming up"
    return Refused(code_pb2.UNAVAILABLE, errors_pb2.ERROR_REASON_NOT_READY, message, retry(retry_ms))


def wrong_status(message: str) -> Refused:
    """The session is not in a status in which this can be done."""
    return Refused(code_pb2.FAILED_PRECONDITION, errors_pb2.ERROR_REASON_WRONG_STATUS, message)


def version_conflict(message: str) -> Refused:
    """A soundtrack of this version exists with another content."""
    return Refused(code_pb2.FAILED_PRECONDITION, errors_pb2.ERROR_REASON_VERSION_CONFLICT, message)


def sample_gone(wanted: int, first: int, head: int) -> Refused:
    """from_sample is outside what the server holds."""
    message = f"from_sample: the server holds samples {first} to {head}, got {wanted}"
    return Refused(code_pb2.OUT_OF_RANGE, errors_pb2.ERROR_REASON_SAMPLE_GONE, message)


def resume_refused(message: str) -> Refused:
    """A resume point, or what came with it, that can't be gone on from."""
    return Refused(
        code_pb2.INVALID_ARGUMENT, errors_pb2.ERROR_REASON_RESUME_REFUSED, f"the resume point is refused: {message}"
    )


def not_back(session_id: str, retry_ms: int) -> Refused:
    """A session that somebody who may steer it has to bring back first."""
    message = f'the session "{session_id[:64]}" is not back yet, and this token, which may only listen, can\'t bring it'
    return Refused(code_pb2.UNAVAILABLE, errors_pb2.ERROR_REASON_NOT_READY, message, retry(retry_ms))


def not_here(session_id: str, retry_ms: int) -> Refused:
    """A session that is to be brought back, by the process that has lost it: others are to be asked first."""
    message = f'the session "{session_id[:64]}" is not here any more; others may have brought it back elsewhere'
    return Refused(code_pb2.UNAVAILABLE, errors_pb2.ERROR_REASON_NOT_READY, message, retry(retry_ms))


def lacking(feature: str, why: str) -> Refused:
    """Part of the contract that this server is not equipped for; `feature` as in GetServerInfo.not_built."""
    return Refused(code_pb2.UNIMPLEMENTED, errors_pb2.ERROR_REASON_NOT_BUILT, f"{feature}: {why}")


def problems_of(diagnostics: Sequence[Diagnostic]) -> list[errors_pb2.SoundtrackProblem]:
    """Diagnostics of a soundtrack as they go over the wire."""
    error, warning = errors_pb2.SoundtrackProblem.SEVERITY_ERROR, errors_pb2.SoundtrackProblem.SEVERITY_WARNING
    return [
        errors_pb2.SoundtrackProblem(
            severity=error if item.severity == "error" else warning,
            line=item.line,
            column=item.column,
            path=item.path,
            message=item.message,
        )
        for item in diagnostics
    ]


def refusal_of(error: BaseException, retry_ms: int = 1_000) -> Refused | None:
    """The refusal that an error of ours amounts to; None for one that is a fault."""
    match error:
        case Refused():
            return error
        case UnknownName():
            return unknown(error.kind, error.name, error.near, error.known, str(error))
        case OutOfRange() | InvalidValue():
            return invalid(error.field, str(error).removeprefix(f"{error.field}: "))
        case SoundtrackError():
            detail = errors_pb2.SoundtrackProblems(problems=problems_of(error.diagnostics))
            return Refused(
                code_pb2.INVALID_ARGUMENT, errors_pb2.ERROR_REASON_INVALID_SOUNDTRACK, str(error)[:4000], detail
            )
        case PromptError():
            return Refused(code_pb2.INVALID_ARGUMENT, errors_pb2.ERROR_REASON_PROMPT_REFUSED, str(error))
        case ConditioningError():
            field, _, expected = str(error).partition(": ")
            return invalid(field, expected or "out of range")
        case EngineFullError():
            return Refused(
                code_pb2.RESOURCE_EXHAUSTED, errors_pb2.ERROR_REASON_SERVER_FULL, str(error), retry(retry_ms)
            )
    return None


def status_of(error: BaseException, retry_ms: int = 1_000) -> status_pb2.Status:
    """google.rpc.Status of any exception; what is not a refusal becomes INTERNAL without its inner words."""
    refused = refusal_of(error, retry_ms)
    if refused is None:
        message = "a fault of the server; nothing was applied"
        refused = Refused(code_pb2.INTERNAL, errors_pb2.ERROR_REASON_FAULT, message)
    status = status_pb2.Status(code=refused.code, message=str(refused))
    name = Reason.Name(refused.reason).removeprefix("ERROR_REASON_")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=name, domain=DOMAIN))
    for detail in refused.details:
        status.details.add().Pack(detail)
    return status
