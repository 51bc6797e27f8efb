# SPDX-License-Identifier: Apache-2.0
"""Checks: a flipped bit, a missing file, a wrong layout, a number that is none are all found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from segue_engine.checkpoints.catalogue import ENCODER, MUSICCOCA
from segue_engine.checkpoints.check import Finding, check_model
from segue_engine.checkpoints.located import Located, locate
from segue_engine.checkpoints.survey import Found, glance, starter, survey

NAME = "mrt2_smallest_noise"


def quiet(label: str, total: int, done: int) -> Callable[[int], None]:
    return lambda count: None


def findings(models: Path) -> list[Finding]:
    return list(check_model(locate(NAME, models), quiet))


def wrong(models: Path) -> list[Finding]:
    return [finding for finding in findings(models) if finding.wrong]


def unrecorded(located: Located) -> Located:
    (located.root / "manifest.json").unlink()
    return located


def test_a_whole_model_is_found_good(models: Path, smallest: Located) -> None:
    assert wrong(models) == []
    assert next(f.what for f in findings(models) if f.file == smallest.checkpoint).endswith("as recorded")
    unrecorded(smallest)
    assert wrong(models) == []
    assert "all numbers are finite" in next(f.what for f in findings(models) if f.file == smallest.checkpoint)


@pytest.mark.parametrize("part", ["checkpoint", "encoder"])
def test_one_flipped_bit_is_found_by_the_recorded_hash(models: Path, smallest: Located, part: str) -> None:
    path = getattr(smallest, part)
    data = bytearray(path.read_bytes())
    data[-100] ^= 4
    path.write_bytes(data)
    (finding,) = wrong(models)
    assert (finding.file, finding.verdict) == (path, "damaged")
    assert "expected sha256" in finding.what


def test_without_a_record_a_number_that_is_none_is_found(models: Path, smallest: Located) -> None:
    path = unrecorded(smallest).checkpoint
    assert path is not None
    tensors = load_file(path)
    key = "params/depthformer/encoder/body/encoder_ln/bias"
    tensors[key] = np.full(8, np.nan, np.float32)
    save_file(tensors, path)
    (finding,) = wrong(models)
    assert finding.what == f"numbers that are not finite in {key}"


def test_a_wrong_layout_is_found_whatever_the_record_says(models: Path, smallest: Located) -> None:
    assert smallest.encoder is not None
    save_file({"params/encoder/x": np.ones(2, np.float32)}, smallest.encoder)
    (finding,) = wrong(models)
    assert "does not fit SpectroStream's encoder" in finding.what
    assert "missing: params/encoder/" in finding.what


def test_unknown_keys_are_a_note(models: Path, smallest: Located) -> None:
    path = unrecorded(smallest).checkpoint
    assert path is not None
    save_file({**load_file(path), "more": np.ones(2, np.float32)}, path)
    assert wrong(models) == []
    assert any(finding.verdict == "note" and "harmless: more" in finding.what for finding in findings(models))


def test_missing_and_optional_files_are_told_apart(models: Path, smallest: Located) -> None:
    assert smallest.checkpoint is not None
    smallest.checkpoint.unlink()
    (smallest.root / ENCODER).unlink()
    missing = [finding for finding in findings(models) if finding.verdict == "missing"]
    assert smallest.checkpoint in [finding.file for finding in missing]
    assert any(finding.verdict == "note" and finding.file == smallest.root / ENCODER for finding in findings(models))


def test_a_damaged_style_file_is_found(models: Path, smallest: Located) -> None:
    path = smallest.root / MUSICCOCA / "text_encoder.tflite"
    path.write_bytes(path.read_bytes()[:-1])
    assert [finding.file for finding in wrong(models)] == [path]
    unrecorded(smallest)
    path.write_bytes((smallest.root / MUSICCOCA / "mapper.tflite").read_bytes())
    (finding,) = wrong(models)
    assert "text_encoder.tflite" in finding.what


def states(models: Path) -> dict[str, Found]:
    return {found.name: found for found in survey(models)}


def test_a_survey_tells_states_apart(models: Path, smallest: Located) -> None:
    found = states(models)
    assert (found["starter"].state, found["mrt2_small"].state) == ("ready", "missing")
    assert found["mrt2_small"].repair == f"segue models download mrt2_small --models-dir {models}"
    path = smallest.root / MUSICCOCA / "spm.model"
    assert found[NAME].state == ("synthetic noise" if path.is_file() else "missing")
    assert smallest.checkpoint is not None
    smallest.checkpoint.write_bytes(smallest.checkpoint.read_bytes()[:-1])
    damaged = states(models)[NAME]
    assert damaged.state == "damaged"
    assert "truncated" in damaged.detail
    assert damaged.repair.startswith("segue models synthesise")
    (smallest.checkpoint.parent / f"{NAME}.segue-config.json").write_text("{")
    assert states(models)[NAME].state == "damaged"


def test_noise_under_a_published_name_is_still_noise(models: Path, smallest: Located) -> None:
    target = models / "checkpoints" / "mrt2_small.safetensors"
    target.parent.mkdir()
    assert smallest.checkpoint is not None
    target.write_bytes(smallest.checkpoint.read_bytes())
    (smallest.root / "resources").rename(models / "resources")
    if (models / MUSICCOCA / "spm.model").is_file():
        assert glance("mrt2_small", models).state == "synthetic noise"


def test_the_bundled_model_is_whole() -> None:
    assert starter().state == "ready"
