# SPDX-License-Identifier: Apache-2.0
"""Makes what stands in deploy/monitoring and bench importable; a tool that is missing is said loudly."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "deploy" / "monitoring"), str(ROOT / "bench")]


@pytest.fixture
def program() -> Callable[[str], str]:
    """program("promtool"): its path; the test is skipped where it is not there."""
    from prometheus import tool

    def find(name: str) -> str:
        path: str | None = tool(name)
        if path is None:
            pytest.skip(f"{name} IS MISSING: python3 deploy/monitoring/prometheus.py --install")
        return path

    return find
