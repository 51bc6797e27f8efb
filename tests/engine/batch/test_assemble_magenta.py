# SPDX-License-Identifier: Apache-2.0
"""A Magenta RT 2 from files on disk, put together as `segue serve` does it: styles, engine, codec and recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from assembled import conditioning, play, warmed_up, write_noise_model

from segue_engine.assemble import AssembleError, Assembly, assemble, models
from segue_engine.assemble_magenta import MagentaOptions
from segue_engine.checkpoints import CheckpointFileError

NAME = "mrt2_tiny_noise"
FRAMES = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_noise_model("tiny", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def assembly(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    options = MagentaOptions(style_levels=6)
    with warmed_up(NAME, 2, folder, tmp_path_factory.mktemp("programs"), options) as made:
        yield made


def test_it_names_what_it_is_made_of(assembly: Assembly, folder: Path) -> None:
    info = assembly.info
    assert NAME in models(folder)
    assert info.model == NAME
    assert info.version.startswith(f"{NAME}+")
    assert "spectrostream" in info.version
    assert (info.slots, info.codec_delay_frames, info.device.split(":")[0]) == (2, 1, "cpu")
    assert info.capabilities.notes
    assert not info.capabilities.clock
    assert assembly.style_encoder.name == "musiccoca-synthetic+mapper"
    assert conditioning(assembly, "harp").style_codes[6:] == (-1,) * 6, "only as many style levels as asked for"


def test_sessions_are_steered_each_on_its_own(assembly: Assembly) -> None:
    engine = assembly.engine
    calm, fight = conditioning(assembly, "calm harp"), conditioning(assembly, "war drums")
    assert calm != fight
    alone = engine.insert(7, calm)
    other = engine.insert(8, calm)
    quiet = play(assembly, [alone, other], FRAMES)
    for slot in (alone, other):
        engine.release(slot)
    again, steered = engine.insert(7, calm), engine.insert(8, calm)
    engine.steer(steered, [(2, fight)])
    beside = play(assembly, [again, steered], FRAMES)
    for slot in (again, steered):
        engine.release(slot)
    assert np.array_equal(beside[again], quiet[alone]), "the neighbour's style is not heard"
    assert np.array_equal(beside[steered][: 2 * 1920], quiet[other][: 2 * 1920])
    assert not np.array_equal(beside[steered], quiet[other])
    assert quiet[alone].any()


def test_a_session_goes_on_from_a_recording(assembly: Assembly) -> None:
    engine = assembly.engine
    assert engine.tokenizer is not None
    wave = np.random.default_rng(0).normal(0, 0.1, (2 * 48_000, 2)).astype(np.float32)
    codes = np.concatenate(list(engine.tokenizer.pieces(wave)))
    assert codes.shape == (25, assembly.info.levels), "the first second has no past to be encoded with"
    calm = conditioning(assembly, "calm harp")
    plain, later = engine.insert(7, calm), engine.insert(7, calm, codes)
    heard = play(assembly, [plain, later], FRAMES)
    for slot in (plain, later):
        engine.release(slot)
    assert not np.array_equal(heard[plain], heard[later])
    assert np.abs(heard[later][:1920]).max() > 0, "the codec is in the middle of the recording, not at its start"


def test_what_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(AssembleError, match="mrt2_small"):
        assemble("mrt3", models_dir=folder)
    with pytest.raises(CheckpointFileError, match="segue models download mrt2_small"):
        assemble("magenta-rt-2-small", 1, "cpu", models_dir=folder)
    auto = assemble("auto", 1, "cpu", models_dir=folder)
    assert auto.info.model == "starter"
    assert "slower than real time" in auto.reason
    auto.engine.close()
