# SPDX-License-Identifier: Apache-2.0
"""Checkpoints as they are on disk: mapped into memory, so that a tensor is read when somebody looks at it."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from segue_engine.checkpoints.errors import CheckpointFileError, bounded
from segue_engine.checkpoints.header import DTYPES, FLOATING, Header, read_header

Shapes = Mapping[str, tuple[int, ...]]

NOISE_KEY: Final = "segue"
NOISE_VALUE: Final = "synthetic noise"
"""In a checkpoint's metadata: its weights are random, and whatever it plays is noise."""


class Checkpoint(Mapping[str, NDArray[Any]]):
    """Published key → read-only array, a view of the mapped file: looking at shape and dtype reads nothing.

    Any thread. Arrays stay valid while they are referenced, whatever happens to this object.
    """

    def __init__(self, path: Path, header: Header, data: mmap.mmap) -> None:
        self.path = path
        self.header = header
        self._data = data

    def __getitem__(self, key: str) -> NDArray[Any]:
        entry = self.header.tensors[key]
        dtype = DTYPES[entry.dtype]
        count, begin = (entry.end - entry.begin) // dtype.itemsize, self.header.data_offset + entry.begin
        return np.frombuffer(self._data, dtype, count, begin).reshape(entry.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.header.tensors)

    def __len__(self) -> int:
        return len(self.header.tensors)

    def __contains__(self, key: object) -> bool:
        return key in self.header.tensors

    @property
    def metadata(self) -> Mapping[str, str]:
        return self.header.metadata

    @property
    def synthetic(self) -> bool:
        """Whether its weights are random, as `segue models synthesise` writes them."""
        return self.metadata.get(NOISE_KEY) == NOISE_VALUE

    def check(self, expected: Shapes, what: str) -> tuple[str, ...]:
        """Raises CheckpointFileError if keys of `what` are missing or don't fit; gives the unknown ones."""
        problems = layout_problems(self.header, expected)
        if problems:
            said = "\n  ".join(bounded(problems))
            raise CheckpointFileError(f"{self.path}: does not fit {what}:\n  {said}")
        return unknown_keys(self.header, expected)

    def only(self, expected: Shapes) -> Mapping[str, NDArray[Any]]:
        """The same tensors without keys that are not expected, which are harmless."""
        return _Part(self, expected)

    def fingerprint(self) -> str:
        """See `fingerprint`, of all tensors."""
        return fingerprint(self)


class _Part(Mapping[str, NDArray[Any]]):
    def __init__(self, whole: Checkpoint, keys: Shapes) -> None:
        self._whole = whole
        self._keys = [key for key in whole if key in keys]
        self._set = frozenset(self._keys)

    def __getitem__(self, key: str) -> NDArray[Any]:
        if key not in self._set:
            raise KeyError(key)
        return self._whole[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def open_checkpoint(path: Path) -> Checkpoint:
    """Opens a safetensors file; header and file size are checked first. Raises CheckpointFileError."""
    header = read_header(path)
    try:
        with safe_open(path, framework="numpy"):  # the format's own library has the last word on what is well-formed
            pass
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except SafetensorError as error:
        raise CheckpointFileError(f"{path}: damaged: {error}") from None
    except (OSError, ValueError) as error:
        raise CheckpointFileError(f"{path}: {error}") from None
    if len(data) < header.data_offset + header.data_bytes:
        raise CheckpointFileError(f"{path}: changed while it was opened")
    return Checkpoint(path, header, data)


def fingerprint(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Identifies weights without reading all of them: keys, shapes, types, and a sample of each tensor's bytes."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key]
        flat = tensor.reshape(-1)
        digest.update(f"{key}{tensor.shape}{tensor.dtype}".encode())
        digest.update(flat[:64].tobytes() + flat[-64:].tobytes())
    return digest.hexdigest()[:8]


def layout_problems(header: Header, expected: Shapes) -> list[str]:
    """Every expected key that is missing, of another shape, or not floating point; one line each, by key."""
    problems = []
    for key in sorted(expected):
        entry = header.tensors.get(key)
        if entry is None:
            problems.append(f"missing: {key} {list(expected[key])}")
        elif entry.shape != tuple(expected[key]):
            problems.append(f"wrong shape: {key} expected {list(expected[key])}, got {list(entry.shape)}")
        elif entry.dtype not in FLOATING:
            problems.append(f"wrong type: {key} expected F32, F16 or BF16, got {entry.dtype}")
    return problems


def unknown_keys(header: Header, expected: Shapes) -> tuple[str, ...]:
    """Keys that nobody asked for, sorted."""
    return tuple(sorted(header.tensors.keys() - expected.keys()))
