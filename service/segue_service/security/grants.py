# SPDX-License-Identifier: Apache-2.0
"""Granted tokens: capabilities of one session that may do less than its own token, and end.

They are signed with a key that is derived from the resume keys, so that they open the session on whichever server it
is brought back, and name the session and its own token's hash: nothing else is opened by them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from itsdangerous import BadData, URLSafeSerializer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segue_service.errors import token_expired, token_wrong

PREFIX: Final = "sgt."
MOST_CHARACTERS: Final = 512
_BOUND: Final = 16
"""Characters of the hash of the session's own token: 96 bits."""


class Right(IntEnum):
    """What a token may do; each includes those before it."""

    LISTEN = 1
    STEER = 2
    OWN = 3
    """Grant and close: only the token that CreateSession gave."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token may do, and until when (seconds since 1970; None: for as long as the session)."""

    right: Right
    until: float | None = None


class _Grant(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    s: str = Field(max_length=64)
    d: str = Field(min_length=_BOUND, max_length=_BOUND)
    r: int = Field(ge=Right.LISTEN, le=Right.STEER)
    e: int = Field(ge=0)


class Grants:
    """Makes and opens granted tokens. Keys are oldest first; the last one signs, all are accepted."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._serializer = URLSafeSerializer(
            list(keys),
            salt="segue granted token",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def make(self, session_id: str, digest: str, right: Right, until: int) -> str:
        """A token of this session, whose own token has this digest, until so many seconds since 1970."""
        if right >= Right.OWN:
            raise ValueError("right: expected LISTEN or STEER")
        payload = {"s": session_id, "d": digest[:_BOUND], "r": int(right), "e": until}
        signed = self._serializer.dumps(payload)
        return PREFIX + (signed if isinstance(signed, str) else signed.decode())

    def open(self, token: str, session_id: str, digest: str) -> Opened:
        """What a token that begins with PREFIX may do with this session. Raises Refused."""
        if len(token) > MOST_CHARACTERS or not token.isascii():
            raise token_wrong("this session")
        try:
            grant = _Grant.model_validate(self._serializer.loads(token.removeprefix(PREFIX)), strict=True)
        except (BadData, ValidationError):
            raise token_wrong("this session") from None
        if (grant.s, grant.d) != (session_id, digest[:_BOUND]):
            raise token_wrong("this session")
        check_time("the granted token", grant.e)
        return Opened(Right(grant.r), grant.e)


def check_time(what: str, until: float) -> None:
    """Raises Refused if this moment, in seconds since 1970, has passed."""
    if until <= time.time():
        raise token_expired(what, datetime.fromtimestamp(until, UTC))
