# SPDX-License-Identifier: Apache-2.0
"""Keeps a session's changes of style as far apart as its model wants them, whatever asks for them.

A change of style may cost a model more than a frame does. A parameter that a game moves all the time makes a new plan
each time, so what lies between two changes has to be remembered beyond a plan. Guidance, levels, notes and sampling
cost nothing and stay where they were planned.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from segue_engine.contract import Conditioning, EngineInfo
from segue_service.session.director import Placement
from segue_service.session.styles import Override
from segue_service.soundtrack import MachineState, ParameterChanged, TransitionCancelled

Entries = list[tuple[int, Conditioning]]
Codes = tuple[int, ...]

LEAST: Final = 5
"""Frames between two changes of style at least, however cheap they are to the model."""
_REMEMBERED: Final = 128
"""Changes, for a plan that begins earlier than the last one did."""


def moments_of(placement: Placement, state: MachineState, override: Override | None) -> frozenset[int]:
    """Frames at which the style may change at once: transitions and stingers begin and end, overrides too.

    state: the machine's at the end of the placement, whose fade and stingers will end.
    """
    told = {
        effect.frame
        for entry in placement.entries
        for effect, _ in entry.effects
        if not isinstance(effect, ParameterChanged | TransitionCancelled)
    }
    coming = {stinger.ends for stinger in state.stingers if stinger.style is not None}
    if state.fade is not None:
        coming.add(state.fade.ends)
    if override is not None:
        coming |= {override.begins, override.ends} | ({override.until} if override.until is not None else set())
    return frozenset(told | coming)


class Spacing:
    """One session's changes of style. `space` computes and changes nothing; `commit` makes a plan the truth."""

    def __init__(self, info: EngineInfo) -> None:
        self.interval: Final = max(LEAST, info.style_interval_frames)
        self._changes: list[tuple[int, Codes]] = []
        self._moments: frozenset[int] = frozenset()

    def space(self, entries: Entries, limit: int, moments: frozenset[int]) -> Entries:
        """A plan up to frame `limit`, with its changes of style at least an interval apart, but for the moments.

        Between moments a change that comes too soon waits for its turn, and one that would come shortly before a moment
        is left out. As it has to hold for an interval, a change takes what was planned for the middle of it.
        """
        known = sorted(moments | self._moments)
        frames = [frame for frame, _ in entries]
        codes, since = self._held(frames[0])
        out: Entries = []
        for (frame, conditioning), end in zip(entries, [*frames[1:], limit], strict=True):
            first = frame
            if conditioning.style_codes != codes:
                at = frame if codes is None else self._turn(frame, since, known)
                ahead = self._ahead(entries, frames, at, known)
                if (at < end or at == frame) and ahead != codes:
                    if at > frame and codes is not None:
                        _add(out, frame, replace(conditioning, style_codes=codes))
                    codes, since, first = ahead, at, at
            _add(out, first, conditioning if codes is None else replace(conditioning, style_codes=codes))
        return out

    def commit(self, entries: Entries, moments: frozenset[int]) -> None:
        """This plan, which `space` gave, replaces all from its first frame on."""
        first = entries[0][0]
        codes, _ = self._held(first)
        self._changes = self._changes[: bisect_left(self._changes, first, key=lambda change: change[0])][-_REMEMBERED:]
        for frame, conditioning in entries:
            if conditioning.style_codes != codes:
                codes = conditioning.style_codes
                self._changes.append((frame, codes))
        self._moments = frozenset(frame for frame in self._moments if frame == first) | moments

    def _held(self, frame: int) -> tuple[Codes | None, int]:
        """The style just before a frame and since when; None at the very beginning."""
        at = bisect_left(self._changes, frame, key=lambda change: change[0])
        return (None, frame) if at == 0 else (self._changes[at - 1][1], self._changes[at - 1][0])

    def _turn(self, frame: int, since: int, moments: Sequence[int]) -> int:
        """When a change that is wanted from `frame` on may happen."""
        free = max(frame, since + self.interval)
        at = bisect_left(moments, frame)
        return moments[at] if at < len(moments) and moments[at] < free + self.interval else free

    def _ahead(self, entries: Entries, frames: Sequence[int], at: int, moments: Sequence[int]) -> Codes:
        """What is planned for the middle of the interval from `at` on, or for the end of it at the next moment."""
        middle, place = at + self.interval // 2, bisect_right(moments, at)
        if place < len(moments):
            middle = min(middle, moments[place] - 1)
        return entries[max(0, bisect_right(frames, middle) - 1)][1].style_codes


def _add(entries: Entries, frame: int, conditioning: Conditioning) -> None:
    if not entries or entries[-1][1] != conditioning:
        entries.append((frame, conditioning))
