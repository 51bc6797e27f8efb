# SPDX-License-Identifier: Apache-2.0
"""Checks and surveys of a Magenta RT 1: damage to a T5X folder is found by array, and noise in any part is noise."""

from __future__ import annotations

import tarfile
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from published_copy import write_codec, write_first_version, write_repository
from safetensors.numpy import load_file, save_file

from segue_engine.checkpoints.catalogue import DECODER, MRT1_LARGE, MUSICCOCA
from segue_engine.checkpoints.check import Finding, check_model
from segue_engine.checkpoints.choose import choose
from segue_engine.checkpoints.located import Located, locate
from segue_engine.checkpoints.manifest import FileRecord, Manifest, write_manifest
from segue_engine.checkpoints.reader import NOISE_KEY, NOISE_VALUE
from segue_engine.checkpoints.survey import Found, State, glance
from segue_engine.checkpoints.t5x import open_t5x
from segue_engine.checkpoints.t5x_array import StoredArray
from segue_engine.checkpoints.t5x_write import write_t5x

NAME = "mrt1_smallest_noise"
NORM = "encoder/encoder_norm/scale"


def quiet(label: str, total: int, done: int) -> Callable[[int], None]:
    return lambda count: None


def findings(models: Path) -> list[Finding]:
    return list(check_model(locate(NAME, models), quiet))


def wrong(models: Path) -> list[Finding]:
    return [finding for finding in findings(models) if finding.wrong]


def checkpoint(located: Located) -> Path:
    assert located.checkpoint is not None
    return located.checkpoint


def rewritten(folder: Path, key: str, array: np.ndarray) -> None:
    """The same T5X folder with another array under one name."""
    tensors = {name: np.asarray(stored) for name, stored in open_t5x(folder).items()}
    folder.rename(folder.with_name("before"))
    write_t5x(folder, (tensors | {key: array}).items(), marks={NOISE_KEY: NOISE_VALUE})


def test_a_whole_model_is_found_good(models_1: Path, smallest_1: Located) -> None:
    found = findings(models_1)
    assert not [finding for finding in found if finding.wrong]
    good = {finding.file for finding in found if finding.verdict == "good"}
    assert {smallest_1.checkpoint, *smallest_1.codec, smallest_1.encoder} <= good


