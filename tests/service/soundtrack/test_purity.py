# SPDX-License-Identifier: Apache-2.0
"""The soundtrack package knows no engine, no transport and no clock (design.md §2)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import segue_service.soundtrack

SOURCES = sorted(Path(segue_service.soundtrack.__file__).parent.glob("*.py"))


def test_imports_nothing_heavy() -> None:
    heavy = {"grpc", "jax", "segue_engine", "matplotlib"}
    code = "import sys, segue_service.soundtrack; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_imports_only_itself_and_reads_no_clock() -> None:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [str(node.module)]
            for name in names:
                assert not name.startswith("segue_") or name.startswith("segue_service.soundtrack"), (
                    f"{source.name}: {name}"
                )
                assert name.split(".")[0] not in {"time", "datetime", "random", "socket", "os"}, (
                    f"{source.name}: {name}"
                )
