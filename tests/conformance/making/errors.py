# SPDX-License-Identifier: Apache-2.0
"""errors.json: trailers of refused calls, as the service writes them, and what an SDK makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.any_pb2 import Any as Packed
from google.rpc import code_pb2, status_pb2

from making.plain import text64
from segue_service import errors as service
from segue_service.api.web.frames import Wire
from segue_service.soundtrack import Diagnostic, SoundtrackError

_STATES = ("explore", "combat", "boss")


def make() -> dict[str, Any]:
    """The file."""
    return {"errors": [*_ours(), *_others()]}


def _refusals() -> dict[str, tuple[Exception, dict[str, Any]]]:
    """What the service raises, and what beside code and message is to be read out of it."""
    near = {"kind": "state", "name": "comat", "near_misses": ["combat"], "known": list(_STATES)}
    far = {"kind": "soundtrack", "name": "zzz", "near_misses": [], "known": ["dungeon"]}
    return {
        "a state with near misses": (
            service.unknown("state", "comat", ("combat",), _STATES),
            {"reason": "UNKNOWN_NAME", **near},
        ),
        "a soundtrack without": (
            service.unknown("soundtrack", "zzz", (), ("dungeon",)),
            {"reason": "UNKNOWN_SOUNDTRACK", **far},
        ),
        "a field": (service.invalid("fade_ms", "expected 0..30000, got -1"), _field("fade_ms")),
        "a message beyond ASCII": (
            service.invalid("prompts[0].text", "100 % „Größe“\nsecond line"),
            _field("prompts[0].text"),
        ),
        "no such session": (service.unknown_session("s-1"), {"reason": "UNKNOWN_SESSION"}),
        "no token": (service.token_missing("the session's token"), {"reason": "TOKEN_MISSING"}),
        "the wrong token": (service.token_wrong("this session"), {"reason": "TOKEN_WRONG"}),
        "full": (service.server_full(32, 2_000), {"reason": "SERVER_FULL", "retry_after_ms": 2_000}),
        "too many listeners": (
            service.too_many_listeners(64, 1_500),
            {"reason": "TOO_MANY_LISTENERS", "retry_after_ms": 1_500},
        ),
        "too large": (service.too_large("request", 5_000_000, 4_194_304), {"reason": "TOO_LARGE"}),
        "a quota": (service.limit_reached("no more", 1), {"reason": "QUOTA", "retry_after_ms": 1}),
        "going down": (service.draining(2_000), {"reason": "DRAINING", "retry_after_ms": 2_000}),
        "warming up": (service.not_ready(2_000), {"reason": "NOT_READY", "retry_after_ms": 2_000}),
        "the wrong status": (service.wrong_status("the session is stopped"), {"reason": "WRONG_STATUS"}),
        "another version": (service.version_conflict("version 3 exists"), {"reason": "VERSION_CONFLICT"}),
        "a sample that is gone": (service.sample_gone(10, 1_920, 96_000), {"reason": "SAMPLE_GONE"}),
        "a resume point": (service.resume_refused("its signature is another's"), {"reason": "RESUME_REFUSED"}),
        "not built": (service.lacking("AudioEncoding.OPUS", "libopus is missing"), {"reason": "NOT_BUILT"}),
        "a fault": (RuntimeError("inner words"), {"reason": "FAULT"}),
    }


def _field(name: str) -> dict[str, Any]:
    return {"reason": "INVALID_FIELD", "field": name}


def _ours() -> Iterator[dict[str, Any]]:
    for case, (error, expected) in _refusals().items():
        yield _case(case, service.status_of(error), expected)
    found = [
        Diagnostic("error", "expected a map, got 7", "states", "dungeon.soundtrack.yaml", 4, 9),
        Diagnostic("error", 'no style "combat"', "states.fight.style", "dungeon.soundtrack.yaml", 12, 12),
    ]
    problems = [{"line": d.line, "column": d.column, "path": d.path, "message": d.message} for d in found]
    expected = {"reason": "INVALID_SOUNDTRACK", "problems": problems}
    yield _case("a soundtrack with problems", service.status_of(SoundtrackError(found)), expected)


def _others() -> Iterator[dict[str, Any]]:
    """What proxies, later versions and mistakes send."""
    full = service.status_of(service.server_full(32, 2_000))
    later = status_pb2.Status()
    later.CopyFrom(full)
    later.details.insert(0, Packed(type_url="type.googleapis.com/segue.v2.Later", value=b"\x08\x01"))
    yield _case("a detail of a later version is passed over", later, {"reason": "SERVER_FULL", "retry_after_ms": 2_000})
    torn = status_pb2.Status()
    torn.CopyFrom(full)
    torn.details[0].value = b"\x0a\xff"
    yield _case("a detail that is torn is passed over", torn, {"retry_after_ms": 2_000})
    told = _trailers(full)
    padded = told | {"grpc-status-details-bin": text64(full.SerializeToString())}
    yield _read("details with padding", padded, full, {"reason": "SERVER_FULL", "retry_after_ms": 2_000})
    bad = "details that are not base64 are passed over"
    yield _read(bad, told | {"grpc-status-details-bin": "*!*"}, full, {})
    junk = "details that are not a Status are passed over"
    yield _read(junk, told | {"grpc-status-details-bin": text64(b"\x0a\xff")}, full, {})
    bare = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="upstream connect error")
    yield _read("a proxy's error", {"grpc-status": "14", "grpc-message": bare.message}, bare, {})


def _case(case: str, status: status_pb2.Status, expected: dict[str, Any]) -> dict[str, Any]:
    return _read(case, _trailers(status), status, expected)


def _read(case: str, trailers: dict[str, str], status: status_pb2.Status, expected: dict[str, Any]) -> dict[str, Any]:
    nothing = {"reason": "", "field": "", "kind": "", "name": "", "near_misses": [], "known": [], "problems": []}
    told = {"code": status.code, "code_name": code_pb2.Code.Name(status.code), "message": status.message}
    return {"case": case, "trailers": trailers, "expect": {**told, **nothing, "retry_after_ms": None, **expected}}


def _trailers(status: status_pb2.Status) -> dict[str, str]:
    """As the service writes them."""
    lines = Wire(False, False).trailers(status)[5:].decode()
    return dict(line.split(": ", 1) for line in lines.splitlines())
