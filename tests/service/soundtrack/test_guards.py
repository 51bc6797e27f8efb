# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_service.soundtrack.guards import MAX_DEPTH, parse_guard
from segue_service.soundtrack.units import UnitError

VALUES = {"danger": 0.4, "health": 50.0, "depth": -2.0}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("danger < 0.5", True),
        ("danger >= .5", False),
        ("0.2 < danger <= 0.4", True),
        ("danger < 0.2 or health == 50", True),
        ("danger < 0.2 and health == 50 or depth < 0", True),
        ("danger < 0.2 and (health == 50 or depth < 0)", False),
        ("not danger < 0.2 and not not health != 3", True),
        ("not (danger < 1 and health > 99)", True),
        ("depth == -2", True),
        ("health > danger", True),
    ],
)
def test_truth(text: str, holds: bool) -> None:
    guard = parse_guard(text)
    assert guard.holds(VALUES.__getitem__) is holds
    assert parse_guard(str(guard)).holds(VALUES.__getitem__) is holds


def test_names_and_their_places() -> None:
    guard = parse_guard("danger < 0.2 and  health > danger")
    assert guard.names == ("danger", "health")
    assert guard.mentions == (("danger", 0), ("health", 18), ("danger", 27))


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("danger", 6, "got the end"),
        ("danger = 1", 7, 'compare with "=="'),
        ("danger << 1", 8, 'got "<"'),
        ("(danger < 1", 11, 'expected ")"'),
        ("danger < 1 health > 2", 11, '"and", "or" or the end'),
        ("danger < 1 and", 14, "expected a parameter or a number"),
        ("__import__('os')", 11, 'got "\'"'),
        ("danger < 1; x", 10, 'got ";"'),
        ("", 0, "got the end"),
    ],
)
def test_mistakes_point_at_their_place(text: str, offset: int, said: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_guard(text)
    assert caught.value.offset == offset
    assert said in str(caught.value)


def test_limits() -> None:
    with pytest.raises(UnitError, match="at most 400"):
        parse_guard("a < 1 and " * 50)
    nested = "(" * (MAX_DEPTH + 1) + "a < 1" + ")" * (MAX_DEPTH + 1)
    with pytest.raises(UnitError, match="deep"):
        parse_guard(nested)
    assert parse_guard("not " * 90 + "a < 1").holds(lambda _: 0.0)
    with pytest.raises(UnitError, match="expected a guard"):
        parse_guard(5)


@given(st.text("dangerhealth <>=!().0123456789andornot", max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    refused: UnitError | None = None
    try:
        assert parse_guard(text).holds(lambda _: 0.5) in (True, False)
    except UnitError as error:
        refused = error
    assert refused is None or 0 <= refused.offset <= len(text)
