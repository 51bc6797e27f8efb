# SPDX-License-Identifier: Apache-2.0
"""Makes this folder's support modules importable, and models of noise that are small enough for tests."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from smallest import SMALLEST, SMALLEST_1

from segue_engine.checkpoints.located import Located, locate
from segue_engine.checkpoints.synthesise import description_of, synthesise


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees this machine's models, tokens or proxies."""
    home = tmp_path / "home"
    home.mkdir()
    own = ("SEGUE_MODELS", "MAGENTA_HOME", "MAGENTA_RT_CACHE_DIR")
    for name in (*own, "HF_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(home / "hub-client"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder that holds one noise model; copies of it are what tests break."""
    folder = tmp_path_factory.mktemp("synthesised")
    config = folder / "mrt2_smallest.json"
    config.write_text(json.dumps({"config": SMALLEST}))
    synthesise(description_of(str(config)), folder / "models", lambda label, total, done: lambda count: None, seed=7)
    return folder / "models"


@pytest.fixture(scope="session")
def original_1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a Magenta RT 1 in it."""
    folder = tmp_path_factory.mktemp("synthesised-1")
    config = folder / "mrt1_smallest.json"
    config.write_text(json.dumps({"config": SMALLEST_1}))
    synthesise(description_of(str(config)), folder / "models", lambda label, total, done: lambda count: None, seed=7)
    return folder / "models"


@pytest.fixture
def models_1(original_1: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "models"
    shutil.copytree(original_1, copied)
    return copied


@pytest.fixture
def smallest_1(models_1: Path) -> Located:
    return locate("mrt1_smallest_noise", models_1)


@pytest.fixture
def models(original: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "models"
    shutil.copytree(original, copied)
    return copied


@pytest.fixture
def smallest(models: Path) -> Located:
    return locate("mrt2_smallest_noise", models)
