# SPDX-License-Identifier: Apache-2.0
"""What the other tests here check with: .ci/run installs it by hash, and is not green without it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
RUN: Final = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_a_missing_tool_is_a_failure_where_tools_are_needed(
    missing: Callable[[str, str], NoReturn], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTS_NEED_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match="kubectl is not here: get it"):
        missing("kubectl", "get it")
    monkeypatch.delenv("TESTS_NEED_TOOLS")
    with pytest.raises(pytest.skip.Exception, match="kubectl is not here: get it"):
        missing("kubectl", "get it")


def test_what_tests_ask_for_is_installed_before_them() -> None:
    asked = {
        name
        for folder in ("deploy", "monitoring")
        for file in (ROOT / "tests" / folder).rglob("*.py")
        for name in re.findall(r'\b(?:tool|program)\("(\w+)"', file.read_text(encoding="utf-8"))
    }
    assert asked >= {"checkov", "envoy", "kubectl", "promtool", "prometheus"}
    before = RUN[RUN.index("export TESTS_NEED_TOOLS=1") : RUN.index("python3 dev.py test")]
    assert "deploy/monitoring/prometheus.py --install" in before
    assert "deploy/tools/chart.txt" in before
    loop = re.search(r"for tool in ([\w ]+); do", before)
    assert loop is not None
    assert set(loop[1].split()) == asked - {"promtool", "prometheus"}
    for name in [*loop[1].split(), "chart"]:
        pins = (ROOT / "deploy" / "tools" / f"{name}.txt").read_text(encoding="utf-8")
        blocks = re.split(r"\n(?=\S)", pins.strip())
        assert all(re.match(r"[A-Za-z0-9._-]+==\S+", one) and "--hash=sha256:" in one for one in blocks), name


def test_the_tests_go_by_the_versions_that_are_pinned() -> None:
    said = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.rglob("*.py"))
    for name, version in re.findall(r"bin/pip install ([\w-]+)==([\d.]+)", said):
        assert any(f"{name}=={version} " in path.read_text() for path in (ROOT / "deploy" / "tools").glob("*.txt")), (
            name
        )
