# SPDX-License-Identifier: Apache-2.0
"""Synthetic MusicCoCa files, written once, and this folder's support module (`musiccoca_probes`) made importable."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from segue_engine.styles.musiccoca import MusicCoCa
from segue_engine.styles.musiccoca.synthesise import write_synthetic


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that no test may change."""
    folder = tmp_path_factory.mktemp("musiccoca")
    write_synthetic(folder, seed=7)
    return folder


@pytest.fixture(scope="session")
def encoder(synthetic: Path) -> MusicCoCa:
    return MusicCoCa(synthetic)


@pytest.fixture
def altered(synthetic: Path, tmp_path: Path) -> Callable[[dict[str, bytes | None]], Path]:
    """A copy of the synthetic folder with some files replaced, or removed where None is given."""

    def make(changes: dict[str, bytes | None]) -> Path:
        folder = tmp_path / "musiccoca"
        shutil.copytree(synthetic, folder, dirs_exist_ok=True)
        for name, content in changes.items():
            (folder / name).unlink(missing_ok=True)
            if content is not None:
                (folder / name).write_bytes(content)
        return folder

    return make
