# SPDX-License-Identifier: Apache-2.0
"""T5X checkpoints: a genuine one, folder and archive; what we write, read by us and by TensorStore."""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path
from typing import Any

import ml_dtypes
import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file

from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.reader import NOISE_KEY, NOISE_VALUE
from segue_engine.checkpoints.t5x import is_t5x, open_t5x
from segue_engine.checkpoints.t5x_array import StoredArray
from segue_engine.checkpoints.t5x_write import chunk_shape, write_t5x
from segue_engine.models.magenta_rt_1 import config_of_vectors, load_params, published_shapes

VECTORS = Path(__file__).parents[2] / "vectors" / "mrt1"
ARCHIVE = VECTORS / "t5x_checkpoint_A.tar.gz"
BIAS = "decoder/decoder/temporal_decoder/relpos_bias/rel_embedding"

Tensors = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def golden() -> Tensors:
    return load_file(VECTORS / "weights_A.safetensors")


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published trainer's own folder, unpacked."""
    folder = tmp_path_factory.mktemp("t5x") / "llm_tiny"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def equal(path: Path, tensors: Tensors) -> None:
    checkpoint = open_t5x(path)
    assert set(checkpoint) == set(tensors)
    for key, tensor in tensors.items():
        stored = checkpoint[key]
        assert (tuple(stored.shape), stored.dtype) == (tensor.shape, tensor.dtype)
        read = np.asarray(stored)
        assert read.dtype == tensor.dtype
        np.testing.assert_array_equal(read, tensor, err_msg=key)


def test_a_genuine_checkpoint_is_read_bit_for_bit(genuine: Path, golden: Tensors) -> None:
    equal(genuine, golden)
    assert not open_t5x(genuine).synthetic
    assert open_t5x(genuine).parameters == sum(tensor.size for tensor in golden.values())


def test_it_loads_into_the_model(genuine: Path, golden: Tensors) -> None:
    config = config_of_vectors(json.loads((VECTORS / "config_A.json").read_text()))
    checkpoint = open_t5x(genuine)
    assert checkpoint.check(published_shapes(config), "it") == ()
    params = load_params(config, checkpoint.only(published_shapes(config)))
    np.testing.assert_array_equal(params.tokens, golden["token_embedder/embedding"])


def test_archives_are_read_in_place(genuine: Path, golden: Tensors, tmp_path: Path) -> None:
    equal(ARCHIVE, golden)
    for name, inside in (("flat.tar", ""), ("nested.tar", "llm_tiny_c1k"), ("state.tgz", "llm_tiny_c1k/state")):
        path = tmp_path / name
        with tarfile.open(path, "w:gz" if name.endswith("tgz") else "w") as archive:
            archive.add(genuine, inside or ".")
        equal(path, golden)
        assert is_t5x(path)


def test_everything_may_lie_in_a_folder_called_state(genuine: Path, golden: Tensors, tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "state").symlink_to(genuine)
    equal(tmp_path / "it", golden)
    assert is_t5x(tmp_path / "it")
    assert not is_t5x(tmp_path)


@pytest.mark.parametrize("place", ["gcs", "gfile", "outside"])
def test_descriptions_for_buckets_are_read_from_disk(golden: Tensors, tmp_path: Path, place: str) -> None:
    write_t5x(tmp_path / "it", golden.items())

    def moved(tree: dict[str, Any]) -> None:
        for value in tree.values():
            if "kvstore" not in value:
                moved(value)
            elif place == "outside":
                value["path"] = value["kvstore"].pop("path")
            else:
                value["kvstore"] |= {"driver": place, "bucket": "t5x-dummy-bucket"}

    index = msgpack.unpackb((tmp_path / "it" / "checkpoint").read_bytes(), ext_hook=msgpack.ExtType)
    moved(index["optimizer"]["target"])
    (tmp_path / "it" / "checkpoint").write_bytes(msgpack.packb(index))
    equal(tmp_path / "it", golden)


