# SPDX-License-Identifier: Apache-2.0
"""One array of a T5X checkpoint: a zarr folder (version 2) of gzip chunks, read when somebody looks at its numbers.

A chunk that is not there is an error here, although zarr would read it as zeros: no weight of a model is a block of
zeros, and a download that broke off must not play.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

from segue_engine.checkpoints.errors import CheckpointFileError
from segue_engine.checkpoints.t5x_files import Files

ZARRAY: Final = ".zarray"
BFLOAT16: Final = np.dtype(ml_dtypes.bfloat16)
MAX_BYTES: Final = 1 << 33
"""Of one array; the largest published one has 122 MB."""
MAX_CHUNKS: Final = 10_000
MAX_RANK: Final = 8
_MAX_ZARRAY: Final = 100_000
_DTYPE: Final = re.compile(r"<[fiu][248]|\|[iub]1")
_WINDOW: Final = {"gzip": 31, "zlib": 15}
_SLACK: Final = 1 << 16
"""Bytes by which a chunk that gzip can't make smaller may grow; 5 in 16,384 is its most."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a .zarray says. window: zlib's name of the compression, None if there is none."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype[Any]
    window: int | None
    separator: str

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(-(-size // chunk) for size, chunk in zip(self.shape, self.chunks, strict=True))

    @property
    def chunk_bytes(self) -> int:
        return math.prod(self.chunks) * self.dtype.itemsize

    def places(self) -> Iterator[tuple[int, ...]]:
        return itertools.product(*(range(count) for count in self.grid))

    def file(self, place: tuple[int, ...]) -> str:
        return self.separator.join(str(index) for index in place) or "0"


class StoredArray:
    """A parameter on disk. `np.asarray(it)` reads it, each time anew; shape and type are known without. Any thread."""

    def __init__(self, files: Files, folder: str, key: str, layout: Layout) -> None:
        self.key = key
        self.folder = folder
        self.layout = layout
        self._files = files

    @property
    def shape(self) -> tuple[int, ...]:
        return self.layout.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.layout.dtype

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError(f"{self.key}: is on disk, so that reading it is a copy")
        found = self.read()
        return found if dtype is None else found.astype(dtype, copy=False)

    def read(self) -> NDArray[Any]:
        """All numbers. Raises CheckpointFileError naming array, file and what was expected."""
        layout = self.layout
        out = np.empty(layout.shape, layout.dtype)
        for place in layout.places():
            chunk = np.frombuffer(self._chunk(layout.file(place)), layout.dtype).reshape(layout.chunks)
            begins = [index * size for index, size in zip(place, layout.chunks, strict=True)]
            inside = tuple(slice(b, b + size) for b, size in zip(begins, layout.chunks, strict=True))
            kept = tuple(slice(0, whole - b) for b, whole in zip(begins, layout.shape, strict=True))
            out[inside] = chunk[kept]
        return out

    def chunk_files(self) -> Iterator[str]:
        """Names of the array's files but for .zarray."""
        for place in self.layout.places():
            yield f"{self.folder}/{self.layout.file(place)}"

    def problems(self) -> list[str]:
        """What can be seen to be wrong without reading a number; empty if nothing."""
        names = list(self.chunk_files())
        sizes = [self._files.size(name) for name in names]
        lost = [name for name, size in zip(names, sizes, strict=True) if not size]
        if lost:
            said = f"{len(names)} chunk files of {list(self.layout.chunks)}" if len(names) > 1 else "one chunk file"
            return [f"{self.key} {list(self.shape)}: expected {said}, missing or empty: {', '.join(lost[:3])}"]
        exact = self.layout.chunk_bytes
        if self.layout.window is None and any(size != exact for size in sizes):
            return [f"{self.key} {list(self.shape)}: expected chunk files of {exact} bytes"]
        return []

    def _chunk(self, file: str) -> bytes:
        layout, name = self.layout, f"{self.folder}/{file}"
        expected = layout.chunk_bytes
        stored = self._files.read(name, 2 * expected + _SLACK)
        try:
            data = stored if layout.window is None else _inflate(stored, layout.window, expected)
            if len(data) != expected:
                raise ValueError(f"it holds {len(data)}")
        except (ValueError, zlib.error) as error:
            where = f"{self._files.path}: {name}"
            what = f"expected {expected} bytes, {layout.dtype}{list(layout.chunks)}, of {self.key}"
            raise CheckpointFileError(f"{where}: damaged: {error}; {what}") from None
        return data


def read_layout(files: Files, folder: str) -> Layout:
    """The .zarray of a folder. Raises ValueError saying what is wrong with it."""
    name = f"{folder}/{ZARRAY}"
    size = files.size(name)
    if size is None:
        raise ValueError(f"no array in {folder}: {ZARRAY} is missing")
    try:
        document = json.loads(files.read(name, _MAX_ZARRAY))
    except (ValueError, RecursionError):
        raise ValueError(f"{name}: not JSON") from None
    if not isinstance(document, dict):
        raise ValueError(f"{name}: expected an object")
    return _layout(name, document)


def _layout(name: str, document: dict[str, Any]) -> Layout:
    if document.get("zarr_format") != 2 or document.get("order", "C") != "C" or document.get("filters"):
        raise ValueError(f"{name}: expected zarr_format 2 in order C without filters")
    shape, chunks, dtype = _sizes(document.get("shape")), _sizes(document.get("chunks")), document.get("dtype")
    if shape is None or chunks is None or len(shape) != len(chunks):
        raise ValueError(f"{name}: expected a shape and as many chunk sizes")
    if dtype != "bfloat16" and not (isinstance(dtype, str) and _DTYPE.fullmatch(dtype)):
        raise ValueError(f"{name}: unknown dtype {dtype!r}")
    separator = document.get("dimension_separator", ".")
    if separator not in (".", "/"):
        raise ValueError(f"{name}: unknown dimension_separator {separator!r}")
    kind = BFLOAT16 if dtype == "bfloat16" else np.dtype(dtype)
    found = Layout(shape, chunks, kind, _window(name, document.get("compressor")), separator)
    if math.prod(found.grid) > MAX_CHUNKS or math.prod(found.grid) * found.chunk_bytes > MAX_BYTES:
        raise ValueError(f"{name}: {list(shape)} in chunks of {list(chunks)} is more than can be a parameter")
    return found


def _window(name: str, compressor: object) -> int | None:
    match compressor:
        case None:
            return None
        case {"id": "gzip" | "zlib" as kind}:
            return _WINDOW[kind]
    raise ValueError(f"{name}: expected gzip, zlib or no compression, got {compressor!r}")


def _sizes(value: object) -> tuple[int, ...] | None:
    """None: not a list of sizes."""
    if not isinstance(value, list) or len(value) > MAX_RANK:
        return None
    return tuple(value) if all(type(item) is int and 0 < item < 2**40 for item in value) else None


def _inflate(data: bytes, window: int, size: int) -> bytes:
    """Exactly one compressed stream of at most `size` bytes, its checksum compared. Raises ValueError or zlib.error."""
    unpacker = zlib.decompressobj(window)
    out = unpacker.decompress(data, size + 1)
    if len(out) > size:
        raise ValueError("it holds more")
    if not unpacker.eof:
        raise ValueError(f"truncated after {len(out)} bytes")
    if unpacker.unused_data:
        raise ValueError("something follows its end")
    return out
