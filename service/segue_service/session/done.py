# SPDX-License-Identifier: Apache-2.0
"""Which controls a session's state holds already: a resume point takes their names along, so that one whose answer died
with its server is not done again where it is sent again."""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Final

MOST: Final = 8
"""Controls that are remembered: a client that waits for an answer sends few more."""
LENGTH: Final = 8
"""Characters of what is kept of a request_id: 48 bits."""


class Done:
    """One session's latest controls, as marks of their request_ids."""

    def __init__(self, marks: Iterable[str] = ()) -> None:
        """marks: oldest first, of another server."""
        self._marks = deque(marks, MOST)

    def __contains__(self, request_id: str) -> bool:
        return bool(request_id) and mark_of(request_id) in self._marks

    @property
    def marks(self) -> tuple[str, ...]:
        """Oldest first."""
        return tuple(self._marks)

    def add(self, request_id: str) -> None:
        """It has been done; nothing if it has no name."""
        if request_id and request_id not in self:
            self._marks.append(mark_of(request_id))


def mark_of(request_id: str) -> str:
    """What is kept of it."""
    return base64.urlsafe_b64encode(hashlib.sha256(request_id.encode()).digest()).decode()[:LENGTH]
