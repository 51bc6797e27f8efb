# SPDX-License-Identifier: Apache-2.0
"""Token buckets: so many a second over a while, and a few at once. Monotonic time."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bucket:
    """Full at first. One thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: float | None = None
        self._at = 0.0

    def take(self, per_second: float, burst: float) -> float:
        """Take one; gives 0, or the seconds until there is one again, with nothing taken."""
        burst = max(1.0, burst)
        now = self._clock()
        held = burst if self._held is None else min(burst, self._held + (now - self._at) * per_second)
        self._at = now
        if held < 1.0:
            self._held = held
            return (1.0 - held) / per_second
        self._held = held - 1.0
        return 0.0