def test_an_archive_is_as_good_and_its_recorded_hash_is_compared(models_1: Path, smallest_1: Located) -> None:
    folder = checkpoint(smallest_1)
    archive = folder.with_name(f"{NAME}.tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, ".")
    assert not wrong(models_1)
    assert "all numbers are finite" in next(f.what for f in findings(models_1) if f.file == archive)
    record = FileRecord("0" * 64, archive.stat().st_size, "elsewhere")
    write_manifest(smallest_1.root, Manifest({f"checkpoints/{NAME}.tar": record}))
    (finding,) = wrong(models_1)
    assert (finding.file, finding.what[:30]) == (archive, f"expected sha256 {'0' * 14}")


def test_a_lost_and_a_broken_chunk_are_named_by_their_arrays(models_1: Path, smallest_1: Located) -> None:
    norm = checkpoint(smallest_1) / f"target.{NORM.replace('/', '.')}"
    chunk = norm / "0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    (finding,) = wrong(models_1)
    assert (finding.verdict, finding.file) == ("damaged", smallest_1.checkpoint)
    assert f"expected 48 bytes, float32[12], of {NORM}" in finding.what
    chunk.unlink()
    (finding,) = wrong(models_1)
    assert f"{NORM} [12]: expected one chunk file, missing or empty" in finding.what
    (norm / ".zarray").unlink()
    (finding,) = wrong(models_1)
    assert f"{NORM}: no array in target.encoder.encoder_norm.scale: .zarray is missing" in finding.what


def test_a_number_that_is_none_and_a_wrong_shape_are_found(models_1: Path, smallest_1: Located) -> None:
    rewritten(checkpoint(smallest_1), NORM, np.full(12, np.inf, np.float32))
    (finding,) = wrong(models_1)
    assert finding.what == f"numbers that are not finite in {NORM}"
    (checkpoint(smallest_1).parent / "before").rename(models_1 / "out of the way")
    rewritten(checkpoint(smallest_1), NORM, np.ones(13, np.float32))
    (finding,) = wrong(models_1)
    assert f"wrong shape: {NORM} expected [12], got [13]" in finding.what


def test_no_more_than_one_array_is_in_memory_at_a_time(models_1: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, alive = StoredArray.read, []

    def noted(array: StoredArray) -> np.ndarray:
        assert not any(reference() is not None for reference in alive), "the last one is still there"
        numbers = read(array)
        alive.append(weakref.ref(numbers))
        return numbers

    monkeypatch.setattr(StoredArray, "read", noted)
    assert not wrong(models_1)
    assert len(alive) == len(open_t5x(checkpoint(locate(NAME, models_1))))


def test_a_missing_codec_is_said_with_what_would_do(models_1: Path, smallest_1: Located) -> None:
    (smallest_1.root / DECODER).unlink()
    (finding,) = wrong(models_1)
    assert (finding.verdict, finding.file) == ("missing", smallest_1.root / DECODER)
    assert any("published for TensorFlow only" in finding.what for finding in findings(models_1))


def test_a_damaged_codec_is_found(models_1: Path, smallest_1: Located) -> None:
    path = smallest_1.root / DECODER
    tensors = load_file(path)
    save_file({key: tensor + np.float32(1) for key, tensor in tensors.items()}, path)
    (finding,) = wrong(models_1)
    assert finding.file == path
    assert "expected " in finding.what
    (smallest_1.root / "manifest.json").unlink()
    assert not wrong(models_1)
    save_file(tensors | {"params/decoder/input_layer/conv1x1_first/conv/bias": np.ones(3, np.float32)}, path)
    (finding,) = wrong(models_1)
    assert "does not fit SpectroStream's decoder" in finding.what


def published(tmp_path: Path) -> Path:
    return write_first_version(write_codec(write_repository(tmp_path / "here")))


def test_a_survey_tells_states_apart(tmp_path: Path) -> None:
    folder = published(tmp_path)
    found = glance("mrt1_large", folder)
    assert (found.state, found.folder) == ("ready", folder)
    assert "codec of Magenta RT 2" in found.detail
    assert glance("mrt1_base", folder).state == "missing"
    archive = folder / MRT1_LARGE.checkpoint
    archive.write_bytes(archive.read_bytes()[:700])
    found = glance("mrt1_large", folder)
    assert (found.state, found.repair) == ("damaged", f"segue models download mrt1_large --models-dir {folder}")
    assert str(archive) in found.detail


def test_without_a_codec_it_is_missing_with_the_reason(tmp_path: Path) -> None:
    folder = write_first_version(write_repository(tmp_path / "here"))
    assert glance("mrt1_large", folder).state == "ready", "mrt2_small holds the codec"
    (folder / "checkpoints" / "mrt2_small.safetensors").unlink()
    found = glance("mrt1_large", folder)
    assert found.state == "missing"
    assert "published for TensorFlow only" in found.detail


def test_noise_in_any_part_is_noise(tmp_path: Path, models_1: Path, smallest_1: Located) -> None:
    assert glance(NAME, models_1).state == "synthetic noise"
    folder = published(tmp_path)
    archive = folder / MRT1_LARGE.checkpoint
    archive.unlink()
    checkpoint(smallest_1).rename(archive.with_suffix(""))
    assert glance("mrt1_large", folder).state == "synthetic noise"
    folder = published(tmp_path / "another")
    (smallest_1.root / DECODER).rename(folder / DECODER)
    assert glance("mrt1_large", folder).state == "synthetic noise"


def test_damaged_style_files_are_found(models_1: Path, smallest_1: Located) -> None:
    path = smallest_1.root / MUSICCOCA / "text_encoder.tflite"
    path.write_bytes(path.read_bytes()[:-1])
    assert [finding.file for finding in wrong(models_1)] == [path]


HUGE = 80_000_000_000
NAMES = ("mrt2_small", "mrt2_base", "mrt1_base", "mrt1_large")


@pytest.mark.parametrize(
    ("device", "memory", "here", "name", "said"),
    [
        ("gpu", HUGE, NAMES, "mrt2_base", "best model here for this GPU"),
        ("gpu", HUGE, ("mrt2_small", "mrt1_base", "mrt1_large"), "mrt2_small", "mrt2_base: not here"),
        ("gpu", HUGE, ("mrt1_base", "mrt1_large"), "mrt1_large", "mrt2_small: not here"),
        ("gpu", 14_000_000_000, ("mrt1_base", "mrt1_large"), "mrt1_base", "mrt1_large: wants 16 GB"),
        ("gpu", 8_000_000_000, ("mrt1_base",), "starter", "mrt1_base: wants 12 GB"),
        ("cpu", None, NAMES, "starter", "slower than real time"),
    ],
)
def test_the_second_version_is_chosen_before_the_first(
    device: str, memory: int | None, here: tuple[str, ...], name: str, said: str
) -> None:
    states: dict[str, State] = {known: "ready" if known in here else "missing" for known in NAMES}
    found = [Found(known, state, Path(), "") for known, state in states.items()]
    choice = choose(found, device, memory, styles=True)
    assert choice.name == name
    assert said in choice.reason
