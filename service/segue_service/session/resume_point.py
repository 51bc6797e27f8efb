# SPDX-License-Identifier: Apache-2.0
"""Resume points: what a session is, signed and small enough for a save file; any server with the key can go on from it.

The signature is an HMAC with SHA-256, by itsdangerous, whose first key in use is the newest of a list: keys rotate by
being appended, and dropped when what they signed is too old anyway.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segue.v1 import stream_pb2
from segue_engine.contract import Conditioning, Guidance, Sampling
from segue_service.session.done import LENGTH, MOST
from segue_service.session.planned import Entries

MOST_BYTES: Final = 2048
_RUNS: Final = (16, 8, 4, 2, 1, 0)
_Run = tuple[int, tuple[int, ...], int, float, float, float, float, float, float | None, int | None, float | None]


class ResumeError(ValueError):
    """A resume point that this server can't go on from; the message says why."""


class ResumePoint(BaseModel):
    """What a session is from `frame` on.

    machine: its state machine there. under: what it was and will be played under, around that frame; see `runs`.
    digest: SHA-256 of the session's token. override: style codes and guidance that play instead of the state's style.
    tenant: whose quotas it counts for. until: when the session's token ends, in seconds since 1970; 0: with it.
    done: marks of the latest controls that the machine's state holds, see `done`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = 1
    session: str = Field(max_length=64)
    digest: str = Field(max_length=64, pattern=r"^[A-Za-z0-9_-]*$")
    soundtrack: str = Field(max_length=256)
    version: int = Field(ge=0, lt=2**31)
    hash: str = Field(max_length=64)
    model: str = Field(max_length=256)
    seed: int = Field(ge=-(2**63), lt=2**63)
    lead_ms: int = Field(ge=1, le=60_000)
    guidance: tuple[float, float, float]
    take: int = Field(ge=0, lt=2**30)
    frame: int = Field(ge=0, lt=2**40)
    machine: dict[str, Any]
    under: tuple[_Run, ...] = ()
    override: tuple[tuple[int, ...], float | None] | None = None
    tenant: str = Field("", max_length=64)
    until: int = Field(0, ge=0, lt=2**40)
    done: tuple[Annotated[str, Field(max_length=LENGTH)], ...] = Field((), max_length=MOST)


@dataclass(frozen=True, slots=True)
class Keepsake:
    """A resume point, the continuation up to a sample, and that sample: the first that is still to be played."""

    point: stream_pb2.ResumePoint
    continuation: tuple[bytes, ...]
    from_sample: int


class Seal:
    """Signs resume points and opens signed ones. Keys are oldest first; the last one signs, all are accepted."""

    def __init__(self, keys: Sequence[bytes], valid_days: float) -> None:
        if not keys:
            raise ValueError("keys: expected at least one")
        self._valid = valid_days * 86_400
        self._names = [hashlib.sha256(key).hexdigest()[:6] for key in keys]
        self._serializer = URLSafeTimedSerializer(
            list(keys),
            salt="segue resume point",
            serializer=_Json,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def close(self, point: ResumePoint) -> bytes | None:
        """The point, signed, in at most 2 KB: the shortest of its runs are left out where it would be more. None if
        the machine alone is more than that."""
        for most in _RUNS:
            slim = point.model_copy(update={"under": thinned(point.under, most)})
            signed = self._serializer.dumps(slim.model_dump(mode="json", exclude_defaults=True))
            token = f"{self._names[-1]}.{signed}".encode() if isinstance(signed, str) else b""
            if 0 < len(token) <= MOST_BYTES:
                return token
        return None

    def open(self, token: bytes) -> ResumePoint:
        """Raises ResumeError: malformed, of an unknown key, forged, or too old."""
        if len(token) > MOST_BYTES:
            raise ResumeError(f"expected at most {MOST_BYTES} bytes, got {len(token)}")
        name, dot, signed = token.partition(b".")
        if not dot or len(name) != 6 or not token.isascii():
            raise ResumeError("expected ResumePoint.token as it came")
        if name.decode() not in self._names:
            known = ", ".join(self._names)
            raise ResumeError(f"it was signed with the key {name.decode()}, which this server does not have ({known})")
        try:
            found, when = self._serializer.loads(signed, return_timestamp=True)
        except BadData:
            raise ResumeError("it was changed after it was signed") from None
        # One from the future is taken: clocks of servers differ, and loads(max_age=…) would refuse it as too old.
        if time.time() - when.timestamp() > self._valid:
            days = self._valid / 86_400
            raise ResumeError(f"it is of {when:%Y-%m-%d}, and at most {days:g} days are accepted")
        try:
            return ResumePoint.model_validate(found)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])).encode("ascii", "backslashreplace").decode()
            raise ResumeError(f"it is of another version of the format ({where}: {first['msg']})") from None


class _Json:
    """Compact JSON, keys in order."""

    @staticmethod
    def dumps(value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    @staticmethod
    def loads(text: str | bytes) -> Any:
        return json.loads(text)


def digest_of(token: str) -> str:
    """What a resume point keeps of a session's token."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")


def runs(entries: Entries) -> tuple[_Run, ...]:
    """Conditionings, each from its frame on, as a resume point has them. Notes are left out: a score gives them."""
    out: list[_Run] = []
    for frame, held in entries:
        guidance, sampling = held.guidance, held.sampling
        run: _Run = (
            *(frame, held.style_codes, held.drums, guidance.style, guidance.notes, guidance.drums),
            *(held.gain_db, held.true_peak_dbtp, sampling.temperature, sampling.top_k, sampling.min_p),
        )
        if not out or out[-1][1:] != run[1:]:
            out.append(run)
    return tuple(out)


def conditionings(under: Sequence[_Run]) -> Entries:
    """The inverse of `runs`. Raises ConditioningError where a value is out of range."""
    out: Entries = []
    for frame, codes, drums, style, notes, hits, gain, peak, temperature, top_k, min_p in under:
        held = Conditioning(
            style_codes=codes,
            drums=drums,
            guidance=Guidance(style, notes, hits),
            gain_db=gain,
            true_peak_dbtp=peak,
            sampling=Sampling(temperature, top_k, min_p),
        )
        held.validate()
        out.append((frame, held))
    return out


def thinned(under: Sequence[_Run], most: int) -> tuple[_Run, ...]:
    """At most so many runs: the shortest give way to the one before them."""
    kept = list(under)
    while len(kept) > most:
        lengths = [following[0] - run[0] for run, following in pairwise(kept)]
        del kept[lengths.index(min(lengths[1:]), 1) if len(lengths) > 1 else 0]
    return tuple(kept)
