# SPDX-License-Identifier: Apache-2.0
"""Who calls: what the metadata says, whatever protocol it came by."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from segue_service.config import Settings
from segue_service.errors import token_missing, token_wrong


@dataclass(frozen=True, slots=True)
class Caller:
    """The token that came with a call, if one did."""

    token: str | None = None

    @staticmethod
    def of(metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
        """From metadata, keys in lower case; "authorization: Bearer …" wins over "segue-session-token"."""
        found: dict[str, str] = {}
        for key, value in metadata:
            if isinstance(value, str) and key in ("authorization", "segue-session-token"):
                found.setdefault(key, value)
        kind, _, token = found.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.strip():
            return Caller(token.strip())
        return Caller(found.get("segue-session-token"))


def check_operator(caller: Caller, settings: Settings) -> None:
    """Raises Refused unless the caller may operate the server: by its token, or on loopback if it has none."""
    if settings.operator_token is None:
        if not settings.is_loopback:
            raise token_wrong("operations: this server has no operator token, so they are closed")
        return
    if caller.token is None:
        raise token_missing("the operator's token")
    if not hmac.compare_digest(settings.operator_token.get_secret_value().encode(), caller.token.encode()):
        raise token_wrong("operations")
