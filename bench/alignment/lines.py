# SPDX-License-Identifier: Apache-2.0
"""Where beats, bars and phrases begin in what was generated, and how far from there a transition begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignment.script import FADES, OVER, PHRASE_BARS, PLACES
from segue_engine.contract import ClockReading


@dataclass(frozen=True, slots=True)
class Begun:
    """A transition that began. off: frames from the nearest fitting place to where it begins; negative: too early.

    told: frames by which the frame that was told is later than that beginning. heard: frames from there until the
    palette or the tempo changes, None if neither does; heard_off: as `off`, of that frame. cut: beats that are left of
    the first bar that is broken off, 0 if none is.
    """

    place: str
    kind: str
    off: int
    told: int = 0
    heard: int | None = None
    heard_off: int = 0
    cut: int = 0


def lines(read: ClockReading) -> Mapping[str, NDArray[np.int64]]:
    """Frames at which each place is, of one session's reading by frame."""
    phrase = read.on_bar & (read.bar % PHRASE_BARS == 0)
    return {
        place: np.flatnonzero(on)
        for place, on in (("next_beat", read.on_beat), ("next_bar", read.on_bar), ("exit_cue", phrase))
    }


def off(frame: int, places: NDArray[np.int64]) -> int:
    """Frames from the nearest of these places to a frame."""
    return int(min((frame - places).tolist(), key=abs))


def clock_went(read: ClockReading) -> dict[str, int]:
    """How one session's clock went: where a bar, or a beat of it, was due, and where it began there."""
    due, beat_due, beat = _due(read)
    return {
        "beats": int(beat.sum()),
        "goes_on": int((beat & (read.beat[1:] == beat_due)).sum()),
        "begins_a_bar_instead": int((beat & (beat_due != 0) & read.on_bar[1:]).sum()),
        "bars_due": int(due.sum()),
        "bars_due_and_begun": int((due & read.on_bar[1:]).sum()),
        "tempo_changes": int((read.bpm[1:] != read.bpm[:-1]).sum()),
    }


def bar_cut(read: ClockReading, first: int, last: int) -> int:
    """Beats of the first bar between these frames that another one breaks off; 0 for none."""
    _, beat_due, beat = _due(read)
    cuts = np.flatnonzero((beat & (beat_due != 0) & read.on_bar[1:])[first : max(first, last)])
    return int(beat_due[first + cuts[0]]) if len(cuts) else 0


def _due(read: ClockReading) -> tuple[NDArray[np.bool_], NDArray[np.int32], NDArray[np.bool_]]:
    """By frame, from the second on: whether a bar is due, which beat is, and whether one is."""
    last = read.beats_per_bar[:-1]
    return read.frames_to_bar[:-1] == 1, (read.beat[:-1] + 1) % last, read.frames_to_beat[:-1] == 1


def table(begun: Sequence[Begun]) -> list[dict[str, Any]]:
    """A row of figures for every kind."""
    rows = []
    for place in PLACES:
        for kind in (*FADES, OVER):
            these = [one for one in begun if one.place == place and one.kind == kind]
            if not these:
                continue
            distance = np.array([one.off for one in these])
            rows.append(
                {
                    "place": place,
                    "fade": kind,
                    "count": len(these),
                    "exact": round(float((distance == 0).mean()), 4),
                    "within_1": round(float((abs(distance) <= 1).mean()), 4),
                    "more": round(float((abs(distance) > 1).mean()), 4),
                    "worst_frames": _worst(distance.tolist()),
                    "worst_told_frames": _worst(one.told for one in these),
                    **_heard(these),
                }
            )
    return rows


def _worst(values: Iterable[int]) -> int:
    return max(values, key=abs)


def _heard(these: Sequence[Begun]) -> dict[str, Any]:
    after = [one.heard for one in these if one.heard is not None]
    if not after:
        return {}
    return {
        "median_frames_until_heard": float(np.median(after)),
        "heard_at_once": round(sum(frames <= 1 for frames in after) / len(these), 4),
        "heard_within_1_of_a_place": round(sum(abs(one.heard_off) <= 1 for one in these) / len(these), 4),
        "bars_cut": round(sum(one.cut > 0 for one in these) / len(these), 4),
    }
