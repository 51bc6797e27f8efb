# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from segue import Playout

SECOND = 48_000


def test_what_comes_in_time_is_no_underrun() -> None:
    playout = Playout(buffer=0.2)
    for tenth in range(50):
        playout.arrived(tenth * SECOND // 10, SECOND // 10, tenth / 10 + 0.05 * (tenth % 2))
    assert playout.underruns == 0
    assert playout.worst == pytest.approx(0.15)


def test_what_comes_late_is_one_and_moves_the_rest() -> None:
    playout = Playout(buffer=0.1)
    playout.arrived(0, SECOND, 10.0)
    playout.arrived(SECOND, SECOND, 11.6)
    assert playout.underruns == 1
    assert playout.late == pytest.approx(0.5)
    playout.arrived(2 * SECOND, SECOND, 12.5)
    assert playout.underruns == 1


def test_the_playhead() -> None:
    playout = Playout(buffer=0.5)
    assert playout.playhead(0.0) == 0
    playout.arrived(1000, SECOND, 1.0)
    assert playout.playhead(1.2) == 1000
    assert playout.playhead(2.0) == 1000 + SECOND // 2
    assert playout.playhead(99.0) == 1000 + SECOND


def test_a_jump_begins_anew() -> None:
    playout = Playout(buffer=0.1)
    playout.arrived(0, SECOND, 0.0)
    playout.arrived(10 * SECOND, SECOND, 8.0)
    assert playout.underruns == 0
