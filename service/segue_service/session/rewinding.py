# SPDX-License-Identifier: Apache-2.0
"""Where audio that nobody has heard yet may be replaced, and how often. One session's; pure, told the time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from segue_engine.contract import FRAME_RATE, SAMPLE_RATE
from segue_service.config import Settings
from segue_service.session.timeline import Axis
from segue_service.soundtrack import Input, SetParameters

_BURST_SECONDS: Final = 20.0
"""Audio that may be replaced at once after a while without rewinds: twice a client's longest buffer."""
_SMOOTHED: Final = 0.25
_LONGEST_TRIP: Final = 2.0


class Allowance:
    """So much per second, and `most` at once (a token bucket)."""

    def __init__(self, rate: float, most: float) -> None:
        self._rate, self._most = rate, most
        self._left, self._at = most, 0.0

    def covers(self, amount: float, now: float) -> bool:
        """Whether so much is left. More than there can ever be is covered by a full one."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._most > 0 and self._left >= min(amount, self._most)

    def spend(self, amount: float) -> None:
        self._left = max(0.0, self._left - amount)


class Rewinding:
    """`floor`: the first frame that may be replaced; resets and the like raise it. `reach`: frames that the engine can
    go back behind the furthest frame that it ever made for the session."""

    def __init__(self, settings: Settings, axis: Axis, reach: int) -> None:
        self.floor = 0
        self.reach = reach
        self._axis = axis
        self._margin = settings.rewind_margin_ms / 1000
        often = settings.rewinds_per_second
        self._count = Allowance(often, max(1.0, often) if often > 0 else 0.0)
        share = settings.rewind_share
        self._frames = Allowance(share * FRAME_RATE, _BURST_SECONDS * FRAME_RATE if share > 0 else 0.0)
        self._trip = 0.0
        self._top = 0

    def measured(self, round_trip: float) -> None:
        """A listener has measured a round trip, in seconds."""
        trip = min(round_trip, _LONGEST_TRIP)
        self._trip = trip if self._trip == 0.0 else self._trip + _SMOOTHED * (trip - self._trip)

    @property
    def margin_samples(self) -> int:
        """How far beyond the playhead a new take may begin, so that it gets there in time."""
        return round((self._margin + self._trip) * SAMPLE_RATE)

    def aim(self, playhead: int, head: int) -> int | None:
        """The first frame that can still be replaced everywhere, given the first sample that somebody has not heard;
        None if it is not generated yet, `head` being the first that is not."""
        self._top = max(self._top, head)
        sample = playhead + self.margin_samples
        frame = self._axis.frame(sample)
        if self._axis.sample(frame) < sample:
            frame += 1
        frame = max(frame, self.floor, self._top - self.reach)
        return frame if frame < head else None

    def allows(self, frames: int, now: float) -> bool:
        """Whether the session may have so many frames replaced now (time.monotonic)."""
        return self._count.covers(1.0, now) and self._frames.covers(frames, now)

    def spend(self, frames: int) -> None:
        """So many frames have been replaced."""
        self._count.spend(1.0)
        self._frames.spend(frames)


def wanted(inputs: Sequence[Input]) -> bool:
    """Whether what is generated already is worth replacing: for everything but parameters that are in no hurry."""
    return any(not isinstance(one, SetParameters) or one.urgent for one in inputs)
