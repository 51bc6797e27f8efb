# SPDX-License-Identifier: Apache-2.0
"""KEDA's query, asked of promtool, and what an HPA makes of the answer."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

SLOTS: Final = 256
FREE: Final = 128
TOLERANCE: Final = 0.1
"""Of an HPA, unless the cluster's controller was told another."""


def scaled(answer: float, pods: int) -> int:
    """What an HPA with an AverageValue of 1 makes of `pods`."""
    return pods if abs(answer / pods - 1) <= TOLERANCE else math.ceil(answer)


def wanted(pods: int, sessions: int) -> float:
    """What the query ought to answer where pods have these sessions together: enough, and enough to be heard."""
    needed = (sessions + FREE) / SLOTS
    return max(needed, 1.11 * pods) if needed > pods else needed


CASES: Final = [
    *((pods, pods * SLOTS) for pods in (1, 2, 6, 10, 40)),  # all full
    (6, 6 * SLOTS - FREE + 1),  # one slot too few is free
    (6, 6 * SLOTS - FREE),  # just enough
    (40, 40 * SLOTS - FREE),
    (10, 10 * SLOTS - 2 * FREE),  # room, within the tolerance
    (10, 0),
]


@pytest.fixture
def query(overlays: dict[str, Any]) -> str:
    """Of the overlay gpu."""
    [scaler] = [one for one in overlays["gpu"] if one["kind"] == "ScaledObject"]
    found: str = scaler["spec"]["triggers"][0]["metadata"]["query"]
    return found


def series(name: str, pod: str, value: int) -> dict[str, str]:
    return {"series": f'{name}{{namespace="segue",pod="{pod}"}}', "values": f"{value}x1"}


def test_a_shortage_is_more_than_an_hpa_overlooks(query: str, tool: Any, tmp_path: Path) -> None:
    promtool = tool("promtool", "python3 deploy/monitoring/prometheus.py --install")
    tests = []
    for pods, sessions in CASES:
        # One that has only just begun says 0; other releases' and kinds' pods are none of its business.
        given = [
            series("segue_slots", "segue-5d9c7b8f6d-begun", 0),
            series("segue_sessions", "segue-5d9c7b8f6d-begun", 0),
        ]
        for other in ("segue-beta-5d9c7b8f6d-2xkqz", "segue-front-door-5d9c7b8f6d-2xkqz", "my-segue-5d9c7b8f6d-2xkqz"):
            given += [series("segue_slots", other, 7), series("segue_sessions", other, 5)]
        for number in range(pods):
            pod = f"segue-5d9c7b8f6d-x{number:04d}"
            share = sessions // pods + (number < sessions % pods)
            given += [series("segue_slots", pod, SLOTS), series("segue_sessions", pod, share)]
        asked = {"expr": query, "eval_time": "1m"}
        sample = {"labels": "{}", "value": wanted(pods, sessions)}
        tests.append({"interval": "1m", "input_series": given, "promql_expr_test": [asked | {"exp_samples": [sample]}]})
    # No pod is known: no answer, and KEDA's fallback.
    tests.append({"interval": "1m", "promql_expr_test": [{"expr": query, "eval_time": "1m", "exp_samples": []}]})
    file = tmp_path / "scaling.yaml"
    file.write_text(json.dumps({"tests": tests}), encoding="utf-8")
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for pods, sessions in CASES:
        grown = scaled(wanted(pods, sessions), pods)
        assert (grown > pods) == (sessions + FREE > pods * SLOTS), (pods, sessions)
        assert scaled(wanted(pods, sessions), grown) == grown, "once, not again while the new ones begin"


def test_a_prometheus_that_is_away_changes_nothing(overlays: dict[str, Any]) -> None:
    [scaler] = [one["spec"] for one in overlays["gpu"] if one["kind"] == "ScaledObject"]
    assert scaler["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert scaler["fallback"]["replicas"] == scaler["minReplicaCount"], (
        "the least; more is what a lost Prometheus makes"
    )
    assert scaler["triggers"][0]["metadata"]["ignoreNullValues"] == "false", "no answer is no zero"
