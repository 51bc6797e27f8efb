# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_service.soundtrack.curves import FADE_CURVES, FadeCurve, piecewise, share

P = np.linspace(0, 1, 101)


@pytest.mark.parametrize("curve", FADE_CURVES)
def test_fade_curves_rise_from_0_to_1(curve: FadeCurve) -> None:
    s = share(curve, P)
    assert (s[0], s[-1]) == (0, 1)
    assert (np.diff(s) >= 0).all()
    np.testing.assert_array_equal(share(curve, np.asarray([-1.0, 2.0])), [0, 1])


def test_their_characters() -> None:
    assert (share("ease_in", P[1:-1]) < P[1:-1]).all()
    assert (share("ease_out", P[1:-1]) > P[1:-1]).all()
    assert share("step", P)[1] == 1
    np.testing.assert_allclose(share("equal_power", P) + share("equal_power", 1 - P), 1)
    np.testing.assert_allclose(share("ease_in_out", P) + share("ease_in_out", 1 - P), 1)


def test_piecewise() -> None:
    curve = [(0.0, 0.2), (0.5, 0.2), (0.5, 0.8), (1.0, 1.0)]
    got = piecewise(curve, np.asarray([-1, 0, 0.4, 0.5, 0.75, 1, 5]))
    np.testing.assert_allclose(got, [0.2, 0.2, 0.2, 0.8, 0.9, 1, 1])
    np.testing.assert_allclose(piecewise([(3.0, 0.4)], np.asarray([0.0, 9.0])), 0.4)


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 1)), min_size=1, max_size=6).map(lambda c: sorted(c)),
    st.lists(st.floats(-9, 9), min_size=1, max_size=9),
)
def test_never_leaves_its_points(curve: list[tuple[float, float]], x: list[float]) -> None:
    got = piecewise(curve, np.asarray(x))
    ys = [y for _, y in curve]
    assert (got >= min(ys) - 1e-9).all()
    assert (got <= max(ys) + 1e-9).all()
