# SPDX-License-Identifier: Apache-2.0
"""Headers: what is read is what the format's own library reads, and no broken file gets past."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save, save_file

from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.header import MAX_HEADER, read_header, write_header
from segue_engine.checkpoints.reader import open_checkpoint

RNG = np.random.default_rng(3)
TENSORS = {
    "params/a": RNG.standard_normal((3, 5)).astype(np.float32),
    "params/b": RNG.standard_normal((4,)).astype(ml_dtypes.bfloat16),
    "params/c": RNG.standard_normal((2, 2, 2)).astype(np.float16),
    "params/d": np.arange(6, dtype=np.int32),
    "params/e": np.zeros((0, 7), np.float32),
}
FILE = save(TENSORS, metadata={"made by": "a test"})
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def put(folder: Path, data: bytes) -> Path:
    path = folder / "x.safetensors"
    path.write_bytes(data)
    return path


def with_header(document: object, data: bytes = b"") -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_what_is_read_is_what_the_library_reads(tmp_path: Path) -> None:
    path = put(tmp_path, FILE)
    checkpoint = open_checkpoint(path)
    assert set(checkpoint) == set(TENSORS)
    assert dict(checkpoint.metadata) == {"made by": "a test"}
    with safe_open(path, framework="numpy") as expected:
        for key in expected.keys():  # noqa: SIM118
            assert checkpoint[key].dtype == expected.get_tensor(key).dtype
            assert checkpoint[key].shape == expected.get_tensor(key).shape
            assert checkpoint[key].tobytes() == expected.get_tensor(key).tobytes()


def test_tensors_are_views_of_the_mapped_file_and_can_not_be_written(tmp_path: Path) -> None:
    tensor = open_checkpoint(put(tmp_path, FILE))["params/a"]
    assert not tensor.flags.writeable
    assert not tensor.flags.owndata


def test_what_is_written_the_library_reads(tmp_path: Path) -> None:
    shapes = {"b/x": (3, 4), "a": (7,), "c": (0,)}
    file = io.BytesIO()
    size = write_header(file, shapes, "BF16", {"k": "v"})
    assert (size, file.tell() % 8) == (2 * 19, 0)
    numbers = np.arange(19).astype(ml_dtypes.bfloat16)
    with safe_open(put(tmp_path, file.getvalue() + numbers.tobytes()), framework="numpy") as found:
        assert {key: tuple(found.get_slice(key).get_shape()) for key in shapes} == shapes
        assert np.array_equal(found.get_tensor("b/x").reshape(-1), numbers[:12])


def test_a_file_cut_anywhere_is_said_to_be_truncated(tmp_path: Path) -> None:
    for length in range(len(FILE)):
        path = put(tmp_path, FILE[:length])
        with pytest.raises(CheckpointFileError, match="truncated") as failure:
            read_header(path)
        assert str(path) in str(failure.value)


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (FILE + b"x", "damaged: expected"),
        (struct.pack("<Q", MAX_HEADER + 1) + b"{}", "claims a header of"),
        (struct.pack("<Q", 2**63) + b"{}", "claims a header of"),
        (with_header(b"{"), "not JSON"),
        (with_header(b"\xff\xfe"), "not JSON"),
        (with_header(b"[" * 100_000), "not JSON"),
        (with_header([]), "expected an object"),
        (with_header({}), "no tensors"),
        (with_header({"a": ONE | {"more": 1}}, bytes(8)), "expected dtype, shape and data_offsets"),
        (with_header({"a": ONE | {"dtype": "F8"}}, bytes(8)), "a: unknown dtype 'F8'"),
        (with_header({"a": ONE | {"shape": [-2]}}, bytes(8)), "a: not a shape"),
        (with_header({"a": ONE | {"shape": [2.0]}}, bytes(8)), "a: not a shape"),
        (with_header({"a": ONE | {"shape": [True, 2]}}, bytes(8)), "a: not a shape"),
        (with_header({"a": ONE | {"shape": [1] * 40}}, bytes(8)), "a: not a shape"),
        (with_header({"a": ONE | {"data_offsets": [8, 0]}}, bytes(8)), "a: not a byte range"),
        (with_header({"a": ONE | {"data_offsets": [0, 9]}}, bytes(9)), "needs 8 bytes, its range has 9"),
        (with_header({"a": ONE | {"shape": [2**40, 2**40]}}, bytes(8)), "its range has 8"),
        (with_header({"a": ONE, "b": ONE}, bytes(8)), "overlap"),
        (with_header({"a": ONE, "b": ONE | {"data_offsets": [16, 24]}}, bytes(24)), "are nobody's"),
        (with_header({"a": ONE, "__metadata__": {"x": 1}}, bytes(8)), "expected strings"),
        (with_header(b'{"a": 1, "a": 2}'), "a key appears twice"),
    ],
)
def test_a_broken_header_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = put(tmp_path, content)
    with pytest.raises(CheckpointFileError) as failure:
        open_checkpoint(path)
    assert said in str(failure.value)
    assert str(path) in str(failure.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointFileError, match="no such file"):
        open_checkpoint(tmp_path / "absent.safetensors")
    (tmp_path / "absent").mkdir()
    with pytest.raises(CheckpointFileError, match="absent"):
        open_checkpoint(tmp_path / "absent")


@RELAXED
@given(st.integers(0, len(FILE) - 1), st.binary(min_size=1, max_size=12))
def test_bytes_written_over_a_file_give_a_checkpoint_or_a_clear_error(tmp_path: Path, at: int, over: bytes) -> None:
    broken = (FILE[:at] + over + FILE[at + len(over) :])[: len(FILE)]
    with contextlib.suppress(CheckpointFileError):
        checkpoint = open_checkpoint(put(tmp_path, broken))
        assert sum(checkpoint[key].nbytes for key in checkpoint) == checkpoint.header.data_bytes


@RELAXED
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["F32", "dtype", "shape"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["a", "dtype", "shape", "data_offsets", "__metadata__"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    st.binary(max_size=16),
)
def test_no_json_gives_anything_but_a_checkpoint_or_a_clear_error(tmp_path: Path, document: Any, data: bytes) -> None:
    with contextlib.suppress(CheckpointFileError):
        open_checkpoint(put(tmp_path, with_header(document, data)))


@RELAXED
@given(st.lists(st.tuples(st.sampled_from("fgh"), st.lists(st.integers(0, 3), max_size=3)), max_size=5))
def test_any_file_of_the_library_is_read(tmp_path: Path, drawn: list[tuple[str, list[int]]]) -> None:
    kinds = {"f": np.float32, "g": ml_dtypes.bfloat16, "h": np.float16}
    tensors = {f"{i}": np.ones(shape, kinds[kind]) for i, (kind, shape) in enumerate(drawn)}
    path = tmp_path / "x.safetensors"
    save_file(tensors, path)
    if tensors:
        checkpoint = open_checkpoint(path)
        assert all(np.array_equal(checkpoint[key], tensor) for key, tensor in tensors.items())
