# SPDX-License-Identifier: Apache-2.0
"""Synthesised Magenta RT 1: the published layout, fitting sizes of numbers, the same bytes again, noise by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from smallest import SMALLEST_1

from segue_engine.checkpoints import noise_files
from segue_engine.checkpoints.catalogue import DECODER, ENCODER, QUANTISER
from segue_engine.checkpoints.check import check_model
from segue_engine.checkpoints.description import Description, read_description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.layout import checkpoint_shapes
from segue_engine.checkpoints.located import Located, locate
from segue_engine.checkpoints.noise_files import write_t5x_noise
from segue_engine.checkpoints.noise_weights import first_version_scale
from segue_engine.checkpoints.reader import open_checkpoint
from segue_engine.checkpoints.synthesise import description_of, synthesise
from segue_engine.checkpoints.t5x import open_t5x
from segue_engine.checkpoints.t5x_write import write_t5x

VECTORS = Path(__file__).parents[2] / "vectors" / "mrt1"
SHAPES = {"a/query/kernel": (40, 32), "a/scale": (50,)}


def quiet(label: str, total: int, done: int) -> Callable[[int], None]:
    return lambda count: None


def written(folder: Path, seed: int = 0, dtype: str = "float32") -> str:
    write_t5x_noise(folder, SHAPES, first_version_scale(16), seed, dtype, quiet)
    return open_t5x(folder).fingerprint()


def test_names_and_sizes() -> None:
    large = description_of("magenta-rt-1-large")
    assert (large.name, large.family, large.preset) == ("mrt1_large_noise", "mrt1", "mrt1_large")
    tiny = checkpoint_shapes(description_of("mrt1_tiny"))
    assert tiny["token_embedder/embedding"][0] == checkpoint_shapes(large)["token_embedder/embedding"][0] == 29_824
    assert sum(int(np.prod(shape)) for shape in tiny.values()) < 3e6
    assert description_of(str(VECTORS / "config_A.json")).family == "mrt1"


def test_everything_says_that_it_is_noise(smallest_1: Located) -> None:
    assert smallest_1.checkpoint is not None
    assert open_t5x(smallest_1.checkpoint).synthetic
    for path in (DECODER, QUANTISER, ENCODER):
        assert open_checkpoint(smallest_1.root / path).synthetic
    path = smallest_1.checkpoint.parent / "mrt1_smallest_noise.segue-config.json"
    assert read_description(path) == smallest_1.description == description_of(str(path))
    assert "whatever\nthey play is noise" in (smallest_1.root / "NOISE.txt").read_text()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_same_seed_gives_the_same_numbers_in_every_type(tmp_path: Path, dtype: str) -> None:
    first, again, other = (written(tmp_path / name, seed, dtype) for name, seed in (("1", 3), ("2", 3), ("3", 4)))
    assert first == again != other
    assert str(open_t5x(tmp_path / "1")["a/query/kernel"].dtype) == dtype


@pytest.mark.parametrize(
    ("key", "shape", "expected"),
    [
        ("token_embedder/embedding", (100, 64), (0.0, 1.0)),
        ("encoder/layers_0/attention/key/kernel", (64, 32), (0.0, 1 / 8)),
        ("encoder/layers_0/attention/query/kernel", (64, 32), (0.0, 1 / 32)),
        ("decoder/decoder/temporal_decoder/layers_0/mlp/wo/kernel", (256, 64), (0.0, 1 / 16)),
        ("decoder/decoder/temporal_decoder/relpos_bias/rel_embedding", (2, 126), (0.0, 1 / 8)),
        ("decoder/decoder_norm/scale", (64,), (1.0, 0.05)),
    ],
)
def test_scales_by_key(key: str, shape: tuple[int, ...], expected: tuple[float, float]) -> None:
    assert first_version_scale(16)(key, shape) == pytest.approx(expected)


def test_numbers_have_their_scale(tmp_path: Path) -> None:
    written(tmp_path / "x")
    found = open_t5x(tmp_path / "x")
    assert np.asarray(found["a/query/kernel"]).std() == pytest.approx(1 / np.sqrt(40 * 16), rel=0.1)
    assert np.asarray(found["a/scale"]).mean() == pytest.approx(1, abs=0.05)


def test_what_may_be_real_is_not_written_over_and_broken_noise_is(models_1: Path, smallest_1: Located) -> None:
    description, checkpoint = smallest_1.description, smallest_1.checkpoint
    assert description is not None
    assert checkpoint is not None
    (checkpoint / "target.encoder.encoder_norm.scale" / "0").unlink()
    synthesise(description, models_1, quiet, seed=7)
    assert not [f for f in check_model(locate(description.name, models_1), quiet) if f.wrong]
    tensors = {key: np.asarray(array) for key, array in open_t5x(checkpoint).items()}
    checkpoint.rename(models_1 / "aside")
    write_t5x(checkpoint, tensors.items())
    with pytest.raises(CheckpointFileError, match="is not noise and is left alone"):
        synthesise(description, models_1, quiet)
    assert open_t5x(checkpoint).keys() == tensors.keys()


def test_an_interruption_leaves_no_half_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(*given: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(noise_files, "random_tensor", stops)
    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "x")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_config_that_lacks_a_size_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFileError, match=r"missing keys \['rvq_total'"):
        synthesise(description_of(str(VECTORS / "config_A.json")), tmp_path / "out", quiet)
    lacking = {key: value for key, value in SMALLEST_1.items() if key != "depth_layers"}
    with pytest.raises(CheckpointFileError, match=r"missing keys \['depth_layers'"):
        synthesise(Description("x_noise", True, config=lacking, family="mrt1"), tmp_path / "out", quiet)
    assert not (tmp_path / "out").exists()
