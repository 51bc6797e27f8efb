# SPDX-License-Identifier: Apache-2.0
"""What a session's frames were last planned under, to tell where another plan begins to differ."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from segue_engine.contract import Conditioning

Entries = list[tuple[int, Conditioning]]


class Planned:
    """Conditionings by frame, each holding until the next, back to `reach` frames before the latest plan."""

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._frames: list[int] = []
        self._values: list[Conditioning] = []

    def commit(self, frame: int, entries: Entries) -> None:
        """A plan replaces all from `frame` on."""
        cut = bisect_left(self._frames, frame)
        old = max(0, bisect_right(self._frames, frame - self._reach, hi=cut) - 1)
        self._frames = [*self._frames[old:cut], *(at for at, _ in entries)]
        self._values = [*self._values[old:cut], *(value for _, value in entries)]

    def since(self, frame: int) -> Entries:
        """What holds from a frame on, the first entry being the one that holds there."""
        first = max(0, bisect_right(self._frames, frame) - 1)
        return list(zip(self._frames[first:], self._values[first:], strict=True))

    def first_change(self, entries: Entries, limit: int) -> int | None:
        """The first frame before `limit` that these entries put under another conditioning; None if they put none."""
        first = entries[0][0]
        places = {at for at, _ in entries} | {at for at in self._frames if at > first}
        new_frames = [at for at, _ in entries]
        for at in sorted(places):
            if at >= limit:
                break
            if self._at(at) != entries[bisect_right(new_frames, at) - 1][1]:
                return at
        return None

    def _at(self, frame: int) -> Conditioning | None:
        place = bisect_right(self._frames, frame) - 1
        return self._values[place] if place >= 0 else None
