# SPDX-License-Identifier: Apache-2.0
"""Where the files of a Magenta RT 1 are looked for: two repositories' caches, archive or folder, either codec."""

from __future__ import annotations

import math
import tarfile
from pathlib import Path

import pytest
from published_copy import write_codec, write_first_version, write_repository

from segue_engine.checkpoints.catalogue import (
    DECODER,
    ENCODER,
    MRT1_BASE,
    MRT1_LARGE,
    QUANTISER,
    ModelEntry,
    canonical,
    published,
)
from segue_engine.checkpoints.description import Description, read_description, write_description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.layout import FILE_PREFIX, checkpoint_shapes, codec_shapes, encoder_shapes
from segue_engine.checkpoints.located import Located, find, locate
from segue_engine.checkpoints.places import places

LM = MRT1_LARGE.checkpoint


@pytest.mark.parametrize(("entry", "tensors"), [(MRT1_BASE, 430), (MRT1_LARGE, 538)], ids=["base", "large"])
def test_the_catalogue_counts_what_the_published_layout_has(entry: ModelEntry, tensors: int) -> None:
    description = Description(entry.name, synthetic=False, preset=entry.name, family="mrt1")
    shapes = checkpoint_shapes(description)
    assert sum(math.prod(shape) for shape in shapes.values()) == entry.language_model_parameters
    assert len(shapes) == tensors
    for file, part in ((DECODER, "decoder"), (QUANTISER, "quantizer")):
        (listed,) = (listed for listed in entry.files if listed.path == file)
        held = codec_shapes(description, (part,), FILE_PREFIX)  # type: ignore[arg-type]
        assert listed.size == 4 * sum(math.prod(shape) for shape in held.values())
        assert listed.repository == "google/magenta-realtime-2"
    assert entry.parameters - entry.language_model_parameters == 35_684_546 + 16_777_216
    assert len(encoder_shapes(description)) > 0


def test_names_and_repositories() -> None:
    assert canonical("magenta-rt-1-base") == "mrt1_base"
    assert published("magenta-rt-1-large") is MRT1_LARGE
    assert MRT1_LARGE.repositories == ("google/magenta-realtime", "google/magenta-realtime-2")


def here(tmp_path: Path) -> Path:
    """A models folder with all of mrt1_large."""
    return write_first_version(write_codec(write_repository(tmp_path / "here")))


def test_a_whole_model_in_one_folder(tmp_path: Path) -> None:
    folder = here(tmp_path)
    located = find("magenta-rt-1-large", folder)
    assert (located.name, located.family, located.root) == ("mrt1_large", "mrt1", folder)
    assert located.checkpoint == folder / LM
    assert located.codec == (folder / DECODER, folder / QUANTISER)
    assert located.encoder == folder / ENCODER
    assert located.musiccoca == folder / "resources" / "musiccoca"


def test_an_unpacked_archive_is_as_good_and_the_archive_goes_before_it(tmp_path: Path) -> None:
    folder = here(tmp_path)
    unpacked = (folder / LM).with_suffix("")
    with tarfile.open(folder / LM) as archive:
        archive.extractall(unpacked, filter="data")
    assert find("mrt1_large", folder).checkpoint == folder / LM
    (folder / LM).unlink()
    assert find("mrt1_large", folder).checkpoint == unpacked


@pytest.mark.parametrize("given", [True, False])
def test_the_published_tools_cache_is_read_for_the_language_model_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    cache = Path.home() / ".cache" / "magenta_rt"
    if given:
        cache = tmp_path / "cache"
        monkeypatch.setenv("MAGENTA_RT_CACHE_DIR", str(cache))
    assets = write_first_version(write_codec(cache / "assets"))
    folder = write_repository(tmp_path / "here", terms=False)
    located = locate("mrt1_large", folder)
    assert (located.root, located.checkpoint) == (assets, assets / LM)
    assert located.codec == (folder / "checkpoints" / "mrt2_small.safetensors",), "its codec is not that of the cache"
    assert locate("mrt2_small", folder).root == folder
    assert [place.folder for place in places(folder, "mrt1")][-1] == assets
    assert assets not in [place.folder for place in places(folder)]


def test_the_hub_clients_cache_of_its_own_repository_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    own = write_first_version(tmp_path / "models--google--magenta-realtime" / "snapshots" / "abc")
    other = tmp_path / "models--google--magenta-realtime-2" / "snapshots" / "def"
    write_codec(write_repository(other))
    located = find("mrt1_large")
    assert located.checkpoint == own / LM
    assert located.codec == (other / DECODER, other / QUANTISER)
    assert places(family="mrt1")[-1].folder == own


def test_files_of_the_codec_are_not_mixed_and_a_checkpoint_stands_in_for_them(tmp_path: Path) -> None:
    folder, tool = here(tmp_path), Path.home() / "Documents" / "Magenta" / "magenta-rt-v2"
    write_codec(tool)
    (folder / QUANTISER).unlink()
    assert find("mrt1_large", folder).codec == (tool / DECODER, tool / QUANTISER)
    (tool / DECODER).unlink()
    checkpoint = folder / "checkpoints" / "mrt2_small.safetensors"
    assert find("mrt1_large", folder).codec == (checkpoint,)
    checkpoint.rename(checkpoint.with_name("mrt2_base.safetensors"))
    assert find("mrt1_large", folder).codec == (checkpoint.with_name("mrt2_base.safetensors"),)


def test_what_is_missing_is_named_with_what_would_do(tmp_path: Path) -> None:
    folder = here(tmp_path)
    (folder / "checkpoints" / "mrt2_small.safetensors").unlink()
    (folder / DECODER).unlink()
    with pytest.raises(CheckpointFileError) as failure:
        find("mrt1_large", folder)
    said = str(failure.value)
    assert f"mrt1_large: missing: {DECODER}\n" in said
    assert "published for TensorFlow only" in said
    assert "one of checkpoints/mrt2_small.safetensors, checkpoints/mrt2_base.safetensors" in said
    assert "the first version's tool" in said
    assert said.endswith(f"segue models download mrt1_large --models-dir {folder}")
    (folder / LM).unlink()
    assert locate("mrt1_large", folder).missing == (LM, DECODER)


def test_noise_keeps_to_its_folder_and_says_how_it_is_made_again(models_1: Path, smallest_1: Located) -> None:
    write_codec(models_1)
    assert smallest_1.synthetic
    assert smallest_1.root == models_1 / "mrt1_smallest_noise"
    assert smallest_1.checkpoint == smallest_1.root / "checkpoints" / "mrt1_smallest_noise"
    (smallest_1.root / DECODER).unlink()
    again = locate("mrt1_smallest_noise", models_1)
    assert again.codec == ()
    assert again.missing == (DECODER,)
    assert again.repair.startswith("segue models synthesise ")


def test_a_described_model_of_ones_own_uses_the_published_files(tmp_path: Path) -> None:
    folder = here(tmp_path)
    (folder / LM).rename(folder / "checkpoints" / "mine.tar")
    path = folder / "checkpoints" / "mine.segue-config.json"
    description = Description("mine", synthetic=False, preset="mrt1_large", family="mrt1")
    write_description(path, description)
    assert read_description(path) == description
    located = find("mine", folder)
    assert (located.family, located.checkpoint) == ("mrt1", folder / "checkpoints" / "mine.tar")
    assert located.codec == (folder / DECODER, folder / QUANTISER)
    path.write_text(path.read_text().replace("mrt1_large", "mrt2_base"))
    with pytest.raises(CheckpointFileError, match="preset: expected one of mrt1_base, mrt1_large"):
        read_description(path)
