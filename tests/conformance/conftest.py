# SPDX-License-Identifier: Apache-2.0
"""The vectors by the name of their file; the modules of this folder can be imported."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def vectors() -> Any:
    """vectors("codec") → the file's object."""
    return lambda name: json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
