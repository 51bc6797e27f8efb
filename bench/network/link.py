# SPDX-License-Identifier: Apache-2.0
"""When a TCP connection over a bad path hands over what was written into it. Pure; told the time.

TCP loses no bytes: it loses time. Bytes travel in segments, and of those that are lost a copy is sent later:

- after a round trip, if three more segments of the same write follow, whose acknowledgements give the loss away (fast
  retransmit, RFC 5681);
- else, at the end of a burst, when a timer ends: a round trip and `RTO_LEAST` (RFC 6298, with the least that Linux
  takes). Probes of a loss at the tail (RFC 8985) would be quicker: this is the worse case.
- A copy may be lost as well. From then on the timer decides, twice as long each time.

Whatever was sent behind a lost segment waits for it, since a connection is read in order. Segments that are written
together share one draw of jitter, as packets that go through the same queue do. Not modelled: congestion control (a
stream of music sends far less than a window), set-up of a connection beyond its one round trip.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

SEGMENT: Final = 1_400
"""Bytes."""
RTO_LEAST: Final = 0.2
DUPLICATES: Final = 3


@dataclass(frozen=True, slots=True)
class Path:
    """One way: seconds of delay, of jitter on top (uniform), share of segments lost, bytes a second (None: any)."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    bandwidth: float | None = None

    def __post_init__(self) -> None:
        if self.delay < 0 or self.jitter < 0:
            raise ValueError(f"delay, jitter: expected 0 or more, got {self.delay}, {self.jitter}")
        if not 0 <= self.loss < 1:
            raise ValueError(f"loss: expected a share below 1, got {self.loss}")
        if self.bandwidth is not None and self.bandwidth <= 0:
            raise ValueError(f"bandwidth: expected more than 0 bytes a second, got {self.bandwidth}")

    @property
    def round_trip(self) -> float:
        """Seconds there and back, at the mean of the jitter."""
        return 2 * self.delay + self.jitter


class Lane:
    """One direction of one connection."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.lost = 0
        """Segments lost so far, copies included."""
        self._path, self._chance = path, chance
        self._free = self._handed = float("-inf")

    def send(self, now: float, size: int) -> list[tuple[float, int]]:
        """`size` bytes are written at `now`: (when, bytes) of what is handed over, in order, times never falling."""
        path = self._path
        jitter = self._chance.uniform(0.0, path.jitter)
        sizes = [SEGMENT] * (size // SEGMENT) + ([size % SEGMENT] if size % SEGMENT else [])
        handed: list[tuple[float, int]] = []
        for number, count in enumerate(sizes):
            self._free = max(self._free, now) + (0.0 if path.bandwidth is None else count / path.bandwidth)
            late = self._lateness(is_followed=len(sizes) - number > DUPLICATES)
            at = max(self._handed, self._free + path.delay + jitter + late)
            if handed and handed[-1][0] == at:
                handed[-1] = (at, handed[-1][1] + count)
            else:
                handed.append((at, count))
            self._handed = at
        return handed

    def _lateness(self, *, is_followed: bool) -> float:
        """Seconds by which losses make one segment later."""
        path, late = self._path, 0.0
        timer = path.round_trip + max(RTO_LEAST, path.jitter)
        first = True
        while path.loss > 0 and self._chance.random() < path.loss:
            self.lost += 1
            if first and is_followed:
                late += path.round_trip
            else:
                late += timer
                timer *= 2
            first = False
        return late
