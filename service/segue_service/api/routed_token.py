# SPDX-License-Identifier: Apache-2.0
"""Tokens that say where their session is, for a front door that reads headers but no messages.

sg1.ROUTE.SESSION.TOKEN: the base64 of the address of the session's process, the session's id, and the token itself.
What is before the token is an address label and proves nothing; who changes it is sent to another process, which does
not know the session. See docs/kubernetes.md.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "sg1."


@dataclass(frozen=True, slots=True)
class Label:
    """What stands before a token: the address of a process, and the session that it is said to have."""

    route: str
    session_id: str


def label_of(token: str) -> Label | None:
    """The label of what a client sent; None if it has none that can be read."""
    parts = token.split(".", 3)
    if not token.startswith(PREFIX) or len(parts) < 4:
        return None
    try:
        route = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return Label(route, parts[2])


def with_route(token: str, session_id: str, route: str | None) -> str:
    """The token as clients get it. route: address and port of this process as the front door knows it; None: bare."""
    if not token or route is None:
        return token
    label = base64.urlsafe_b64encode(route.encode()).decode().rstrip("=")
    return f"{PREFIX}{label}.{session_id}.{bare(token)}"


def way_to(token: str | None, session_id: str, route: str | None) -> str:
    """The caller's own token with the way to this process, for one who may have come by an older one; empty where there
    are no such ways."""
    return "" if token is None or route is None else with_route(token, session_id, route)


def bare(token: str) -> str:
    """The token itself, from what a client sent; what has no label comes back as it is."""
    if not token.startswith(PREFIX):
        return token
    parts = token.split(".", 3)
    return parts[3] if len(parts) == 4 else token