def test_arrays_inside_of_the_index_are_parameters_too(golden: Tensors, tmp_path: Path) -> None:
    write_t5x(tmp_path / "it", golden.items())
    index = msgpack.unpackb((tmp_path / "it" / "checkpoint").read_bytes(), ext_hook=msgpack.ExtType)
    inner, half = index["optimizer"]["target"]["encoder"]["encoder_norm"], np.arange(32).astype(ml_dtypes.bfloat16)
    inner["scale"] = msgpack.ExtType(1, msgpack.packb(((32,), "bfloat16", half.tobytes())))
    (tmp_path / "it" / "checkpoint").write_bytes(msgpack.packb(index))
    equal(tmp_path / "it", golden | {"encoder/encoder_norm/scale": half})


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_is_written_is_read_back_in_chunks(golden: Tensors, tmp_path: Path, dtype: str) -> None:
    kind = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    tensors = {key: tensor.astype(kind) for key, tensor in golden.items()}
    written = write_t5x(tmp_path / "it", tensors.items(), marks={NOISE_KEY: NOISE_VALUE}, chunk_bytes=600)
    assert written == sum(tensor.nbytes for tensor in tensors.values())
    equal(tmp_path / "it", tensors)
    checkpoint = open_t5x(tmp_path / "it")
    assert checkpoint.synthetic
    table = checkpoint["token_embedder/embedding"]
    assert isinstance(table, StoredArray)
    assert len(list(table.chunk_files())) > 16
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["it"]


def test_tensorstore_reads_what_we_write(golden: Tensors, tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    write_t5x(tmp_path / "it", golden.items(), chunk_bytes=1000)
    for key in ("token_embedder/embedding", BIAS, "encoder/encoder_norm/scale"):
        spec = {
            "driver": "zarr",
            "fill_missing_data_reads": False,
            "kvstore": {"driver": "file", "path": str(tmp_path / "it" / f"target.{key.replace('/', '.')}")},
        }
        stored = tensorstore.open(spec, read=True, open=True).result()
        np.testing.assert_array_equal(stored.read().result(), golden[key])


def test_edges_of_a_grid_are_cut_as_tensorstore_writes_them(tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    array = np.random.default_rng(0).standard_normal((7, 11), np.float32)
    write_t5x(tmp_path / "it", [("a/b", array)])
    folder = tmp_path / "it" / "target.a.b"
    for path in folder.iterdir():
        path.unlink()
    spec = {
        "driver": "zarr",
        "kvstore": {"driver": "file", "path": str(folder)},
        "metadata": {"shape": [7, 11], "chunks": [3, 4], "dtype": "<f4", "compressor": {"id": "zlib", "level": 1}},
    }
    tensorstore.open(spec, create=True, open=True).result().write(array).result()
    equal(tmp_path / "it", {"a/b": array})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 200), max_size=3), st.integers(8, 4000))
def test_chunks_divide_an_array_and_are_small_enough(shape: list[int], limit: int) -> None:
    chunks = chunk_shape(tuple(shape), 4, limit)
    assert all(size % chunk == 0 for size, chunk in zip(shape, chunks, strict=True))
    assert 4 * math.prod(chunks) <= limit


def test_the_large_tables_are_written_in_two_chunks() -> None:
    assert chunk_shape((29_824, 1024), 4) == (14_912, 1024)
    assert chunk_shape((1024, 2816), 4) == (1024, 2816)


def test_a_fingerprint_is_of_the_numbers_and_not_of_the_place(golden: Tensors, tmp_path: Path) -> None:
    changed = {key: tensor.copy() for key, tensor in golden.items()}
    changed[BIAS][3, 7] += 1e-6
    for name, tensors in (("a", golden), ("b", golden), ("c", changed)):
        write_t5x(tmp_path / name, tensors.items())
    prints = [open_t5x(tmp_path / name).fingerprint() for name in "abc"]
    assert prints[0] == prints[1] != prints[2]
    assert open_t5x(ARCHIVE).fingerprint() == open_t5x(ARCHIVE).fingerprint()


def test_writing_is_whole_or_not_at_all(golden: Tensors, tmp_path: Path) -> None:
    write_t5x(tmp_path / "it", golden.items())
    with pytest.raises(CheckpointFileError, match="exists already"):
        write_t5x(tmp_path / "it", golden.items())
    for key, array, said in (
        ("a/b", np.zeros(3, np.int32), "a/b: expected float32, float16 or bfloat16 numbers, got int32"),
        ("a/b c", np.zeros(3, np.float32), "not a parameter's name"),
        ("token_embedder/embedding", np.zeros(3, np.float32), "two parameters of this name"),
    ):
        with pytest.raises(CheckpointFileError, match=said):
            write_t5x(tmp_path / "other", [*golden.items(), (key, array)])
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["it"]
