# SPDX-License-Identifier: Apache-2.0
"""The dashboard is fresh, names only metrics that exist, and a real Prometheus answers every query of it."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path

import monitoring
import pytest
from make_dashboard import TARGET, dashboard, filled

from segue_service.observe.metrics import Metrics

ROOT = Path(__file__).parents[2]
SHOWN = json.loads(TARGET.read_text(encoding="utf-8"))


def known() -> set[str]:
    """Names of all series that a server can have."""
    found: set[str] = set()
    for family in Metrics().registry.collect():
        endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
        found |= {family.name + ending for ending in endings}
    return found


def test_it_is_what_its_maker_makes() -> None:
    assert dashboard() == SHOWN


def test_it_names_no_metric_that_there_is_not() -> None:
    texts = [query for _, query in monitoring.questions(SHOWN)]
    texts.append((ROOT / "deploy" / "monitoring" / "alerts" / "segue.rules.yaml").read_text(encoding="utf-8"))
    named = {name for text in texts for name in re.findall(r"\b(?:segue|process)_[a-z_]+\b", text)}
    assert named - known() == set()


def test_every_metric_is_described_to_operators() -> None:
    told = (ROOT / "docs" / "operations" / "metrics.md").read_text(encoding="utf-8")
    names = [family.name for family in Metrics().registry.collect() if family.name.startswith("segue_")]
    general = ("segue_tls_", "segue_reloads", "segue_prompt_hook_")
    assert [name for name in names if name not in told and not name.startswith(general)] == []


def test_panels_have_their_own_places_and_all_five_rows_are_there() -> None:
    assert [panel["title"] for panel in SHOWN["panels"] if panel["type"] == "row"] == [
        *("Health", "Capacity", "Music", "Clients", "Errors")
    ]
    cells = [
        (x, y)
        for panel in SHOWN["panels"]
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in SHOWN["panels"]}) == len(SHOWN["panels"])


def test_every_query_is_of_the_servers_chosen() -> None:
    assert filled('rate(a{x="1"}[R]) / b{}') == (
        'rate(a{x="1",job=~"$job",instance=~"$instance"}[$__rate_interval]) / b{job=~"$job",instance=~"$instance"}'
    )
    for panel in SHOWN["panels"]:
        for target in panel.get("targets", ()):
            assert len(re.findall(r"(?:segue|process)_\w+", target["expr"])) == target["expr"].count('job=~"$job"')


def test_a_query_that_finds_nothing_is_no_good() -> None:
    for values, is_good in (([], False), ([math.nan], False), ([math.nan, 0.0], True)):
        assert monitoring.Answer("panel", "segue_frames_total", values).is_good is is_good
    assert monitoring.Answer("panel", "segue_faults_total", []).is_good
    assert not monitoring.Answer("panel", "segue_faults_total", [1.0], "parse error").is_good


@pytest.mark.skipif(sys.platform == "win32", reason="the bench stops a process for a while")
def test_a_real_prometheus_answers_every_query(program: Callable[[str], str]) -> None:
    given = asyncio.run(monitoring.measure(program("prometheus"), "fake", 8.0))
    assert [(one.panel, one.query, one.error, one.values) for one in given if not one.is_good] == []
    (by_server,) = [one for one in given if one.panel == "Underruns"]
    assert max(by_server.values) > 0
