# SPDX-License-Identifier: Apache-2.0
"""Which soundtracks `segue serve FOLDER` finds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from segue_service.soundtrack_files import SoundtrackFilesError, find_soundtracks


def test_below_a_folder_and_by_name(tmp_path: Path) -> None:
    for name in ("a.soundtrack.yaml", "deep/b.soundtrack.json", "deep/notes.yaml", ".git/c.soundtrack.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_soundtracks([tmp_path, tmp_path / "deep" / "notes.yaml"])
    assert [path.name for path in found] == ["a.soundtrack.yaml", "b.soundtrack.json", "notes.yaml"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SoundtrackFilesError, match=r"no \*\.soundtrack\.yaml"):
        find_soundtracks([tmp_path / "empty"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives links to administrators only")
def test_a_mounted_config_map_has_each_once(tmp_path: Path) -> None:
    real = tmp_path / "..2026_11_25_12_00_00.1"
    real.mkdir()
    (real / "a.soundtrack.yaml").touch()
    (tmp_path / "..data").symlink_to(real.name)
    (tmp_path / "a.soundtrack.yaml").symlink_to("..data/a.soundtrack.yaml")
    assert find_soundtracks([tmp_path]) == [tmp_path / "a.soundtrack.yaml"]
