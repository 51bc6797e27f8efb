# SPDX-License-Identifier: Apache-2.0
"""What `segue serve` makes of its flags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segue_service.cli.console import CommandError
from segue_service.cli.serve import settings_of
from segue_service.settings import Layer, from_flags


def flags(**given: Any) -> Layer:
    return from_flags((f"--{name}", name, value) for name, value in given.items())


@pytest.mark.parametrize(
    ("given", "wanted", "web_port"),
    [
        ({}, True, 7471),
        ({"port": 8000}, True, 8001),
        ({"port": 0}, True, 0),
        ({"port": 65_535}, True, 0),
        ({"web_port": 9000}, True, 9000),
        ({"web_port": 9000}, False, None),
        ({}, False, None),
    ],
)
def test_grpc_web_is_beside_the_native_port_unless_told_otherwise(
    given: dict[str, Any], wanted: bool, web_port: int | None
) -> None:
    assert settings_of(None, flags(**given), web=wanted).settings.web_port == web_port


def test_a_file_of_settings_can_switch_grpc_web_off(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"web_port": None}), encoding="utf-8")
    assert settings_of(file, flags(web_port=None)).settings.web_port is None
    assert settings_of(file, flags(web_port=9000)).settings.web_port == 9000


def test_an_origin_that_is_none_is_a_sentence() -> None:
    with pytest.raises(CommandError, match=r"--web_origins: web_origins: .* got 'game.example'"):
        settings_of(None, flags(web_origins=["https://game.example", "game.example"]))
