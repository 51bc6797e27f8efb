# SPDX-License-Identifier: Apache-2.0
"""A listener without a loudspeaker: would what arrives have been there in time? Pure; told the time."""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_RATE = 48_000


@dataclass(slots=True)
class Playout:
    """Plays from `buffer` seconds after the first arrival, and waits whenever it has nothing.

    underruns: how often it had to; late: for how long in all, in seconds; worst: the smallest reserve seen, in seconds.
    """

    buffer: float = 0.2
    underruns: int = 0
    late: float = 0.0
    worst: float = float("inf")
    _begin: float | None = None
    _first: int = 0
    _end: int = 0

    def arrived(self, first_sample: int, count: int, now: float, *, replaces: bool = False) -> None:
        """Samples have arrived; they may replace older ones. Any other jump in the timeline begins a new reckoning."""
        replaces = replaces and self._first < first_sample <= self._end
        if self._begin is None or (first_sample != self._end and not replaces):
            self._begin, self._first = now + self.buffer, first_sample
        reserve = self._begin + (first_sample - self._first) / SAMPLE_RATE - now
        if first_sample != self._first:
            self.worst = min(self.worst, reserve)
        if reserve < 0.0:
            self.underruns += 1
            self.late -= reserve
            self._begin -= reserve
        self._end = first_sample + count

    def playhead(self, now: float) -> int:
        """First sample not heard yet."""
        if self._begin is None:
            return self._end
        return max(self._first, min(self._end, self._first + int((now - self._begin) * SAMPLE_RATE)))


@dataclass(slots=True)
class Heard:
    """Where a client that reports its playhead has got to since: it goes on at the sample rate."""

    _sample: int | None = None
    _since: float = 0.0
    _trip: float = 0.0

    @property
    def round_trip_ms(self) -> int:
        """Of the last report; 0 if there was none."""
        return min(600_000, round(self._trip * 1000))

    def round_trip(self, seconds: float) -> None:
        """A report took so long."""
        self._trip = seconds

    def at(self, sample: int, now: float) -> None:
        """The client has reported."""
        self._sample, self._since = sample, now

    def by(self, now: float, end: int | None) -> int | None:
        """The first sample not heard by now, at most `end`; None if nothing was ever reported."""
        if self._sample is None:
            return None
        moved = self._sample + int((now - self._since) * SAMPLE_RATE)
        return moved if end is None else max(self._sample, min(moved, end))
