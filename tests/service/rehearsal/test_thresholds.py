# SPDX-License-Identifier: Apache-2.0
"""Thresholds: what a file may say, which of two wins, and what fails by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue_service.rehearsal.edges import Edge
from segue_service.rehearsal.metrics import Figures, Places
from segue_service.rehearsal.thresholds import TestFile, Thresholds, read_thresholds
from segue_service.rehearsal.verdict import judge

EDGE = Edge("transition", "a", "b", "x", "immediate", "immediate", 0, ("x",))
PLACES = Places(6.0, 6.0, 7.0, 15.0)
GOOD = {"settle": 2.0, "late": 1.0, "adherence": 0.9, "click": 3.0, "click_inside": 4.0, "jump": 1.0, "off_ms": 0.0}


def figures(**changes: float | None) -> Figures:
    return Figures(PLACES, place="beat", **{**GOOD, **changes})  # type: ignore[arg-type]


def write(folder: Path, text: str) -> Path:
    path = folder / "segue-test.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_edges_entry_goes_before_an_option_and_an_option_before_the_file(tmp_path: Path) -> None:
    text = (
        '[thresholds]\nsettle = 3\nloudness = "off"\n[[edge]]\nto = "b"\nsettle = 9\n[[edge]]\nfrom = "c"\nclick = 2\n'
    )
    read = read_thresholds(write(tmp_path, text)).with_options({"settle": 5.0, "click": 30.0, "adherence": None})
    assert read.thresholds == Thresholds.model_validate({"settle": 5, "loudness": None, "click": 30})
    assert (read.of(EDGE).settle, read.of(EDGE).click, read.of(EDGE).loudness) == (9.0, 30.0, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[thresholds]\nsetle = 3\n", "thresholds.setle: no such key; there are settle,"),
        ("[thresholds]\nsettle = -1\n", "thresholds.settle: "),
        ('[thresholds]\nclick = "loud"\n', "thresholds.click: "),
        ("[[edge]]\nform = 3\n", "edge.0.form: no such key"),
        ("[thresholds\n", "this is not TOML"),
    ],
)
def test_a_mistake_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"segue-test\.toml") as failure:
        read_thresholds(write(tmp_path, text))
    assert said in str(failure.value)


def test_an_option_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="adherence"):
        TestFile.model_validate({}).with_options({"adherence": 3.0})


@pytest.mark.parametrize(
    ("changes", "metric", "said"),
    [
        ({"late": 4.1, "settle": 5.1}, "settle", "4.1 s after the fade"),
        ({"late": float("inf")}, "settle", "never taken for b"),
        ({"adherence": 0.49}, "adherence", "0.49 like b"),
        ({"click": 26.0}, "click", "26 times"),
        ({"jump": -5.1}, "loudness", "-5.1 LU"),
        ({"off_ms": 80.0}, "alignment", "80 ms off the beat"),
    ],
)
def test_each_figure_fails_by_its_threshold_and_says_what_to_try(changes: dict, metric: str, said: str) -> None:
    assert judge(EDGE, [figures()], Thresholds()).passed
    (failure,) = judge(EDGE, [figures(**changes)], Thresholds()).failures
    assert failure.metric == metric
    assert said in failure.said
    assert failure.advice
    assert judge(EDGE, [figures(**changes)], Thresholds.model_validate({metric: None})).passed


def test_music_that_is_rough_everywhere_does_not_click_and_what_is_absent_does_not_fail() -> None:
    assert judge(EDGE, [figures(click=40.0, click_inside=45.0)], Thresholds()).passed
    assert judge(EDGE, [figures(settle=None, late=None, adherence=None, off_ms=None)], Thresholds()).passed


def test_takes_count_by_their_median_clicks_by_their_worst() -> None:
    takes = [figures(adherence=0.1), figures(), figures()]
    assert judge(EDGE, takes, Thresholds()).passed
    (failure,) = judge(EDGE, [figures(click=99.0), figures(), figures()], Thresholds()).failures
    assert failure.said.endswith("in 1 of 3 takes")


def test_an_edge_that_did_not_happen_fails_with_the_reason() -> None:
    (failure,) = judge(EDGE, [figures(), None], Thresholds(), "a → c (y) came first").failures
    assert (failure.metric, failure.said) == ("happens", "a → c (y) came first")
