# SPDX-License-Identifier: Apache-2.0
"""Holding one's lead although no two clocks agree: how fast to play, by how much audio is there. Pure; told the time.

A sound card that runs 200 ppm fast eats 0.7 s more in an hour than the server makes. So a client plays a little slower
or faster, by resampling, until its reserve is what it was. A lone listener that reports its playhead is followed by the
server and needs none of it; where several listen, each has to keep to the server's clock by itself.
"""

from __future__ import annotations

from typing import Final

MOST: Final = 0.005
"""Largest deviation of the rate from 1: 9 cents."""
GAIN: Final = 0.05
"""Deviation per second of reserve that is missing: what is missing is made up for with a time constant of 20 s."""
DEAD_BAND: Final = 0.01
"""Seconds of reserve around the target within which nothing is resampled."""
SMOOTHING: Final = 5.0
"""Seconds over which the reserve is averaged: chunks come every 80 ms, and not on time."""
SETTLING: Final = 10.0
"""Seconds after which the reserve that a client has found is the one that it keeps."""
REFILL: Final = 12.0
"""Seconds at most after a take during which a smaller reserve is the server's to make up for."""


def playback_rate(reserve: float, target: float) -> float:
    """Samples of the timeline to play per sample of the sound card, for seconds of (averaged) reserve: 1 ± MOST."""
    missing = target - reserve
    beyond = missing - max(-DEAD_BAND, min(DEAD_BAND, missing))
    return 1.0 - max(-MOST, min(MOST, GAIN * beyond))


class LeadHolder:
    """Averages the reserve, learns what it usually is, and gives the rate that keeps it there. One thread."""

    def __init__(self) -> None:
        self.target: float | None = None
        """Seconds of reserve that are kept; None for the first SETTLING seconds, which play at 1."""
        self.average = 0.0
        """Seconds of reserve, averaged."""
        self._rate = 1.0
        self._begun: float | None = None
        self._at = 0.0
        self._refilled_by: float | None = None

    def rate(self, reserve: float, now: float) -> float:
        """The rate to play at, for seconds of audio that are there now. Call it many times a second while playing."""
        if self._begun is None:
            self._begun = self._at = now
            self.average = reserve
        elapsed, self._at = now - self._at, now
        if self._refilled_by is not None and reserve < self.average and now < self._refilled_by:
            return self._rate
        self._refilled_by = None
        age = now - self._begun
        if age > 0.0:  # at first the mean of all, later of the last few seconds
            self.average += (reserve - self.average) * min(1.0, elapsed / min(age, SMOOTHING))
        if self.target is None and age >= SETTLING:
            self.target = self.average
        if self.target is not None:
            self._rate = playback_rate(self.average, self.target)
        return self._rate

    def replaced(self, now: float) -> None:
        """A take has replaced what was there, so that the reserve is smaller for a while."""
        self._refilled_by = now + REFILL
