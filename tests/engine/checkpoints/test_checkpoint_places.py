# SPDX-License-Identifier: Apache-2.0
"""Where files are looked for, in which order, and what is said when they are not there."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
from published_copy import write_repository

from segue_engine.checkpoints.catalogue import BASE, ENCODER, PUBLISHED, SMALL, ModelEntry, canonical, published
from segue_engine.checkpoints.description import Description, read_description, write_description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.layout import checkpoint_shapes
from segue_engine.checkpoints.located import find, locate, names
from segue_engine.checkpoints.places import models_folder, places


def test_published_names_and_their_aliases() -> None:
    assert canonical("magenta-rt-2-base") == "mrt2_base"
    assert canonical("anything else") == "anything else"
    assert published("magenta-rt-2-small") is SMALL
    with pytest.raises(CheckpointFileError, match="mrt2_small, mrt2_base"):
        published("mrt3")


@pytest.mark.parametrize(("entry", "tensors"), [(SMALL, 374), (BASE, 618)], ids=["small", "base"])
def test_the_catalogue_counts_as_many_parameters_as_the_published_layout_has(entry: ModelEntry, tensors: int) -> None:
    shapes = checkpoint_shapes(Description(entry.name, synthetic=False, preset=entry.name))
    count = sum(math.prod(shape) for shape in shapes.values())
    assert count == entry.parameters
    assert entry.files[0].size == 4 * count
    assert len(shapes) == tensors


def test_the_order_of_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGENTA_HOME", str(tmp_path / "magenta"))
    assert [place.whose for place in places()] == ["segue", "the published tool"]
    assert places()[1].folder == tmp_path / "magenta" / "magenta-rt-v2"
    monkeypatch.setenv("SEGUE_MODELS", str(tmp_path / "env"))
    assert [place.whose for place in places()] == ["SEGUE_MODELS", "segue", "the published tool"]
    assert models_folder() == tmp_path / "env"
    assert places(tmp_path / "given")[0].folder == tmp_path / "given"
    assert models_folder(tmp_path / "given") == tmp_path / "given"


def test_the_published_tools_folder_lies_in_the_home_unless_told() -> None:
    assert places()[-1].folder == Path.home() / "Documents" / "Magenta" / "magenta-rt-v2"


def test_the_first_place_wins_and_parts_may_lie_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGENTA_HOME", str(tmp_path))
    tool = write_repository(tmp_path / "magenta-rt-v2", mapper=True)
    assert find("mrt2_small").root == tool
    given = tmp_path / "given"
    (given / "checkpoints").mkdir(parents=True)
    checkpoint = given / "checkpoints" / "mrt2_small.safetensors"
    checkpoint.write_bytes((tool / "checkpoints" / "mrt2_small.safetensors").read_bytes())
    located = find("magenta-rt-2-small", given)
    assert (located.root, located.checkpoint) == (given, checkpoint)
    assert located.musiccoca == tool / "resources" / "musiccoca"
    assert located.mapper == tool / "resources" / "musiccoca" / "mapper.tflite"
    assert located.encoder == tool / ENCODER
    assert located.absent == ()


def test_the_encoder_may_lie_beside_the_checkpoint(tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "m")
    beside = folder / "checkpoints" / "encoder.safetensors"
    (folder / ENCODER).rename(beside)
    assert find("mrt2_small", folder).encoder == beside


@pytest.mark.parametrize("with_ref", [True, False])
def test_the_hub_clients_cache_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_ref: bool) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--google--magenta-realtime-2"
    write_repository(repository / "snapshots" / "abc")
    if with_ref:
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("abc")
    assert find("mrt2_small").root == repository / "snapshots" / "abc"
    assert places()[-1].whose == "the hub's cache"


def test_what_is_missing_is_named_with_places_and_the_command(tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "it is here")
    (folder / "resources" / "musiccoca" / "spm.model").unlink()
    (folder / ENCODER).unlink()
    located = locate("mrt2_small", folder)
    assert located.missing == ("resources/musiccoca/spm.model",)
    assert ENCODER in located.absent
    with pytest.raises(CheckpointFileError) as failure:
        find("mrt2_small", folder)
    said = str(failure.value)
    assert "missing: resources/musiccoca/spm.model" in said
    assert f"{folder} (--models-dir)" in said
    assert f"segue models download mrt2_small --models-dir '{folder}'" in said


def test_an_unknown_name_lists_the_known_ones(models: Path) -> None:
    with pytest.raises(CheckpointFileError, match="mrt2_small, mrt2_base, mrt1_base, mrt1_large, mrt2_smallest_noise"):
        locate("mrt2_smal", models)


def test_noise_is_found_by_its_own_name_only_and_keeps_to_its_folder(models: Path) -> None:
    write_repository(models)
    assert names(models) == ("starter", *PUBLISHED, "mrt2_smallest_noise")
    located = find("mrt2_smallest_noise", models)
    assert located.synthetic
    assert located.root == models / "mrt2_smallest_noise"
    assert located.encoder == located.root / ENCODER
    assert located.repair == (
        f"segue models synthesise {located.root}/checkpoints/mrt2_smallest_noise.segue-config.json --out {models}"
    )
    (located.root / ENCODER).unlink()
    assert locate("mrt2_smallest_noise", models).encoder is None
    assert locate("mrt2_smallest_noise", located.root).root == located.root
    assert locate("mrt2_small", models).checkpoint == models / "checkpoints" / "mrt2_small.safetensors"


def test_a_described_model_of_ones_own_uses_the_published_style_files(tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "m")
    (folder / "checkpoints" / "mine.safetensors").write_bytes(b"")
    write_description(
        folder / "checkpoints" / "mine.segue-config.json", Description("mine", synthetic=False, preset="mrt2_small")
    )
    located = find("mine", folder)
    assert located.encoder == folder / ENCODER
    assert not located.synthetic


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object"),
        ('{"segue": 2, "model": "magenta_rt_2", "name": "a", "preset": "mrt2_small"}', '"segue": 1'),
        ('{"segue": 1, "model": "magenta_rt_2", "name": "../a", "preset": "mrt2_small"}', "name: expected letters"),
        ('{"segue": 1, "model": "magenta_rt_2", "name": "b", "config": {}}', "name: expected 'a'"),
        ('{"segue": 1, "model": "magenta_rt_2", "name": "a"}', "expected one of preset and config"),
        ('{"segue": 1, "model": "magenta_rt_2", "name": "a", "preset": "x"}', "preset: expected one of"),
        ('{"segue": 1, "model": "magenta_rt_2", "name": "a", "config": 3}', "config: expected an object"),
        ('{"segue": 1, "model": "magenta_rt_2", "name": "a", "config": {}, "x": 1}', "unknown keys ['x']"),
        ('{"segue": 1, "model": "magenta_rt_2", "name": "a", "config": {}, "synthetic": 1}', "synthetic: expected"),
    ],
)
def test_a_bad_description_names_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.segue-config.json"
    path.write_text(text)
    with pytest.raises(CheckpointFileError) as failure:
        read_description(path)
    assert said in str(failure.value)
    assert str(path) in str(failure.value)


def test_looking_for_models_does_not_import_jax() -> None:
    code = (
        "import sys; import segue_engine.checkpoints as c, segue_engine.checkpoints.catalogue;"
        "import segue_service.cli.models; c.survey(); c.best_model('gpu');"
        "print([name for name in sys.modules if name.split('.')[0] in ('jax', 'jaxlib')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
