# SPDX-License-Identifier: Apache-2.0
"""Writes parameters as a T5X checkpoint folder, such as `t5x.open_t5x` and TensorStore read: for synthetic weights.

The optimiser's state is left out, which inference has no use for; the published trainer would want it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.t5x import INDEX, NDARRAY
from segue_engine.checkpoints.t5x_array import BFLOAT16, ZARRAY
from segue_engine.checkpoints.t5x_files import safe

CHUNK_BYTES: Final = 64 << 20
COMPRESSOR: Final[Mapping[str, Any]] = {"id": "gzip", "level": 1}
_DTYPES: Final = {np.dtype(np.float32): "<f4", np.dtype(np.float16): "<f2", BFLOAT16: "bfloat16"}


def write_t5x(
    folder: Path,
    tensors: Iterable[tuple[str, NDArray[Any]]],
    *,
    marks: Mapping[str, str] | None = None,
    step: int = 0,
    chunk_bytes: int = CHUNK_BYTES,
) -> int:
    """Write (`/`-joined name, float array) pairs, one in memory at a time, whole or not at all; gives bytes of data.

    marks: words that go into the index beside T5X's own. Raises CheckpointFileError: the folder exists, a name or a
    type can't be stored, the disk is full.
    """
    if folder.exists():
        raise CheckpointFileError(f"{folder}: exists already and is left alone")
    partial = folder.with_name(folder.name + ".partial")
    target: dict[str, Any] = {}
    written = 0
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for key, array in tensors:
            leaf = _insert(target, key)
            leaf |= _write_array(partial, key, array, chunk_bytes)
            written += array.nbytes
        state = {"step": msgpack.ExtType(NDARRAY, msgpack.packb(((), "int32", np.int32(step).tobytes())))}
        index = {"version": 3, "optimizer": {"target": target, "state": state}, **(marks or {})}
        (partial / INDEX).write_bytes(msgpack.packb(index))
        os.replace(partial, folder)
    except OSError as error:
        raise CheckpointFileError(f"{folder}: {(error.strerror or str(error)).lower()}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return written


def chunk_shape(shape: tuple[int, ...], itemsize: int, limit: int = CHUNK_BYTES) -> tuple[int, ...]:
    """As T5X: the largest dimension is divided, by ever larger divisors of it, until a chunk is small enough."""
    chunk = list(shape)
    while itemsize * math.prod(chunk) > limit and max(chunk, default=1) > 1:
        axis = chunk.index(max(chunk))
        parts = next(n for n in range(2, chunk[axis] + 1) if chunk[axis] % n == 0)
        chunk[axis] //= parts
    return tuple(chunk)


def _write_array(folder: Path, key: str, array: NDArray[Any], chunk_bytes: int) -> dict[str, Any]:
    """Writes a zarr folder; gives its description for the index."""
    dtype = _DTYPES.get(array.dtype)
    name = "target." + key.replace("/", ".")
    if dtype is None or not array.size:
        raise CheckpointFileError(f"{key}: expected float32, float16 or bfloat16 numbers, got {array.dtype}")
    if not safe(name):
        raise CheckpointFileError(f"{key}: not a parameter's name")
    chunks = chunk_shape(array.shape, array.dtype.itemsize, chunk_bytes)
    place = folder / name
    place.mkdir()
    document = {
        "chunks": list(chunks),
        "compressor": dict(COMPRESSOR),
        "dimension_separator": ".",
        "dtype": dtype,
        "fill_value": None,
        "filters": None,
        "order": "C",
        "shape": list(array.shape),
        "zarr_format": 2,
    }
    (place / ZARRAY).write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    counts = [size // chunk for size, chunk in zip(array.shape, chunks, strict=True)]
    for index in itertools.product(*(range(count) for count in counts)):
        inside = tuple(slice(i * size, (i + 1) * size) for i, size in zip(index, chunks, strict=True))
        packer = zlib.compressobj(level=COMPRESSOR["level"], wbits=31)
        data = packer.compress(np.ascontiguousarray(array[inside]).tobytes()) + packer.flush()
        (place / (".".join(map(str, index)) or "0")).write_bytes(data)
    return {
        "driver": "zarr",
        "dtype": array.dtype.name,
        "kvstore": {"driver": "file", "path": f"{name}/"},
        "metadata": {"chunks": list(chunks), "compressor": dict(COMPRESSOR), "shape": list(array.shape)},
    }


def _insert(tree: dict[str, Any], key: str) -> dict[str, Any]:
    """The empty place of a new parameter in the index."""
    *path, last = key.split("/")
    for name in path:
        tree = tree.setdefault(name, {})
    if last in tree or "driver" in tree:
        raise CheckpointFileError(f"{key}: there are two parameters of this name")
    leaf: dict[str, Any] = {}
    tree[last] = leaf
    return leaf
