# SPDX-License-Identifier: Apache-2.0
"""CORS: which web pages may call, and the headers that tell a browser so. No I/O."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from segue_service.config import Settings

Headers = list[tuple[bytes, bytes]]
ASKED: Final = (
    *("authorization", "segue-session-token", "content-type", "grpc-timeout", "grpc-accept-encoding"),
    *("x-grpc-web", "x-user-agent", "x-requested-with"),
)
"""Headers that a page may send."""
TOLD: Final = ("grpc-status", "grpc-message", "grpc-status-details-bin")
"""Headers that a page may read."""
_HERE: Final = ("localhost", "127.0.0.1", "::1")
_ANY: Final = "*"
_REMEMBERED: Final = b"7200"
"""Seconds for which a browser need not ask again; Chromium takes no more."""


class Origins:
    """The allow list. Requests without an origin do not come from a page of another site, and are not its business."""

    def __init__(self, settings: Settings) -> None:
        self._listed = settings.web_origins
        self._loopback = settings.is_web_loopback

    def allows(self, origin: str) -> bool:
        """Whether a page of this origin may call."""
        if self._listed is None:
            return self._loopback and _is_local(origin)
        return _ANY in self._listed or origin in self._listed

    def headers(self, origin: str) -> Headers:
        """What an allowed page's response needs."""
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", ",".join(TOLD).encode()),
            (b"vary", b"origin"),
        ]

    def preflight(self, origin: str) -> Headers:
        """The answer to a browser that asks first."""
        return [
            *self.headers(origin),
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", ",".join(ASKED).encode()),
            (b"access-control-max-age", _REMEMBERED),
        ]


def _is_local(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.hostname in _HERE
    except ValueError:
        return False
