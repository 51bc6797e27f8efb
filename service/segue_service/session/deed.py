# SPDX-License-Identifier: Apache-2.0
"""Whose a session is, and which tokens open it."""

from __future__ import annotations

import hmac
import math
import secrets
import time
from dataclasses import dataclass

from segue_service.errors import token_wrong
from segue_service.security.grants import PREFIX, Grants, Opened, Right, check_time
from segue_service.session.resume_point import ResumePoint, digest_of


@dataclass(frozen=True, slots=True)
class Deed:
    """digest: of the session's own token, see `digest_of`. tenant: "" where there are none. until: when that token
    ends, in seconds since 1970; None: with the session."""

    digest: str
    tenant: str = ""
    until: int | None = None

    @staticmethod
    def new(tenant: str, token_hours: float) -> tuple[Deed, str]:
        """Of a session that begins, and its token."""
        token = secrets.token_urlsafe(32)
        until = math.ceil(time.time() + 3600 * token_hours) if token_hours else None
        return Deed(digest_of(token), tenant, until), token

    @staticmethod
    def of(point: ResumePoint) -> Deed:
        """As a resume point has it."""
        return Deed(point.digest, point.tenant, point.until or None)

    def open(self, session_id: str, token: str, grants: Grants, need: Right, what: str = "this session") -> Opened:
        """What a token may do with the session of this deed, which is at least `need`. Raises Refused."""
        if token.startswith(PREFIX):
            opened = grants.open(token, session_id, self.digest)
        else:
            if not hmac.compare_digest(self.digest, digest_of(token)):
                raise token_wrong(what)
            if self.until is not None:
                check_time("the session's token", self.until)
            opened = Opened(Right.OWN, self.until)
        if opened.right < need:
            granted = "that: it was granted for listening only"
            own = "that: only the token that CreateSession gave does"
            raise token_wrong(own if need is Right.OWN else granted)
        return opened
