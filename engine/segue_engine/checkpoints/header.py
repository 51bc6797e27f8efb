# SPDX-License-Identifier: Apache-2.0
"""The header of a safetensors file: read before anything else is believed, and written when a file is streamed.

A file is an 8-byte little-endian header length, that many bytes of JSON (name → dtype, shape, byte range in the data;
`__metadata__` maps strings to strings), then the data, which the ranges must cover without a gap.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import ml_dtypes
import numpy as np

from segue_engine.checkpoints.errors import CheckpointFileError, bounded

DTYPES: Final[Mapping[str, np.dtype[Any]]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
FLOATING: Final = frozenset({"F32", "F16", "BF16"})
"""What weights may be stored as; they are cast while loading."""
METADATA: Final = "__metadata__"
MAX_HEADER: Final = 16_000_000
"""Of bytes; the largest published header has about 100,000."""
MAX_RANK: Final = 8


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor: safetensors dtype name, shape, and its bytes [begin, end) in the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """A header that agrees with the size of its file. data_offset: where the data begins in the file."""

    tensors: Mapping[str, TensorEntry]
    metadata: Mapping[str, str]
    data_offset: int

    @property
    def data_bytes(self) -> int:
        return max((entry.end for entry in self.tensors.values()), default=0)

    @property
    def parameters(self) -> int:
        return sum(math.prod(entry.shape) for entry in self.tensors.values())

    @property
    def dtypes(self) -> tuple[str, ...]:
        return tuple(sorted({entry.dtype for entry in self.tensors.values()}))


def read_header(path: Path) -> Header:
    """Reads and checks the header against the file's size; no tensor is touched. Raises CheckpointFileError."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            return _parse(path, file, size)
    except FileNotFoundError:
        raise CheckpointFileError(f"{path}: no such file") from None
    except OSError as error:
        raise CheckpointFileError(f"{path}: {error.strerror or error}") from None


def write_header(file: BinaryIO, shapes: Mapping[str, tuple[int, ...]], dtype: str, metadata: Mapping[str, str]) -> int:
    """Writes a header for tensors of one dtype whose data follows in the mapping's order; gives the data's size."""
    item, at = DTYPES[dtype].itemsize, 0
    document: dict[str, Any] = {METADATA: dict(metadata)}
    for name, shape in shapes.items():
        end = at + item * math.prod(shape)
        document[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the data is aligned
    file.write(struct.pack("<Q", len(text)))
    file.write(text)
    return at


def _parse(path: Path, file: BinaryIO, size: int) -> Header:
    if size < 8:
        raise CheckpointFileError(f"{path}: truncated: {size} bytes are too few for a safetensors file")
    (length,) = struct.unpack("<Q", file.read(8))
    if length > MAX_HEADER:
        raise CheckpointFileError(f"{path}: not a safetensors file: it claims a header of {length} bytes")
    if 8 + length > size:
        raise CheckpointFileError(f"{path}: truncated: the header needs {8 + length} bytes, the file has {size}")
    try:
        document = json.loads(file.read(length), object_pairs_hook=_unique)
        if not isinstance(document, dict):
            raise ValueError("expected an object")
    except (ValueError, RecursionError) as error:
        raise CheckpointFileError(f"{path}: damaged header: not JSON ({_short(error)})") from None
    try:
        metadata = _metadata(document.pop(METADATA, {}))
        tensors = {name: _entry(name, value) for name, value in document.items()}
    except ValueError as error:
        raise CheckpointFileError(f"{path}: damaged header: {_short(error)}") from None
    header = Header(tensors, metadata, 8 + length)
    _check_ranges(path, header, size)
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _metadata(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError(f"{METADATA}: expected strings")
    return value


def _entry(name: str, value: object) -> TensorEntry:
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name}: expected dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name}: unknown dtype {dtype!r}")
    if not _counts(shape) or len(shape) > MAX_RANK:
        raise ValueError(f"{name}: not a shape: {shape!r}")
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"{name}: not a byte range: {offsets!r}")
    needed = DTYPES[dtype].itemsize * math.prod(shape)
    if offsets[1] - offsets[0] != needed:
        raise ValueError(f"{name}: {dtype} {shape} needs {needed} bytes, its range has {offsets[1] - offsets[0]}")
    return TensorEntry(dtype, tuple(shape), offsets[0], offsets[1])


def _counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 2**48 for item in value)


def _check_ranges(path: Path, header: Header, size: int) -> None:
    if not header.tensors:
        raise CheckpointFileError(f"{path}: no tensors in it")
    at = 0
    for name, entry in sorted(header.tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != at:
            raise CheckpointFileError(
                f"{path}: damaged header: {name}: bytes {at}..{entry.begin} overlap or are nobody's"
            )
        at = entry.end
    expected = header.data_offset + at
    if size < expected:
        late = sorted(name for name, entry in header.tensors.items() if header.data_offset + entry.end > size)
        cut = ", ".join(bounded(late, 3))
        raise CheckpointFileError(f"{path}: truncated: expected {expected} bytes, got {size}; cut off: {cut}")
    if size > expected:
        raise CheckpointFileError(f"{path}: damaged: expected {expected} bytes, got {size}")


def _short(error: BaseException) -> str:
    text = str(error)
    return text if len(text) <= 300 else text[:300] + "…"
