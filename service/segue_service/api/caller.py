# SPDX-License-Identifier: Apache-2.0
"""Who calls: what the metadata says, whatever protocol it came by, and what that opens."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from segue_service.api import requests as check
from segue_service.api.routed_token import Label, bare, label_of
from segue_service.config import Settings
from segue_service.errors import token_missing, token_wrong
from segue_service.observe.tracing import PARENTS
from segue_service.security.access import Access, Identity
from segue_service.security.grants import Opened, Right
from segue_service.session.registry import Registry
from segue_service.session.session import Session

_ATTEMPT: Final = "x-envoy-attempt-count"
_READ: Final = frozenset(("authorization", "segue-session-token", _ATTEMPT, *PARENTS))


@dataclass(slots=True)
class Who:
    """Whose a call has turned out to be, for the audit log: a tenant, and the key that was shown."""

    tenant: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """The token that came with a call, if one did. trace: what it says of the trace that it is part of. peer: where it
    came from, as the transport names it. who: filled in as it is found out. label: the token's, if it has one.
    attempt: the how-manieth server this is that a front door asks, which asks others if it is refused; 0: there is no
    such front door."""

    token: str | None = field(default=None, repr=False)
    trace: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    peer: str = ""
    who: Who = field(default_factory=Who, compare=False)
    label: Label | None = field(default=None, compare=False)
    attempt: int = field(default=0, compare=False)

    @staticmethod
    def of(metadata: Iterable[tuple[str, str | bytes]], peer: str = "") -> Caller:
        """From metadata, keys in lower case; "authorization: Bearer …" wins over "segue-session-token"."""
        found: dict[str, str] = {}
        for key, value in metadata:
            if isinstance(value, str) and key in _READ:
                found.setdefault(key, value)
        trace: dict[str, str] = {key: found[key] for key in PARENTS if key in found}
        kind, _, given = found.get("authorization", "").partition(" ")
        shown = given.strip() if kind.lower() == "bearer" else ""
        token = shown or found.get("segue-session-token")
        if token is None:
            return Caller(None, trace, peer)
        said = found.get(_ATTEMPT, "")
        attempt = int(said) if re.fullmatch("[0-9]{1,4}", said) else 0
        return Caller(bare(token), trace, peer, label=label_of(token), attempt=attempt)


def check_operator(caller: Caller, settings: Settings) -> None:
    """Raises Refused unless the caller may operate the server: by its token, or on loopback if it has none."""
    if settings.operator_token is None:
        if not settings.is_loopback:
            raise token_wrong("operations: this server has no operator token, so they are closed")
        return
    if caller.token is None:
        raise token_missing("the operator's token")
    if not is_operator(caller, settings):
        raise token_wrong("operations")
    caller.who.key = "operator"


def is_operator(caller: Caller, settings: Settings) -> bool:
    """Whether the caller has shown the operator's token."""
    wanted = settings.operator_token
    if wanted is None or caller.token is None:
        return False
    return hmac.compare_digest(wanted.get_secret_value().encode(), caller.token.encode())


def identified(caller: Caller, access: Access) -> Identity:
    """The tenant who calls. Raises Refused."""
    identity = access.identify(caller.token)
    caller.who.tenant, caller.who.key = identity.name, identity.key_id
    return identity


def open_session(caller: Caller, session_id: str, registry: Registry, need: Right) -> tuple[Session, Opened]:
    """The session that the caller's token opens for as much as is needed, and what it may do. Raises Refused."""
    check.name("session_id", session_id)
    session, opened = registry.open(session_id, caller.token, need)
    caller.who.tenant = session.deed.tenant
    return session, opened
