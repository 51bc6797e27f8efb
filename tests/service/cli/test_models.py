# SPDX-License-Identifier: Apache-2.0
"""`segue models`, from the outside: what it prints, writes and exits with."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from segue_engine.checkpoints.sources import Mirror
from segue_engine.checkpoints.t5x_write import write_t5x
from segue_service.cli import console as console_module
from segue_service.cli.console import CommandError
from segue_service.cli.models import models

SOUNDTRACK = Path(__file__).parents[1] / "dungeon.soundtrack.yaml"
STYLE_FILES = "spm.model text_encoder.tflite audio_preprocessor.tflite music_encoder.tflite"
CONFIG = {
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
NAME = "mrt2_smallest_noise"


class Said:
    """How a command ended and what it said; what would be the last sentence on stderr is `refused`."""

    def __init__(self, result: Any) -> None:
        self.code, self.refused = result.exit_code, ""
        if isinstance(result.exception, CommandError):
            self.code, self.refused = result.exception.code, str(result.exception)
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.text = re.sub(r"\s+", " ", result.output)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "home").mkdir()
    own = ("SEGUE_MODELS", "MAGENTA_HOME", "MAGENTA_RT_CACHE_DIR")
    for name in (*own, "HF_HUB_CACHE", "XDG_CACHE_HOME", "HF_HUB_OFFLINE", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home" / "hub"))
    monkeypatch.setattr(console_module.console, "width", 400)

    def command(*words: str | Path, answer: str | None = None) -> Said:
        return Said(CliRunner().invoke(models, [str(word) for word in words], input=answer))

    return command


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    for path in ("checkpoints/mrt2_small.safetensors", "resources/spectrostream/encoder.safetensors"):
        (folder / path).parent.mkdir(parents=True)
        save_file({"params/x": np.arange(9, dtype=np.float32)}, folder / path)
    (folder / "resources" / "musiccoca").mkdir()
    for name in (*STYLE_FILES.split(), "pretrained_vector_quantizer.tflite"):
        (folder / "resources" / "musiccoca" / name).write_bytes(name.encode())
    (folder / "TERMS_OF_USE.md").write_text("Be good.\n")
    return folder


@pytest.fixture
def noise(run: Any, tmp_path: Path) -> Path:
    (tmp_path / "mrt2_smallest.json").write_text(json.dumps(CONFIG))
    said = run("synthesise", tmp_path / "mrt2_smallest.json", "--out", tmp_path / "models", "--seed", 3)
    assert said.code == 0
    assert "of noise in" in said.text
    assert "SEGUE_MODELS=" in said.text
    return tmp_path / "models"


def test_list_tells_state_place_and_what_to_do(run: Any, noise: Path, tmp_path: Path) -> None:
    said = run("list", "--models-dir", noise, "--json", tmp_path / "list.json")
    assert said.code == 0
    assert "model state where detail" in said.text
    assert "starter ready with the package" in said.text
    assert f"segue models download mrt2_small --models-dir {noise}" in said.text
    assert NAME in said.text
    written = json.loads((tmp_path / "list.json").read_text())
    assert written["mrt2_small"]["state"] == "missing"
    assert written[NAME]["folder"] == str(noise / NAME)


def test_check_is_silent_about_nothing_and_exits_with_one_if_something_is_wrong(run: Any, noise: Path) -> None:
    checkpoint = noise / NAME / "checkpoints" / f"{NAME}.safetensors"
    if (noise / NAME / "resources" / "musiccoca" / "spm.model").is_file():
        said = run("check", "--models-dir", noise)
        assert (said.code, "starter: ready" in said.text, f"good: {checkpoint}" in said.text) == (0, True, True)
    data = bytearray(checkpoint.read_bytes())
    data[-1] ^= 1
    checkpoint.write_bytes(data)
    said = run("check", NAME, "--models-dir", noise)
    assert said.code == 1
    assert f"damaged: {checkpoint}: expected sha256" in said.text
    assert "repaired by: segue models synthesise" in said.text


def test_check_of_a_model_that_is_not_here_names_files_and_command(run: Any) -> None:
    said = run("check", "mrt2_base")
    assert said.code == 1
    assert "missing:" in said.text
    assert "repaired by: segue models download mrt2_base" in said.text
    assert run("check", "starter").code == 0


def test_where_gives_the_folder_first(run: Any, noise: Path) -> None:
    said = run("where", NAME, "--models-dir", noise)
    assert said.text.startswith(str(noise / NAME))
    assert "checkpoint" in said.text
    said = run("where", "magenta-rt-2-small", "--models-dir", noise)
    assert "missing checkpoints/mrt2_small.safetensors" in said.text
    assert f"looked in {noise} (--models-dir)" in said.text
    assert run("where", "starter").text.rstrip().endswith("weights")
    assert 'no model "mrt3"' in run("where", "mrt3").refused


def test_a_download_wants_its_licence_accepted(run: Any, repository: Path, tmp_path: Path) -> None:
    words = ("download", "mrt2_small", "--mirror", repository, "--models-dir", tmp_path / "models")
    said = run(*words)
    assert (said.code, "--accept-licence" in said.refused) == (2, True)
    said = run(*words, answer="n\n")
    assert said.code == 1
    assert "nothing was fetched" in said.refused
    assert "CC BY 4.0" in said.text
    assert "Be good." in said.text
    assert not (tmp_path / "models" / "checkpoints").exists()
    said = run(*words, answer="y\n")
    assert said.code == 0
    assert "fetched and verified checkpoints/mrt2_small.safetensors" in said.text
    assert "not offered resources/musiccoca/mapper.tflite" in said.text
    folder = tmp_path / "models"
    assert "CC BY 4.0" in (folder / "LICENSE-weights.txt").read_text()
    assert (folder / "licences" / "magenta-realtime-2" / "TERMS_OF_USE.md").read_text() == "Be good.\n"
    assert "CC-BY-4.0" in json.loads((folder / "manifest.json").read_text())["licences"]["google/magenta-realtime-2"]
    said = run(*words)
    assert said.code == 0
    assert "was here already" in said.text


def test_a_mirror_works_offline_and_what_is_damaged_is_repaired(run: Any, repository: Path, tmp_path: Path) -> None:
    words = ("download", "mrt2_small", "--mirror", repository, "--models-dir", tmp_path / "models", "--accept-licence")
    assert run(*words, "--offline").code == 0
    broken = tmp_path / "models" / "resources" / "musiccoca" / "spm.model"
    broken.write_bytes(b"xxx")
    assert run(*words).text.count("fetched and verified") == 1
    assert broken.read_bytes() == b"spm.model"


ARCHIVE = "checkpoints/llm_base_x4286_c1860k.tar"


def add_first_version(own: Path, other: Path) -> None:
    """mrt1_base in its own repository, and the codec in the second version's."""
    own.joinpath("checkpoints").mkdir(parents=True, exist_ok=True)
    write_t5x(own.parent / "llm", [("x", np.ones(3, np.float32))])
    with tarfile.open(own / ARCHIVE, "w") as tar:
        tar.add(own.parent / "llm", ".")
    for part in ("decoder", "quantizer"):
        save_file({"x": np.ones(3, np.float32)}, other / "resources" / "spectrostream" / f"{part}.safetensors")


