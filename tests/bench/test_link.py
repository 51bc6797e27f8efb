# SPDX-License-Identifier: Apache-2.0
"""A lossy path as TCP shows it: nothing is lost or reordered, and what is late makes what follows late."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from network.link import RTO_LEAST, SEGMENT, Lane, Path


class Loses(random.Random):
    """Draws that lose the segments (and copies) of these numbers, and no jitter."""

    def __init__(self, *lost: int) -> None:
        super().__init__()
        self._numbers, self._lost = itertools.count(), lost

    def random(self) -> float:
        return 0.0 if next(self._numbers) in self._lost else 1.0

    def uniform(self, a: float, b: float) -> float:
        return a


@given(
    writes=st.lists(st.tuples(st.floats(0, 0.5), st.integers(1, 70_000)), min_size=1, max_size=20),
    path=st.builds(
        Path, st.floats(0, 0.2), st.floats(0, 0.1), st.floats(0, 0.4), st.one_of(st.none(), st.floats(1e4, 1e7))
    ),
    seed=st.integers(0, 99),
)
def test_every_byte_arrives_once_in_order_and_never_before_the_delay(writes: Any, path: Path, seed: int) -> None:
    lane, now, last = Lane(path, random.Random(seed)), 0.0, 0.0
    for pause, size in writes:
        now += pause
        handed = lane.send(now, size)
        assert sum(count for _, count in handed) == size
        for at, _ in handed:
            assert at >= now + path.delay
            assert at >= last
            last = at


def test_a_path_without_faults_only_delays() -> None:
    lane = Lane(Path(delay=0.03), random.Random(1))
    assert lane.send(2.0, 15_000) == [(2.03, 15_000)]
    assert lane.lost == 0


def test_a_loss_that_others_follow_costs_a_round_trip_and_they_wait() -> None:
    lane = Lane(Path(delay=0.03, loss=0.01), Loses(1))
    handed = lane.send(0.0, 10 * SEGMENT)
    assert handed == [(0.03, SEGMENT), (pytest.approx(0.09), 9 * SEGMENT)]


def test_a_loss_at_the_tail_costs_a_timer_and_the_next_write_waits() -> None:
    lane = Lane(Path(delay=0.03, loss=0.01), Loses(9))
    late = pytest.approx(0.03 + 0.06 + RTO_LEAST)
    assert lane.send(0.0, 10 * SEGMENT) == [(0.03, 9 * SEGMENT), (late, SEGMENT)]
    assert lane.send(0.08, SEGMENT) == [(late, SEGMENT)]
    assert lane.send(0.4, SEGMENT) == [(pytest.approx(0.43), SEGMENT)]


def test_a_copy_that_is_lost_costs_a_timer_that_doubles() -> None:
    lane = Lane(Path(delay=0.05, loss=0.01), Loses(0, 1, 2))
    ((at, _),) = lane.send(0.0, 10 * SEGMENT)
    assert at == pytest.approx(0.05 + 0.1 + 0.3 + 0.6)
    assert lane.lost == 3


def test_losses_are_as_frequent_as_said_and_bandwidth_is_kept() -> None:
    lane = Lane(Path(loss=0.02), random.Random(3))
    for number in range(1000):
        lane.send(float(number), 10 * SEGMENT)
    assert 150 < lane.lost < 260
    slow = Lane(Path(bandwidth=100_000), random.Random(3))
    assert slow.send(0.0, 100_000)[-1][0] == pytest.approx(1.0)
    assert slow.send(0.5, 100_000)[-1][0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    "wrong", [{"delay": -1.0}, {"jitter": -0.1}, {"loss": 1.0}, {"loss": -0.1}, {"bandwidth": 0.0}]
)
def test_a_path_that_can_not_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}.*: expected"):
        Path(**wrong)
