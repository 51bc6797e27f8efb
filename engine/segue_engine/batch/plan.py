# SPDX-License-Identifier: Apache-2.0
"""What every slot is going to be generated under: sorted (frame, conditioning) entries, applied when their frame comes.

Entries stay until they are out of a rewind's reach, so that going back finds what held at that frame.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import Conditioning, ConditioningError

Entries = tuple[tuple[int, ...], tuple[Conditioning, ...]]
NEVER: Final = np.iinfo(np.int64).max


class Plans:
    """Plans of `capacity` slots that can be rewound by `reach` frames.

    `next[i]` is the frame of the entry that slot i applies next, NEVER where there is none: one vectorised comparison
    with the heads tells which slots have something to apply.
    """

    def __init__(self, capacity: int, reach: int) -> None:
        self._reach = reach
        self._frames: list[list[int]] = [[] for _ in range(capacity)]
        self._values: list[list[Conditioning]] = [[] for _ in range(capacity)]
        self.next: NDArray[np.int64] = np.full(capacity, NEVER, np.int64)

    def start(self, slot: int, conditioning: Conditioning) -> None:
        """A new owner's plan: `conditioning` from frame 0 on."""
        self._frames[slot], self._values[slot] = [0], [conditioning]
        self.next[slot] = 0

    def clear(self, slot: int) -> None:
        self._frames[slot], self._values[slot] = [], []
        self.next[slot] = NEVER

    def steer(self, slot: int, head: int, entries: Sequence[tuple[int, Conditioning]]) -> None:
        """Replace the plan from the first entry's frame on. Frames before `head` count as `head`, the last wins.

        Raises ConditioningError, with nothing changed, where frames do not ascend or a value is out of range.
        """
        if not entries:
            return
        previous = -1
        for place, (frame, conditioning) in enumerate(entries):
            if frame <= previous:
                raise ConditioningError(f"plan[{place}]: expected a frame after {previous}, got {frame}")
            previous = frame
            conditioning.validate()
        frames, values = self._frames[slot], self._values[slot]
        cut = bisect_left(frames, max(entries[0][0], head))
        del frames[cut:], values[cut:]
        for frame, conditioning in entries:
            at = max(frame, head)
            if frames and frames[-1] == at:
                values[-1] = conditioning
            else:
                frames.append(at)
                values.append(conditioning)
        self._forget(slot, head)
        self.aim(slot, head)

    def aim(self, slot: int, head: int) -> None:
        """Make what holds at `head` the next entry to apply, as after a rewind."""
        frames = self._frames[slot]
        self.next[slot] = frames[max(0, bisect_right(frames, head) - 1)] if frames else NEVER

    def due(self, slots: NDArray[np.int64], heads: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `slots` whose next entry's frame has come."""
        return slots[self.next[slots] <= heads]

    def at(self, slot: int, head: int) -> Conditioning:
        """What holds at `head`."""
        return self._values[slot][max(0, bisect_right(self._frames[slot], head) - 1)]

    def take(self, slot: int, head: int) -> Conditioning:
        """What holds at `head`; the entry after it becomes the next."""
        self._forget(slot, head)
        frames = self._frames[slot]
        after = bisect_right(frames, head)
        self.next[slot] = frames[after] if after < len(frames) else NEVER
        return self._values[slot][max(0, after - 1)]

    def copy(self, slot: int) -> Entries:
        """The slot's entries, for a snapshot."""
        return tuple(self._frames[slot]), tuple(self._values[slot])

    def paste(self, slot: int, head: int, entries: Entries) -> None:
        """Continue from entries that `copy` gave."""
        self._frames[slot], self._values[slot] = list(entries[0]), list(entries[1])
        self.aim(slot, head)

    def _forget(self, slot: int, head: int) -> None:
        """Drop what no rewind reaches any more, keeping the entry that holds at the earliest reachable frame."""
        old = bisect_right(self._frames[slot], head - self._reach) - 1
        if old > 0:
            del self._frames[slot][:old], self._values[slot][:old]