def test_a_first_version_comes_from_one_mirror_with_both_licences(run: Any, repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    words = ("download", "magenta-rt-1-base", "--mirror", repository, "--models-dir", folder)
    assert f"does not have {ARCHIVE}, resources/spectrostream/decoder.safetensors" in run(*words).refused
    add_first_version(repository, repository)
    said = run(*words, answer="y\n")
    assert said.code == 0
    assert f"fetched and verified {ARCHIVE}" in said.text
    assert said.text.count("mrt1_base from mirror") == 1
    accepted = json.loads((folder / "manifest.json").read_text())["licences"]
    assert set(accepted) == {"google/magenta-realtime", "google/magenta-realtime-2"}
    assert all(f"{name}," in (folder / "LICENSE-weights-mrt1.txt").read_text() for name in accepted)
    assert not (folder / "LICENSE-weights.txt").exists(), "that of the second version is kept apart"
    said = run("where", "mrt1_base", "--models-dir", folder)
    assert f"checkpoint {folder / ARCHIVE}" in said.text
    assert said.text.count(" codec ") == 2
    assert "nothing was fetched" in run("download", "mrt1_base", "--models-dir", folder, "--offline").text


def test_the_hub_is_asked_for_each_repository(
    run: Any, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, asked = tmp_path / "own", []
    add_first_version(own, repository)
    (own / "LICENSE").write_text("Of the first version.\n")
    folders = {"google/magenta-realtime": own, "google/magenta-realtime-2": repository}

    def hub(name: str, revision: str | None) -> Mirror:
        asked.append((name, revision))
        return Mirror(folders[name])

    monkeypatch.setattr("segue_engine.checkpoints.hub.Hub", hub)
    said = run("download", "mrt1_base", "--models-dir", tmp_path / "models", "--revision", "v1", answer="y\n")
    assert said.code == 0
    assert asked == [("google/magenta-realtime", "v1"), ("google/magenta-realtime-2", None)]
    assert "Of the first version." in said.text
    assert "Be good." in said.text
    kept = tmp_path / "models" / "licences"
    assert (kept / "magenta-realtime" / "LICENSE").is_file()
    assert (kept / "magenta-realtime-2" / "TERMS_OF_USE.md").is_file()
    assert said.text.count("fetched and verified") == 9


def test_what_a_first_version_lacks_is_said_by_where_and_offline(run: Any, tmp_path: Path) -> None:
    said = run("where", "mrt1_large", "--models-dir", tmp_path)
    assert "missing resources/spectrostream/quantizer.safetensors" in said.text
    assert "published for TensorFlow only" in said.text
    assert "(the first version's tool)" in said.text
    assert "llm_large_x3047_c1860k.tar" in run("download", "mrt1_large", "--offline").refused


def test_offline_says_what_is_missing_and_asks_nobody(
    run: Any, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    said = run("download", "mrt2_small")
    assert said.code == 1
    assert "checkpoints/mrt2_small.safetensors" in said.refused
    assert "--mirror" in said.refused
    said = run("download", "mrt2_small", "--models-dir", repository, "--offline")
    assert said.code == 0
    assert "nothing was fetched" in said.text


def test_what_can_not_be_downloaded_is_said(run: Any, repository: Path) -> None:
    assert "comes with the package" in run("download", "starter").text
    said = run("download", "mrt3")
    assert (said.code, "mrt2_small, mrt2_base" in said.refused) == (2, True)
    said = run("download", "mrt2_small", "--mirror", repository, "--models-dir", repository)
    assert (said.code, "is the models folder itself" in said.refused) == (2, True)
    assert "does not have checkpoints/mrt2_base" in run("download", "mrt2_base", "--mirror", repository).refused


def test_credits_are_printed_or_written(run: Any, tmp_path: Path) -> None:
    said = run("credits", "mrt2_small", "--soundtrack", SOUNDTRACK)
    assert "CC BY 4.0" in said.text
    assert "AI disclosure" in said.text
    assert 'the soundtrack "' in said.text
    assert run("credits").text.count("For a store's AI disclosure") == 5
    run("credits", "magenta-rt-2-base", "--out", tmp_path / "deep" / "credits.txt")
    assert "Magenta RealTime 2 (base)" in (tmp_path / "deep" / "credits.txt").read_text()
    assert run("credits", "mrt3").code == 2
    assert "no such file" in run("credits", "--soundtrack", tmp_path / "absent.yaml").refused.lower()


def test_synthesise_says_what_it_wants(run: Any, tmp_path: Path) -> None:
    assert "expected a model to imitate" in run("synthesise").refused
    assert "--tiny: expected no model" in run("synthesise", "mrt2_small", "--tiny").refused
    assert "--dtype: expected one of" in run("synthesise", "--tiny", "--dtype", "int8").refused
    assert run("synthesise", tmp_path / "absent.json").code == 2
