# SPDX-License-Identifier: Apache-2.0
"""The Unity package's tests read compiled examples: those are what `segue build` writes of the examples today."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue_service.soundtrack import build, parse_soundtrack

ROOT = Path(__file__).resolve().parents[3]
COMPILED = ROOT / "sdk" / "unity" / "Tests" / "Core" / "Data~"
EXAMPLES = sorted((ROOT / "examples").glob("*/*.soundtrack.yaml"))


@pytest.mark.parametrize("source", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_is_there_as_it_is_built_today(source: Path) -> None:
    compiled = COMPILED / f"{source.name.removesuffix('.yaml')}.json"
    assert compiled.exists(), f"segue build {source.relative_to(ROOT)} -o {compiled.relative_to(ROOT)}"
    expected = build(parse_soundtrack(source.read_text(encoding="utf-8"), source.name))
    assert compiled.read_text(encoding="utf-8") == expected, f"build {source.name} again into {COMPILED.name}"
