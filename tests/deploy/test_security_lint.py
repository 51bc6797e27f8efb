# SPDX-License-Identifier: Apache-2.0
"""checkov over the manifests and Dockerfiles: every finding is on the list of those that stay, which says why."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from ruamel.yaml import YAML

ROOT: Final = Path(__file__).resolve().parents[2]
HOW: Final = "python3 -m venv .tools/checkov && .tools/checkov/bin/pip install checkov==3.3.30"


def findings(checkov: Path, *arguments: str) -> tuple[set[tuple[str, str]], int]:
    """(check, resource) of what failed, and how many passed."""
    command = [str(checkov), *arguments, "--output", "json", "--skip-download", "--quiet"]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp"), "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=150, check=False)
    said = json.loads(done.stdout)
    results = said if isinstance(said, list) else [said]
    failed = {(one["check_id"], one["resource"]) for part in results for one in part["results"]["failed_checks"]}
    assert sum(part["summary"]["parsing_errors"] for part in results) == 0
    return failed, sum(part["summary"]["passed"] for part in results)


@pytest.fixture
def checkov(tool: Any) -> Path:
    found: Path = tool("checkov", HOW)
    return found


def test_manifests(checkov: Path, overlays: dict[str, Any], pods: Any, tmp_path: Path) -> None:
    yaml = YAML(typ="safe")
    for name, manifests in overlays.items():
        # checkov does not know a Fleet; what it would start is linted as a pod.
        fleets = [one for kind, one in pods(manifests).items() if kind.startswith("Fleet/")]
        lone = [
            {"apiVersion": "v1", "kind": "Pod", "spec": one["spec"]}
            | {"metadata": {"name": "of-the-fleet", "namespace": "segue", **one["metadata"]}}
            for one in fleets
        ]
        with (tmp_path / f"{name}.yaml").open("w", encoding="utf-8") as out:
            yaml.dump_all([*manifests, *lone], out)
    failed, passed = findings(checkov, "--directory", str(tmp_path), "--framework", "kubernetes")
    allowed = {one["check"] for one in yaml.load((ROOT / "deploy" / "k8s" / "allowed-findings.yaml").read_text())}
    unexpected = sorted(one for one in failed if one[0] not in allowed)
    assert unexpected == []
    assert {check for check, _ in failed} == allowed, "allowed, but not found any more"
    assert passed > 500


def test_dockerfiles(checkov: Path) -> None:
    failed, passed = findings(checkov, "--directory", "deploy/docker", "--framework", "dockerfile")
    assert failed == set()
    assert passed > 100
