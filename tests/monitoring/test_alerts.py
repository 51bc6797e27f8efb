# SPDX-License-Identifier: Apache-2.0
"""Alerts: promtool's verdict, a runbook for each, and a test that has each fire and stay quiet."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from segue_service.config import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
RULES = yaml.safe_load((FOLDER / "alerts" / "segue.rules.yaml").read_text(encoding="utf-8"))
TESTS = yaml.safe_load((FOLDER / "alerts" / "segue.test.yaml").read_text(encoding="utf-8"))
RUNBOOKS = (ROOT / "docs" / "operations" / "runbooks.md").read_text(encoding="utf-8")
ALERTS: list[dict[str, Any]] = [rule for group in RULES["groups"] for rule in group["rules"]]


def test_promtool_finds_nothing_and_the_rules_pass_their_tests(program: Callable[[str], str]) -> None:
    promtool = program("promtool")
    for words in (["check", "config", "prometheus.yaml"], ["test", "rules", "alerts/segue.test.yaml"]):
        done = subprocess.run([promtool, *words], cwd=FOLDER, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_how_bad_it_is_and_has_a_runbook() -> None:
    names = [alert["alert"] for alert in ALERTS]
    sections = re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE)
    assert sections == sorted(set(sections), key=sections.index)
    assert set(sections) == set(names)
    assert len(names) == len(set(names))
    for alert in ALERTS:
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert set(alert["annotations"]) == {"summary", "runbook_url"}
        assert alert["annotations"]["runbook_url"].endswith(f"docs/operations/runbooks.md#{alert['alert'].lower()}")


def test_every_runbook_says_what_it_means_what_is_heard_where_to_look_and_what_to_do() -> None:
    for section in RUNBOOKS.split("\n## ")[1:]:
        for part in ("- **Means:**", "- **Players hear:**", "- **Look at:**", "- **Do:**"):
            assert section.count(part) == 1, section.splitlines()[0]


def test_every_alert_is_tried_both_ways() -> None:
    outcomes: dict[str, set[bool]] = {alert["alert"]: set() for alert in ALERTS}
    for test in TESTS["tests"]:
        for case in test["alert_rule_test"]:
            outcomes[case["alertname"]].add(bool(case["exp_alerts"]))
    assert {name for name, tried in outcomes.items() if tried != {True, False}} == set()


def test_runbooks_name_panels_settings_and_sections_that_there_are() -> None:
    shown = json.loads((FOLDER / "dashboards" / "segue.json").read_text(encoding="utf-8"))
    panels = {panel["title"] for panel in shown["panels"]}
    assert set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", RUNBOOKS)) <= panels
    settings = set(re.findall(r"`([a-z]+_ms|max_\w+|guard_\w+|style_\w+|rewind\w*_\w+)`", RUNBOOKS))
    assert settings
    assert settings <= set(Settings.model_fields)
    links = set(re.findall(r"\]\(#(\w+)\)", RUNBOOKS))
    assert links <= {alert["alert"].lower() for alert in ALERTS}
