# SPDX-License-Identifier: Apache-2.0
"""Clocks that don't agree: the reserve stays where it was, by rates that nobody hears."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.lead import DEAD_BAND, MOST, SETTLING, LeadHolder, playback_rate

TICK = 0.02
CHUNK = 0.08


def play(
    keeper: LeadHolder, ppm: float, seconds: float, lead: float, jitter: float = 0.0
) -> Iterator[tuple[float, float, float]]:
    """(now, reserve, rate) of a client whose clock is off by `ppm`, of a server that sends a chunk every 80 ms."""
    chance, played, arrived, sent = random.Random(1), 0.0, lead, 0
    due: list[float] = []
    for number in range(int(seconds / TICK)):
        now = number * TICK
        while sent * CHUNK <= now:
            due.append(max([sent * CHUNK + chance.uniform(0, jitter), *due[-1:]]))
            sent += 1
        while due and due[0] <= now:
            arrived += CHUNK
            due.pop(0)
        rate = keeper.rate(arrived - played, now)
        yield now, arrived - played, rate
        played += TICK * (1 + ppm * 1e-6) * rate


@given(reserve=st.floats(0, 60), target=st.floats(0, 60))
def test_a_rate_is_bounded_and_points_the_right_way(reserve: float, target: float) -> None:
    rate = playback_rate(reserve, target)
    assert 1 - MOST <= rate <= 1 + MOST
    if abs(reserve - target) <= DEAD_BAND:
        assert rate == 1.0
    else:
        assert (rate < 1.0) == (reserve < target)


@pytest.mark.parametrize("ppm", [200, -200, 2000, -2000])
@pytest.mark.parametrize("jitter", [0.0, 0.04])
def test_an_hour_of_drift_leaves_the_reserve_where_it_was(ppm: float, jitter: float) -> None:
    keeper, reserves, rates = LeadHolder(), [], []
    for now, reserve, rate in play(keeper, ppm, 3600.0 if abs(ppm) < 1000 else 600.0, lead=0.3, jitter=jitter):
        if now < 120:
            continue
        reserves.append(reserve)
        rates.append(rate)
    assert keeper.target is not None
    slack = CHUNK + jitter + DEAD_BAND + abs(ppm) * 1e-6 / 0.05 + 0.01
    assert keeper.target - slack < min(reserves)
    assert max(reserves) < keeper.target + slack
    assert sum(rates) / len(rates) == pytest.approx(1 - ppm * 1e-6, abs=3e-5)
    assert max(rates) - min(rates) < 0.0006  # a cent


def test_a_clock_that_is_right_is_never_resampled() -> None:
    assert {rate for _, _, rate in play(LeadHolder(), 0.0, 300.0, lead=1.0, jitter=0.04)} == {1.0}


def test_without_it_the_buffer_runs_empty() -> None:
    """What the laws above rest on: 200 ppm are 0.72 s an hour."""

    class Stubborn(LeadHolder):
        def rate(self, reserve: float, now: float) -> float:
            return 1.0

    assert min(reserve for _, reserve, _ in play(Stubborn(), 200.0, 3600.0, lead=0.3)) < 0


def test_a_take_is_no_drift() -> None:
    """The reserve falls from ten seconds to two and grows back in eight: the server's business."""
    keeper, now = LeadHolder(), 0.0
    while now < 2 * SETTLING:
        assert keeper.rate(10.0, now) == 1.0
        now += TICK
    keeper.replaced(now)
    began = now
    while now < began + 20:
        assert keeper.rate(min(10.0, 2.0 + now - began), now) == 1.0
        now += TICK


def test_what_a_take_does_not_bring_back_is_made_up_for() -> None:
    keeper, now = LeadHolder(), 0.0
    while now < 2 * SETTLING:
        keeper.rate(1.0, now)
        now += TICK
    keeper.replaced(now)
    rates = []
    for _ in range(int(30 / TICK)):
        rates.append(keeper.rate(0.8, now))
        now += TICK
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(1 - MOST)
