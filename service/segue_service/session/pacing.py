# SPDX-License-Identifier: Apache-2.0
"""When each slot is due: only while what is generated ahead of its playhead is less than its target.

Arrays over slots, owned by the device thread; everything is told the time. All positions are timeline samples.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES, SAMPLE_RATE

NO_LIMIT: Final = np.iinfo(np.int64).max
_URGENT: Final = FRAME_SAMPLES * 3 // 2
_AFTER_REWIND: Final = 2 * SAMPLE_RATE
"""Lead that is made up for at once after a rewind. What is beyond grows at the pace of the music, since a game that has
changed its mind once often does again, and then a long lead would have been made for nothing."""
_NEVER: Final = -1e9


class Pacer:
    """Heads, playheads and target leads of all slots. `due` and `wait` are vectorised; the rest is for rare events.

    A playhead moves at the sample rate from its anchor while its slot is `playing`, and never passes the head: a
    listener that has nothing to hear waits, so the music is late by that much from then on.
    """

    def __init__(self, slots: int) -> None:
        self.active = np.zeros(slots, bool)
        self.head = np.zeros(slots, np.int64)
        self.limit = np.full(slots, NO_LIMIT, np.int64)
        self.target = np.zeros(slots, np.int64)
        self._anchor = np.zeros(slots, np.float64)
        self._since = np.zeros(slots, np.float64)
        self._playing = np.zeros(slots, bool)
        self._origin = np.zeros(slots, np.int64)
        self._dry = np.zeros(slots, bool)
        self._rewound = np.full(slots, _NEVER)

    def bind(
        self, slot: int, head: int, target: int, playhead: float, now: float, *, active: bool, frame: int = 0
    ) -> None:
        """A slot has a new owner, whose next frame is its own `frame` and begins at sample `head`; its playhead stands
        still."""
        self.active[slot] = active
        self.head[slot] = head
        self._origin[slot] = head - frame * FRAME_SAMPLES
        self._dry[slot] = False
        self._rewound[slot] = _NEVER
        self.limit[slot] = NO_LIMIT
        self.target[slot] = target
        self._anchor[slot] = playhead
        self._since[slot] = now
        self._playing[slot] = False

    def release(self, slot: int) -> None:
        """Nobody owns the slot."""
        self.active[slot] = False
        self._playing[slot] = False

    def playheads(self, now: float) -> NDArray[np.float64]:
        """Estimated playhead of every slot, f64[slots], never beyond its head."""
        return np.minimum(self._raw(now), self.head)

    def playhead(self, slot: int, now: float) -> int:
        """Estimated playhead of one slot."""
        moved = (now - self._since[slot]) * SAMPLE_RATE if self._playing[slot] else 0.0
        return int(min(self._anchor[slot] + moved, self.head[slot]))

    def is_playing(self, slot: int) -> bool:
        """Whether the slot's playhead moves."""
        return bool(self._playing[slot])

    def place(self, slot: int, playhead: float, now: float) -> None:
        """The playhead is at this sample now (reported, or a stream has begun there)."""
        self._anchor[slot] = min(playhead, float(self.head[slot]))
        self._since[slot] = now

    def play(self, slot: int, now: float, *, playing: bool) -> None:
        """Let the playhead move, or hold it where it is."""
        if bool(self._playing[slot]) != playing:
            self.place(slot, self.playhead(slot, now), now)
            self._playing[slot] = playing

    def aim(self, slot: int, target: int) -> None:
        """The slot shall be this many samples ahead of its playhead."""
        self.target[slot] = target

    def rewound(self, slot: int, frame: int, now: float) -> None:
        """The slot was taken back: its next frame is its own `frame`."""
        self.follow(np.array([slot]), np.array([frame]))
        self._rewound[slot] = now

    def due(self, now: float) -> NDArray[np.int64]:
        """Slots whose lead is below its target, smallest lead first."""
        lead = self.head - self._raw(now)
        slots = np.flatnonzero(self.active & (lead < self._wanted(now)) & (self.head < self.limit))
        return slots[np.argsort(lead[slots], kind="stable")]

    def urgent(self, slots: NDArray[np.int64], now: float) -> bool:
        """Whether any of these slots is so far below its target that it should not wait for the next tick."""
        return bool(((self.head - self._raw(now) + _URGENT)[slots] <= self._wanted(now)[slots]).any())

    def wait(self, now: float) -> float | None:
        """Seconds until the next slot becomes due, if nothing changes; None: never."""
        open_ = self.active & (self.head < self.limit)
        wanted = self._wanted(now)
        missing = (self.head - self._raw(now) - wanted)[open_]
        moving = self._playing[open_]
        if (missing < 0).any():
            return 0.0
        if (wanted < self.target)[open_].any():
            return FRAME_SAMPLES / SAMPLE_RATE  # it grows
        if not moving.any():
            return None
        return float(missing[moving].min() + 1) / SAMPLE_RATE

    def follow(self, slots: NDArray[np.int64], frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The next frames of these slots are their own `frames` now; gives which of the slots have gone on."""
        heads = self._origin[slots] + frames * FRAME_SAMPLES
        gone_on: NDArray[np.bool_] = heads != self.head[slots]
        self.head[slots] = heads
        self._dry[slots[gone_on]] = False
        return gone_on

    def leads(self, slots: NDArray[np.int64], now: float) -> NDArray[np.float64]:
        """Seconds of lead of these slots."""
        return np.maximum(self.head - self._raw(now), 0.0)[slots] / SAMPLE_RATE

    def short(self, now: float) -> int:
        """How many playing slots have less than half of the lead that they should have. Any thread, about right."""
        lead = self.head - self._raw(now)
        return int(np.count_nonzero(self.active & self._playing & (lead < self._wanted(now) / 2)))

    def overtaken(self, now: float) -> NDArray[np.int64]:
        """Slots whose playhead has passed the head, once until that has gone on; it waits at the head from now on."""
        slots = np.flatnonzero(self.active & self._playing & (self._raw(now) > self.head))
        self._anchor[slots] = self.head[slots]
        self._since[slots] = now
        new = slots[~self._dry[slots]]
        self._dry[slots] = True
        return new

    def _wanted(self, now: float) -> NDArray[np.float64]:
        """Lead that every slot should have by now."""
        return np.minimum(self.target, _AFTER_REWIND + (now - self._rewound) * SAMPLE_RATE)

    def _raw(self, now: float) -> NDArray[np.float64]:
        return self._anchor + np.where(self._playing, (now - self._since) * SAMPLE_RATE, 0.0)
