# SPDX-License-Identifier: Apache-2.0
"""takes.json: blocks that arrive, and what must come out of a playback buffer, sample for sample.

The oracle here keeps every sample's newest and next older version in dictionaries, by the rules of `segue.playback`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

FADE = 960
Piece = dict[str, int]


def make() -> dict[str, Any]:
    """The file."""
    return {"fade": FADE, "takes": [_played(case, steps, **extra) for case, steps, extra in _scenes()]}


def _put(first: int, *pieces: tuple[int, int], take: int = 0) -> dict[str, Any]:
    """A block of constant stretches (count, value): left is value, right is -value; or a ramp where value is 0."""
    told = [_ramp(count, first) if value == 0 else _flat(count, value) for count, value in pieces]
    return {"put": {"take": take, "first_sample": first, "pcm": told}}


def _flat(count: int, value: int) -> Piece:
    return {"count": count, "left": value, "right": -value}


def _ramp(count: int, first: int) -> Piece:
    return {"count": count, "left": first % 9000, "left_step": 1, "right": 12_000 - first % 9000, "right_step": -1}


def _read(count: int) -> dict[str, Any]:
    return {"read": {"count": count}}


def _scenes() -> Iterator[tuple[str, list[dict[str, Any]], dict[str, Any]]]:
    frame = 1920
    yield (
        "blocks come out as they went in, and nothing before the first",
        [_read(5), _put(0, (frame, 0)), _put(frame, (frame, 0)), _read(1), _read(1919), _read(1920), _read(10)],
        {},
    )
    yield (
        "a first block elsewhere",
        [_put(96_000, (frame, 0)), _read(1000), _put(96_000 + frame, (frame, 0)), _read(2840)],
        {},
    )
    starved = [_put(0, (500, 7)), _read(800), _put(500, (500, 8)), _read(300), _read(300)]
    yield "an underrun: the playhead waits for what is late", starved, {}
    yield "a gap: play goes on behind it", [_put(0, (500, 7)), _read(200), _put(700, (500, 8)), _read(600)], {}
    ahead = [_put(0, (9600, 0)), _read(3000), _put(5760, (frame, 500), take=1), _put(7680, (frame, 0))]
    ahead += [_put(7680, (frame, 600), take=1), _read(6600)]
    yield "a take ahead of the playhead replaces; what comes late of the old one is left out", ahead, {}
    nested = [
        _put(0, (5000, 1)),
        _put(3000, (2000, 2), take=1),
        _put(2000, (500, 3), take=2),
        _put(2500, (700, 4), take=2),
    ]
    yield "a take before another's place", [*nested, _read(3200), _read(10)], {}
    late = [_put(0, (9600, 10_000)), _read(6000), _put(4800, (4800, -10_000), take=1), _read(1000), _read(2600)]
    yield "a take that comes too late is faded in (equal power)", late, {}
    short = [_put(0, (6100, 10_000)), _read(6000), _put(4800, (4800, -10_000), take=1), _read(3600)]
    yield "less of the old version than a fade: the fade is as short", short, {}
    past = [_put(0, (9600, 10_000)), _read(6000), _put(1920, (frame, -10_000), take=1)]
    past += [_put(3840, (frame, -10_000), take=1), _put(5760, (frame, -10_000), take=1), _read(1680)]
    yield "a take whose first blocks lie behind the playhead", past, {}
    bridged = [_put(0, (19_200, 5_000)), _read(1000), _put(1920, (frame, -5_000), take=1), _read(2840), _read(4000)]
    bridged += [_put(3840, (frame, -5_000), take=1), _put(5760, (4800, -5_000), take=1), _read(2720), _read(8650)]
    yield "a take that does not go on in time: the older version goes on, without a step", bridged, {}
    same = [_put(0, (1000, 1)), _put(500, (1000, 2)), _read(1500)]
    yield "an overlap within a take: the later block wins", same, {}
    small = [_put(0, (800, 1)), _read(300), _put(800, (900, 2)), _read(1400), _put(1300, (100, 3)), _read(100)]
    yield "what is beyond the buffer's size is left out", small, {"capacity": 1000}


class _Oracle:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.new: dict[int, tuple[int, int]] = {}
        self.old: dict[int, tuple[int, int]] = {}
        self.begin: int | None = None
        self.end = self.old_end = self.take = 0
        self.behind = False
        self.missed = self.late_takes = self.outdated = 0

    def put(self, take: int, first: int, pcm: list[tuple[int, int]]) -> None:
        if take < self.take:
            return
        if self.begin is None or first > self.end:
            self.begin = self.end = self.old_end = first
            self.behind = False
        is_new, self.take = take > self.take, take
        if is_new:
            self.old.update({at: self.new[at] for at in range(max(first, self.begin), self.end)})
            self.old_end = max(self.old_end, self.end)
        if first < self.begin:
            pcm, first = pcm[self.begin - first :], self.begin
            self.late_takes += is_new
            self.behind = self.behind or is_new
        pcm = pcm[: max(0, self.capacity - (first - self.begin))]
        if self.behind and pcm:
            length = min(FADE, len(pcm), max(0, self.old_end - first))
            for n in range(length):
                angle = (n + 1) / (length + 1) * math.pi / 2
                pcm = [*pcm[:n], _mixed(self.old[first + n], pcm[n], math.cos(angle), math.sin(angle)), *pcm[n + 1 :]]
            self.behind = False
        self.new.update({first + n: pair for n, pair in enumerate(pcm)})
        self.end = max(self.begin, first + len(pcm))

    def read(self, count: int) -> list[tuple[int, int]]:
        out = []
        for _ in range(count):
            if self.begin is None:
                out.append((0, 0))
            elif self.begin < self.end:
                out.append(self.new[self.begin])
                self.begin += 1
            elif self.begin < self.old_end:
                if not self.behind:
                    self._smooth(self.begin)
                    self.behind = True
                out.append(self.old[self.begin])
                self.begin += 1
                self.outdated += 1
            else:
                out.append((0, 0))
                self.missed += 1
        return out

    def _smooth(self, at: int) -> None:
        step = [a - b for a, b in zip(self.new[at - 1], self.old[at - 1], strict=True)]
        for n in range(min(FADE, self.old_end - at)):
            decay = 1 - (n + 1) / (FADE + 1)
            left, right = (round(v + decay * s) for v, s in zip(self.old[at + n], step, strict=True))
            self.old[at + n] = (left, right)


def _mixed(old: tuple[int, int], new: tuple[int, int], cos: float, sin: float) -> tuple[int, int]:
    left, right = (max(-32768, min(32767, round(a * cos + b * sin))) for a, b in zip(old, new, strict=True))
    return left, right


def _played(case: str, steps: list[dict[str, Any]], capacity: int = 48_000) -> dict[str, Any]:
    oracle = _Oracle(capacity)
    for step in steps:
        if "put" in step:
            block = step["put"]
            oracle.put(block["take"], block["first_sample"], _samples(block["pcm"]))
        else:
            step["read"]["pcm"] = _pieces(oracle.read(step["read"]["count"]))
        reserve = 0 if oracle.begin is None else max(0, oracle.end - oracle.begin)
        step["then"] = {
            "playhead": oracle.begin or 0,
            "reserve": reserve,
            "missed": oracle.missed,
            "late_takes": oracle.late_takes,
            "outdated": oracle.outdated,
        }
    return {"case": case, "capacity": capacity, "tolerance": 1, "steps": steps}


def _samples(pieces: list[Piece]) -> list[tuple[int, int]]:
    return [
        (piece["left"] + n * piece.get("left_step", 0), piece["right"] + n * piece.get("right_step", 0))
        for piece in pieces
        for n in range(piece["count"])
    ]


def _pieces(samples: list[tuple[int, int]]) -> list[Piece | dict[str, list[int]]]:
    """Stretches with constant steps where there are some, else the samples one by one."""
    found: list[Piece | dict[str, list[int]]] = []
    loose: list[int] = []
    at = 0
    while at < len(samples):
        end = _straight(samples, at)
        if end - at < 8:
            loose += [*samples[at]]
            at += 1
            continue
        if loose:
            found.append({"samples": loose})
            loose = []
        (left, right), (l2, r2) = samples[at], samples[at + 1]
        piece = {"count": end - at, "left": left, "right": right}
        found.append(piece | ({"left_step": l2 - left, "right_step": r2 - right} if (l2, r2) != (left, right) else {}))
        at = end
    return [*found, {"samples": loose}] if loose else found


def _straight(samples: list[tuple[int, int]], at: int) -> int:
    """End of the stretch from `at` on whose steps are all the same."""
    end = at + 1
    while end < len(samples):
        now, before, first = samples[end], samples[end - 1], samples[at]
        step = (now[0] - before[0], now[1] - before[1])
        if step != (samples[at + 1][0] - first[0], samples[at + 1][1] - first[1]):
            break
        end += 1
    return end
