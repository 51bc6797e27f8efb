# SPDX-License-Identifier: Apache-2.0
"""Where `segue serve` takes the keys of resume points from."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue_service.cli.console import CommandError
from segue_service.cli.serve import keys_of, settings_of


def test_keys_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys_of(None) is None
    monkeypatch.setenv("SEGUE_RESUME_KEYS", f"{'o' * 32}, {'n' * 32}")
    assert keys_of(None) == ["o" * 32, "n" * 32]
    file = tmp_path / "keys"
    file.write_text(f"{'a' * 32}\n\n{'b' * 32}\n", encoding="utf-8")
    assert keys_of(file) == ["a" * 32, "b" * 32]
    file.write_text("\n", encoding="utf-8")
    with pytest.raises(CommandError, match="expected at least one key"):
        keys_of(file)
    with pytest.raises(CommandError, match="--resume-keys"):
        keys_of(tmp_path / "none")


def test_a_short_key_is_refused_and_not_shown() -> None:
    with pytest.raises(CommandError, match=r"resume_keys.*at least 32 characters") as caught:
        settings_of(None, resume_keys=["secret"])
    assert "secret" not in str(caught.value)
