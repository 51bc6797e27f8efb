# SPDX-License-Identifier: Apache-2.0
"""Traced controls find their frame and their chunk, also if these were quicker than the reply."""

from __future__ import annotations

from segue_service.observe.tracing import Fact, Trace
from segue_service.session.ways import Ways


class Told(Trace):
    is_recording = True

    def __init__(self) -> None:
        self.laps: list[str] = []
        self.facts: dict[str, Fact] = {}
        self.ended: float | None = None
        self.inner: list[Told] = []

    def lap(self, name: str, began: float, ended: float | None = None, **facts: Fact) -> None:
        self.laps.append(name)
        self.facts |= facts

    def tell(self, **facts: Fact) -> None:
        self.facts |= facts

    def after(self, name: str, began: float, **facts: Fact) -> Told:
        self.inner.append(Told())
        return self.inner[-1]

    def end(self, at: float | None = None) -> None:
        assert self.ended is None
        self.ended = at or 0.0


WHOLE = ["step", "chunk_wait", "encode", "send", "playout"]


def test_a_way_ends_at_the_first_listener_that_is_handed_its_sample() -> None:
    ways, call = Ways(lambda: 0), Told()
    ways.begin(call, frame=5, sample=9_600)
    (way,) = call.inner
    ways.made(5, 0.0)
    assert not ways.wanted(0, 9_600)
    ways.sent("a", 0, 9_600, 0.0, 0.0)
    assert way.laps == []
    ways.made(6, 0.0)
    ways.made(7, 0.0)
    assert ways.wanted(9_600, 9_601)
    ways.sent("a", 9_600, 11_520, 1.0, 2.0)
    ways.sent("b", 9_600, 11_520, 1.0, 2.0)
    assert way.laps == WHOLE
    assert way.facts["listener"] == "a"
    assert way.ended is not None
    assert ways.is_idle


def test_what_was_made_and_sent_before_the_reply_counts_from_the_moment_it_was_taken_up() -> None:
    ways, call = Ways(lambda: 0), Told()
    ways.sent("old take", 9_600, 11_520, 0.0, 0.0)
    ways.arm()
    ways.made(6, 0.0)
    assert ways.wanted(0, 1)
    ways.sent("a", 9_600, 11_520, 1.0, 2.0)
    for _ in range(2):  # of one batch
        ways.begin(call, frame=5, sample=9_600)
    assert [way.laps for way in call.inner] == [WHOLE, WHOLE]
    assert {way.facts["listener"] for way in call.inner} == {"a"}
    ways.end()
    assert ways.is_idle
    assert not ways.wanted(9_600, 11_520)


def test_ways_are_bounded_and_given_up_with_the_session() -> None:
    ways, call = Ways(lambda: 0), Told()
    for frame in range(20):
        ways.begin(call, frame, 1_920 * frame)
    assert [way.facts.get("given_up", False) for way in call.inner] == [True] * 4 + [False] * 16
    ways.end()
    assert all(way.facts["given_up"] for way in call.inner)
    assert ways.is_idle
