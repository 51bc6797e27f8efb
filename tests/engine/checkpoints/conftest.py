# SPDX-License-Identifier: Apache-2.0
"""Makes this folder's support modules importable, and models of noise that are small enough for tests."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from segue_engine.checkpoints.places import Located, locate
from segue_engine.checkpoints.synthesise import description_of, synthesise

SMALLEST = {
    "enc_dim": 8,
    "temporal": [1, 16, 24, 2, 8],
    "depth": [1, 12, 16, 2, 4],
    "self_win": 4,
    "cross_win": 4,
    "Q": 3,
    "rvq_total": 4,
    "codebook": 16,
    "mc_codebook": 16,
    "mc_dim": 12,
    "ss_feat": 8,
    "ss_enc_depth": 2,
    "ss_dec_depth": 2,
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees this machine's models, tokens or proxies."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("SEGUE_MODELS", "MAGENTA_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "XDG_DATA_HOME"):
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


@pytest.fixture
def models(original: Path, tmp_path: Path) -> Path:
    copied = tmp_path / "models"
    shutil.copytree(original, copied)
    return copied


@pytest.fixture
def smallest(models: Path) -> Located:
    return locate("mrt2_smallest_noise", models)
