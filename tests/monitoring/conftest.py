# SPDX-License-Identifier: Apache-2.0
"""Makes what stands in deploy/monitoring and bench importable."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "deploy" / "monitoring"), str(ROOT / "bench")]


@pytest.fixture
def program(missing: Callable[[str, str], NoReturn]) -> Callable[[str], str]:
    """program("promtool"): its path; `missing` without it."""
    from prometheus import tool

    def find(name: str) -> str:
        path: str | None = tool(name)
        if path is None:
            missing(name, "python3 deploy/monitoring/prometheus.py --install")
        return path

    return find
