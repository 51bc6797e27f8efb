# SPDX-License-Identifier: Apache-2.0
"""A rehearsal for machines: JSON, and JUnit XML for continuous integration."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any, Final
from xml.etree import ElementTree

from segue_service.rehearsal.metrics import Figures
from segue_service.rehearsal.page import Rehearsal, Result

FORMAT: Final = 1


def as_json(rehearsal: Rehearsal) -> dict[str, Any]:
    """Plain data; a time that never came is the word "never", what is not judged is null."""
    return {
        "format": FORMAT,
        "passed": not rehearsal.failing,
        "soundtrack": rehearsal.soundtrack.soundtrack,
        "soundtrack_version": rehearsal.soundtrack.version,
        "hash": f"sha256:{rehearsal.hash}",
        "model": rehearsal.model,
        "model_version": rehearsal.version,
        "seed": rehearsal.seed,
        "ear": rehearsal.ear,
        "notes": list(rehearsal.notes),
        "edges": [_edge(result) for result in rehearsal.results],
        "not_played": [{"edge": name, "why": why} for name, why in rehearsal.left],
    }


def as_junit(rehearsal: Rehearsal) -> str:
    """One test case an edge; edges that can't happen are skipped ones."""
    suite = ElementTree.Element(
        "testsuite",
        name=f"segue test {rehearsal.soundtrack.soundtrack}",
        tests=str(len(rehearsal.results) + len(rehearsal.left)),
        failures=str(len(rehearsal.failing)),
        skipped=str(len(rehearsal.left)),
    )
    for result in rehearsal.results:
        case = ElementTree.SubElement(suite, "testcase", classname=_class(rehearsal), name=result.verdict.edge.name)
        for failure in result.verdict.failures:
            fault = ElementTree.SubElement(case, "failure", type=failure.metric, message=failure.said)
            fault.text = failure.advice
    for name, why in rehearsal.left:
        case = ElementTree.SubElement(suite, "testcase", classname=_class(rehearsal), name=name)
        ElementTree.SubElement(case, "skipped", message=why)
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _class(rehearsal: Rehearsal) -> str:
    return f"segue.{rehearsal.soundtrack.soundtrack}"


def _edge(result: Result) -> dict[str, Any]:
    verdict, edge = result.verdict, result.verdict.edge
    return {
        "edge": edge.name,
        "kind": edge.kind,
        "from": edge.source,
        "to": edge.target,
        "cause": edge.cause,
        "transition": edge.rule,
        "passed": verdict.passed,
        "failures": [asdict(failure) for failure in verdict.failures],
        "thresholds": verdict.thresholds.model_dump(),
        "figures": None if verdict.figures is None else _figures(verdict.figures),
        "takes": [
            {"seed": take.seed, "why": take.why, "figures": None if take.figures is None else _figures(take.figures)}
            for take in result.takes
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    raw = asdict(figures)
    places = raw.pop("places")
    told = {name: _number(value) for name, value in raw.items() if name not in ("absent", "place")}
    return {
        **told,
        "place": figures.place,
        "absent": figures.absent,
        "seconds": {k: _number(v) for k, v in places.items()},
    }


def _number(value: float | None) -> float | str | None:
    if value is None:
        return None
    return "never" if math.isinf(value) else round(value, 4)
