# SPDX-License-Identifier: Apache-2.0
"""takes.json: blocks that arrive, and what must come out of a playback buffer, sample for sample.

The oracle here keeps every sample's newest and next older version in dictionaries, by the rules of README.md, and
rounds only what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

FADE = 960
Piece = dict[str, int]
Pair = tuple[float, float]


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
    cut = [_put(0, (9600, 10_000)), _read(6000), _put(4800, (1210, -10_000), take=1), _read(5)]
    cut += [_put(6010, (700, -10_000), take=1), _put(6710, (2000, -10_000), take=1), _read(1200)]
    yield "a late take's fade goes on in the next blocks", cut, {}
    amid = [_put(0, (9600, 10_000)), _read(6000), _put(4800, (2000, -10_000), take=1), _read(200)]
    amid += [_put(6400, (300, 6_000), take=2), _put(6700, (3000, 6_000), take=2), _read(1300)]
    yield "a take that begins where two versions are mixed is faded in from what is heard there", amid, {}
    next_to = [_put(0, (9600, 10_000)), _read(6000), _put(4800, (1600, -10_000), take=1)]
    next_to += [_put(6400, (1300, 6_000), take=2), _read(1500)]
    yield "and so is one that begins where the mixed samples end, while the fade was to go on", next_to, {}
    # Steps of 961 times something decay by whole numbers.
    meet = [_put(0, (6000, 4_805)), _put(1000, (1000, -4_805), take=1), _put(1500, (100, 2_883), take=2)]
    yield "two older versions meet: the step between them decays", [*meet, _read(1600), _read(900), _read(1600)], {}
    back = [_put(0, (4000, 1_922)), _put(2000, (1000, 961), take=1), _read(500), _put(1500, (300, 961), take=1)]
    back += [_read(1400), _read(2000), _put(1800, (3000, 961), take=1), _read(600)]
    yield "a take that is sent from before its beginning: what was there goes on", back, {}
    same = [_put(0, (1000, 1)), _put(500, (1000, 2)), _read(1500)]
    yield "an overlap within a take: the later block wins", same, {}
    small = [_put(0, (800, 1)), _read(300), _put(800, (900, 2)), _read(1400), _put(1300, (100, 3)), _read(100)]
    yield "what is beyond the buffer's size is left out", small, {"capacity": 1000}


class _Oracle:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.new: dict[int, Pair] = {}
        self.old: dict[int, Pair] = {}
        self.angles: dict[int, float] = {}
        """Of every sample that is mixed, whether it has come or not: from 0, the older version, to π/2, the newer."""
        self.begin: int | None = None
        self.end = self.old_end = self.take = self.take_first = 0
        self.behind = False
        self.missed = self.late_takes = self.outdated = 0

    def put(self, take: int, first: int, pcm: list[tuple[int, int]]) -> None:
        if take < self.take:
            return
        if self.begin is None or first > self.end:
            self.begin = self.end = self.old_end = self.take_first = first
            self.new, self.old, self.angles = {}, {}, {}
            self.behind = False
        at = max(first, self.begin)
        if take > self.take or first < self.take_first:
            self._replace(at, take > self.take and first < self.begin)
            self.take_first = first
        self.take = take
        pcm = pcm[at - first :][: max(0, self.capacity - (at - self.begin))]
        if self.behind and pcm:
            length = min(FADE, max(0, self.old_end - at))
            self.angles |= {at + n: (n + 1) / (length + 1) * math.pi / 2 for n in range(length)}
            self.behind = False
        for n, pair in enumerate(pcm, at):
            angle = self.angles.get(n)
            self.new[n] = pair if angle is None else _mixed(self.old[n], pair, math.cos(angle), math.sin(angle))
        self.end = at + len(pcm)

    def _replace(self, at: int, late: bool) -> None:
        self.late_takes += late
        fades = late or at in self.angles
        if self.end < self.old_end and (at < self.end or (at == self.end and fades and not self.behind)):
            self._smooth(self.end)
        if at < self.end:
            self.old = {n: pair for n, pair in self.old.items() if n >= self.end}
            self.old |= {n: self.new[n] for n in range(at, self.end)}
        self.old_end = max(self.old_end, self.end)
        self.angles = {n: angle for n, angle in self.angles.items() if n < at}
        self.behind = self.behind or fades

    def read(self, count: int) -> list[tuple[int, int]]:
        out: list[Pair] = []
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
                self.new[self.begin] = self.old[self.begin]
                out.append(self.old[self.begin])
                self.begin += 1
                self.outdated += 1
            else:
                out.append((0, 0))
                self.missed += 1
        return [(round(left), round(right)) for left, right in out]

    def _smooth(self, at: int) -> None:
        if at - 1 not in self.old:
            return  # the older version was kept from here on, and goes on from the newer by itself
        step = [a - b for a, b in zip(self.new[at - 1], self.old[at - 1], strict=True)]
        for n in range(min(FADE, self.old_end - at)):
            decay = 1 - (n + 1) / (FADE + 1)
            self.old[at + n] = _mixed(self.old[at + n], (step[0], step[1]), 1.0, decay)


def _mixed(old: Pair, new: Pair, of_old: float, of_new: float) -> Pair:
    left, right = (max(-32768.0, min(32767.0, a * of_old + b * of_new)) for a, b in zip(old, new, strict=True))
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
