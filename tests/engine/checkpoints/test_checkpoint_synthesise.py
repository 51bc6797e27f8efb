# SPDX-License-Identifier: Apache-2.0
"""Synthesised models: the published layout, sane sizes of numbers, the same bytes again, and noise by every name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open

from segue_engine.checkpoints import noise_files as module
from segue_engine.checkpoints import noise_weights
from segue_engine.checkpoints.catalogue import ENCODER
from segue_engine.checkpoints.description import Description, read_description
from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.layout import checkpoint_shapes, encoder_shapes
from segue_engine.checkpoints.located import Located
from segue_engine.checkpoints.noise_files import write_noise
from segue_engine.checkpoints.noise_weights import random_tensor, scale_of
from segue_engine.checkpoints.reader import open_checkpoint
from segue_engine.checkpoints.synthesise import description_of, synthesise

VECTORS = Path(__file__).parents[2] / "vectors" / "mrt2"


def quiet(label: str, total: int, done: int) -> Callable[[int], None]:
    return lambda count: None


def published(file: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(shape) for key, shape in json.loads((VECTORS / file).read_text()).items()}


@pytest.mark.parametrize("size", ["small", "base"])
def test_full_sizes_have_every_published_key(size: str) -> None:
    description = description_of(f"magenta-rt-2-{size}")
    assert description.name == f"mrt2_{size}_noise"
    assert checkpoint_shapes(description) == published(f"full_keys_{size}.json")
    encoder = {key: shape for key, shape in published("full_codec_keys.json").items() if "/encoder/" in key}
    assert encoder_shapes(description) == encoder


def test_a_config_of_a_vector_set_gives_its_keys() -> None:
    description = description_of(str(VECTORS / "meta.json"))
    assert description.name == "meta_noise"
    assert checkpoint_shapes(description) == published("tiny_keys.json")


def test_a_description_can_be_synthesised_again(smallest: Located) -> None:
    assert smallest.checkpoint is not None
    path = smallest.checkpoint.parent / "mrt2_smallest_noise.segue-config.json"
    assert description_of(str(path)) == smallest.description


def test_tiny_has_the_codes_of_the_published_sizes() -> None:
    shapes, full = checkpoint_shapes(description_of("tiny")), published("full_keys_small.json")
    tokens = "params/depthformer/decoder/decoder_embedding/embedding/embedding"
    assert shapes[tokens][0] == full[tokens][0]
    assert sum(int(np.prod(shape)) for shape in shapes.values()) < 3e6


def test_everything_says_that_it_is_noise(smallest: Located) -> None:
    assert smallest.checkpoint is not None
    assert "noise" in smallest.root.name
    assert "noise" in smallest.checkpoint.name
    assert "whatever\nthey play is noise" in (smallest.root / "NOISE.txt").read_text()
    assert read_description(smallest.checkpoint.parent / "mrt2_smallest_noise.segue-config.json").synthetic
    for path in (smallest.checkpoint, smallest.root / ENCODER):
        assert open_checkpoint(path).synthetic
        with safe_open(path, framework="numpy") as file:
            assert file.metadata()["segue"] == "synthetic noise"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_same_seed_gives_the_same_bytes_in_every_type(tmp_path: Path, dtype: str) -> None:
    shapes = {"params/a/kernel": (30, 20), "params/b/scale": (7,)}
    stored = module.STORED[dtype]
    first, again, other = (
        write_noise(tmp_path / name, shapes, seed, stored, quiet) for name, seed in (("1", 3), ("2", 3), ("3", 4))
    )
    assert first == again != other
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert str(open_checkpoint(tmp_path / "1")["params/a/kernel"].dtype) == dtype


def test_a_tensor_does_not_depend_on_the_pieces_it_is_drawn_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> NDArray[np.float32]:
        return np.concatenate(list(random_tensor("params/x/kernel", (37, 11), 5)))

    whole = drawn()
    monkeypatch.setattr(noise_weights, "CHUNK", 50)
    assert np.array_equal(drawn(), whole)


@pytest.mark.parametrize(
    ("key", "shape", "expected"),
    [
        ("params/depthformer/x/pre_norm/scale", (8,), (1.0, 0.05)),
        ("params/depthformer/x/ffn_layer1/kernel", (64, 256), (0.0, 1 / 8)),
        ("params/depthformer/x/query_projection/kernel", (64, 2, 8), (0.0, 1 / 8)),
        ("params/depthformer/x/output_projection/kernel", (64, 2, 8), (0.0, 1 / 4)),
        ("params/depthformer/x/sink_key_embeddings", (1, 2, 16), (0.0, 1 / 4)),
        ("params/depthformer/decoder/decoder_embedding/embedding/embedding", (100, 64), (0.0, 1 / 8)),
        ("params/soundstream/decoder/decoder_1/conv2d_3x3/conv/kernel", (3, 3, 4, 9), (0.0, 1 / 6)),
        ("params/soundstream/decoder/output_layer/base_conv_last/conv/kernel", (2, 2, 4, 2), (0.0, 1.0)),
    ],
)
def test_scales_by_key(key: str, shape: tuple[int, ...], expected: tuple[float, float]) -> None:
    assert scale_of(key, shape) == pytest.approx(expected)


def test_an_interruption_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(key: str, shape: tuple[int, ...], seed: int) -> Iterator[NDArray[np.float32]]:
        yield np.zeros(3, np.float32)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "random_tensor", stops)
    with pytest.raises(KeyboardInterrupt):
        write_noise(tmp_path / "x", {"a": (9,)}, 0, "F32", quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_weights_that_may_be_real_are_not_written_over(models: Path, smallest: Located) -> None:
    assert smallest.checkpoint is not None
    write_like_real = smallest.checkpoint.read_bytes().replace(b"synthetic noise", b"somebody's work")
    smallest.checkpoint.write_bytes(write_like_real)
    with pytest.raises(CheckpointFileError, match="is not noise and is left alone"):
        synthesise(Description(smallest.name, synthetic=True, config=smallest.description.config), models, quiet)  # type: ignore[union-attr]
    assert smallest.checkpoint.read_bytes() == write_like_real


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mrt2_large", "expected mrt2_small, .*, tiny, mrt1_tiny or"),
        ("absent.json", "no such file"),
        ("a b.json", "its name"),
    ],
)
def test_what_is_no_config_is_named(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "a b.json").write_text("{}")
    where = str(tmp_path / name) if name.endswith(".json") else name
    with pytest.raises(CheckpointFileError, match=said):
        description_of(where)


def test_a_config_with_a_wrong_key_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"enc_dim": 3}))
    with pytest.raises(CheckpointFileError, match="missing keys"):
        synthesise(description_of(str(path)), tmp_path / "out", quiet)
    with pytest.raises(CheckpointFileError, match="dtype: expected one of"):
        synthesise(description_of("tiny"), tmp_path / "out", quiet, dtype="int8")
    assert not (tmp_path / "out").exists()
