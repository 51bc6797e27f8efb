# SPDX-License-Identifier: Apache-2.0
"""A Magenta RT 1 from files on disk, put together as `segue serve` does it: styles, engine, codec and recordings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from assembled import conditioning, play, warmed_up, write_noise_model

from segue_engine.assemble import Assembly, assemble
from segue_engine.assemble_magenta import MagentaOptions
from segue_engine.checkpoints import CheckpointFileError
from segue_engine.checkpoints.catalogue import QUANTISER

NAME = "mrt1_tiny_noise"
FRAMES = 13
"""Into the second chunk of ten frames."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_noise_model("mrt1_tiny", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def assembly(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    with warmed_up(NAME, 1, folder, tmp_path_factory.mktemp("programs"), MagentaOptions()) as made:
        yield made


def heard(assembly: Assembly, seed: int, style: str = "calm harp", codes: np.ndarray | None = None) -> np.ndarray:
    slot = assembly.engine.insert(seed, conditioning(assembly, style), codes)
    try:
        return play(assembly, [slot], FRAMES)[slot]
    finally:
        assembly.engine.release(slot)


def test_it_names_what_it_is_made_of(assembly: Assembly) -> None:
    info = assembly.info
    assert info.model == NAME
    assert info.version.startswith(f"{NAME}+")
    assert "spectrostream-16+" in info.version
    assert (info.levels, info.codec_delay_frames) == (16, 1)
    assert not info.capabilities.notes
    assert assembly.style_encoder.name == "musiccoca-synthetic", "no mapper unless it is asked for"
    codes = conditioning(assembly, "harp").style_codes
    assert min(codes[:6]) >= 0
    assert codes[6:] == (-1,) * 6, "no more than the model hears"


def test_sessions_differ_by_seed_and_style_and_are_the_same_again(assembly: Assembly) -> None:
    first = heard(assembly, 7)
    assert first.shape == (FRAMES * 1920, 2)
    assert np.abs(first[1920:]).max() > 0
    assert np.array_equal(heard(assembly, 7), first)
    assert not np.array_equal(heard(assembly, 8), first)
    assert not np.array_equal(heard(assembly, 7, "war drums"), first)


def test_a_session_goes_on_from_a_recording(assembly: Assembly) -> None:
    assert assembly.engine.tokenizer is not None
    wave = np.random.default_rng(0).normal(0, 0.1, (2 * 48_000, 2)).astype(np.float32)
    codes = np.concatenate(list(assembly.engine.tokenizer.pieces(wave)))
    assert codes.shape == (25, 16)
    assert not np.array_equal(heard(assembly, 7, codes=codes), heard(assembly, 7))


def test_options_are_heard_as_far_as_the_model_goes(folder: Path) -> None:
    options = MagentaOptions(mapper="on", style_levels=3)
    made = assemble(NAME, 1, "cpu", models_dir=folder, magenta=options)
    assert made.style_encoder.name == "musiccoca-synthetic+mapper"
    assert conditioning(made, "harp").style_codes[3:] == (-1,) * 9
    made.engine.close()


def test_an_accelerator_has_as_many_slots_as_its_memory_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segue_engine.batch.platform.prepare", lambda device, cache, choice: "gpu")
    made = assemble(NAME, None, "auto", models_dir=folder)
    assert made.info.slots == 64 * made.info.devices
    assert str(made.engine._model.params.language.tokens.dtype) == "bfloat16"  # type: ignore[attr-defined]
    made.engine.close()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def refused(folder: Path) -> str:
    with pytest.raises(CheckpointFileError) as failure:
        assemble(NAME, 1, "cpu", models_dir=folder)
    return str(failure.value)


def test_what_is_not_there_is_named(copy: Path, folder: Path) -> None:
    (copy / NAME / QUANTISER).unlink()
    said = refused(copy)
    assert f"missing: {QUANTISER}\n" in said
    assert "plays through the codec that is published with Magenta RT 2" in said
    assert "segue models synthesise" in said
    shutil.rmtree(copy / NAME / "checkpoints" / NAME)
    assert f"missing: checkpoints/{NAME}, {QUANTISER}\n" in refused(copy)
    with pytest.raises(CheckpointFileError, match="segue models download mrt1_large"):
        assemble("magenta-rt-1-large", 1, "cpu", models_dir=folder)


def test_what_is_damaged_is_named(copy: Path) -> None:
    lost = copy / NAME / "checkpoints" / NAME / "target.encoder.layers_1.mlp.wo.kernel"
    chunk = lost / "0.0"
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 64
    chunk.write_bytes(data)
    assert "of encoder/layers_1/mlp/wo/kernel" in refused(copy)
    chunk.unlink()
    said = refused(copy)
    assert "damaged or partial" in said
    assert "encoder/layers_1/mlp/wo/kernel [40, 24]: expected one chunk file" in said
