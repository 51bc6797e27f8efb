# SPDX-License-Identifier: Apache-2.0
"""Where `segue serve` takes the keys of resume points from."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue_service.cli.console import CommandError
from segue_service.cli.serve import settings_of
from segue_service.settings import Layer, from_flags


def flag(file: Path | None) -> Layer:
    return from_flags([("--resume-keys", "resume_keys_file", file)])


def keys(file: Path | None) -> list[str]:
    return [key.get_secret_value() for key in settings_of(None, flag(file)).settings.resume_keys]


def test_keys_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGUE_RESUME_KEYS", raising=False)
    assert keys(None) == []
    monkeypatch.setenv("SEGUE_RESUME_KEYS", f"{'o' * 32}, {'n' * 32}")
    assert keys(None) == ["o" * 32, "n" * 32]
    file = tmp_path / "keys"
    file.write_text(f"{'a' * 32}\n\n{'b' * 32}\n", encoding="utf-8")
    assert keys(file) == ["a" * 32, "b" * 32]
    with pytest.raises(CommandError, match=r"--resume-keys: resume_keys: .*none: no such file"):
        keys(tmp_path / "none")


def test_a_short_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("secret\n", encoding="utf-8")
    with pytest.raises(CommandError, match=r"resume_keys.*at least 32 characters") as caught:
        keys(file)
    assert "secret" not in str(caught.value)
