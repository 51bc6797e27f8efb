# SPDX-License-Identifier: Apache-2.0
"""T5X checkpoints without T5X: an index in msgpack, and a zarr folder per array.

::

    checkpoint                     {version, optimizer: {target: parameters, state: optimiser}}, nested by name
    target.a.b.kernel/.zarray      shape, chunks, dtype, compression of the parameter a/b/kernel
    target.a.b.kernel/0.0          its chunks

A parameter is an array in the index itself or a TensorStore description that names its folder, written for a disk or
for buckets alike. Everything may lie one folder deeper, in `state`, and the published tar archives are read as they
are. The optimiser's state is never looked at. There is no pickle in the format.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np
from numpy.typing import NDArray

from segue_engine.checkpoints.errors import CheckpointFileError, bounded
from segue_engine.checkpoints.reader import NOISE_KEY, NOISE_VALUE, Shapes
from segue_engine.checkpoints.t5x_array import BFLOAT16, Layout, StoredArray, read_layout
from segue_engine.checkpoints.t5x_files import Files, open_files, safe

INDEX: Final = "checkpoint"
VERSIONS: Final = (2, 3)
NDARRAY: Final = 1
"""msgpack extension of an array: (shape, name of the type, bytes)."""
SCALAR: Final = 3
MAX_INDEX: Final = 64_000_000
"""Bytes; the index of the largest published size has less than 1 MB."""
MAX_DEPTH: Final = 32
FLOATING: Final = frozenset({np.dtype(np.float32), np.dtype(np.float16), BFLOAT16})
_DRIVERS: Final = frozenset({"file", "gfile", "gcs"})

Parameter = StoredArray | NDArray[Any]


class T5XCheckpoint(Mapping[str, Parameter]):
    """`/`-joined name → parameter. Those in folders are read when `np.asarray` asks for their numbers. Any thread."""

    def __init__(self, path: Path, files: Files, parameters: Mapping[str, Parameter], marks: Mapping[str, str]) -> None:
        self.path = path
        self.metadata = marks
        self._files = files
        self._parameters = parameters

    def __getitem__(self, key: str) -> Parameter:
        return self._parameters[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    @property
    def synthetic(self) -> bool:
        """Whether its weights are random and say so."""
        return self.metadata.get(NOISE_KEY) == NOISE_VALUE

    @property
    def parameters(self) -> int:
        return sum(math.prod(array.shape) for array in self._parameters.values())

    def check(self, expected: Shapes, what: str) -> tuple[str, ...]:
        """Raises CheckpointFileError if parameters of `what` are missing or don't fit; gives the unknown ones."""
        problems = []
        for key in sorted(expected):
            array = self._parameters.get(key)
            if array is None:
                problems.append(f"missing: {key} {list(expected[key])}")
            elif tuple(array.shape) != tuple(expected[key]):
                problems.append(f"wrong shape: {key} expected {list(expected[key])}, got {list(array.shape)}")
            elif array.dtype not in FLOATING:
                problems.append(f"wrong type: {key} expected float32, float16 or bfloat16, got {array.dtype}")
        if problems:
            said = "\n  ".join(bounded(problems))
            raise CheckpointFileError(f"{self.path}: does not fit {what}:\n  {said}")
        return tuple(sorted(self._parameters.keys() - expected.keys()))

    def only(self, expected: Shapes) -> Mapping[str, Parameter]:
        """The same parameters without names that are not expected, which are harmless."""
        return {key: array for key, array in self._parameters.items() if key in expected}

    def fingerprint(self) -> str:
        """Identifies the weights without reading all of them: names, shapes, and the checksum that ends each chunk."""
        digest = hashlib.sha256()
        for key in sorted(self._parameters):
            array = self._parameters[key]
            digest.update(f"{key}{tuple(array.shape)}{array.dtype}".encode())
            if isinstance(array, StoredArray):
                for name in array.chunk_files():
                    digest.update(self._files.read(name, 64, begin=-64))
            else:
                digest.update(array.tobytes())
        return digest.hexdigest()[:8]


def is_t5x(path: Path) -> bool:
    """Whether it looks like a T5X folder, or a tar archive of one, going by names alone."""
    if path.is_dir():
        return any((path / place / INDEX).is_file() for place in ("", "state"))
    return path.is_file() and path.name.endswith((".tar", ".tar.gz", ".tgz"))


def open_t5x(path: Path) -> T5XCheckpoint:
    """Opens a T5X folder or archive: index and descriptions are read, and every file of every parameter is found.

    Raises CheckpointFileError naming all arrays at fault and what was expected of them.
    """
    files = open_files(path)
    root = _root(files)
    document = _index(files, root)
    target = document["optimizer"]["target"]
    parameters: dict[str, Parameter] = {}
    problems: list[str] = []
    for key, leaf in _leaves(files.path, target):
        if isinstance(leaf, np.ndarray):
            parameters[key] = leaf
            continue
        try:
            stored = _stored(files, root, key, leaf)
        except ValueError as error:
            problems.append(f"{key}: {error}")
            continue
        problems += stored.problems()
        parameters[key] = stored
    if problems:
        raise CheckpointFileError(f"{path}: damaged or partial:\n  " + "\n  ".join(bounded(problems)))
    if not parameters:
        raise CheckpointFileError(f"{path}: {root}{INDEX}: no parameters in it")
    return T5XCheckpoint(path, files, parameters, _marks(document))


def t5x_marks(path: Path) -> Mapping[str, str]:
    """Words that an index holds beside T5X's own; no array is looked for. Raises CheckpointFileError."""
    files = open_files(path)
    return _marks(_index(files, _root(files)))


def _marks(document: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in document.items() if isinstance(value, str)}


def _root(files: Files) -> str:
    """Where the index is: "" or a folder's name with a slash."""
    folders = files.folders()
    outer = folders[0] + "/" if len(folders) == 1 and safe(folders[0]) else ""
    for root in dict.fromkeys(("", "state/", outer, f"{outer}state/")):
        if files.size(root + INDEX) is not None:
            return root
    steps = [name for name in folders if name.startswith("checkpoint_")]
    hint = f"; it has {', '.join(bounded(steps, 3))}: name one of these" if steps else ""
    raise CheckpointFileError(f"{files.path}: not a T5X checkpoint: no index file {INDEX!r}{hint}")


def _index(files: Files, root: str) -> dict[str, Any]:
    where = f"{files.path}: {root}{INDEX}"
    size = files.size(root + INDEX) or 0
    if size > MAX_INDEX:
        raise CheckpointFileError(f"{where}: expected an index of at most {MAX_INDEX} bytes, got {size}")
    try:
        document = msgpack.unpackb(
            files.read(root + INDEX, MAX_INDEX), ext_hook=_extension, raw=False, strict_map_key=True
        )
    except (ValueError, TypeError, KeyError, RecursionError, msgpack.exceptions.UnpackException) as error:
        raise CheckpointFileError(f"{where}: damaged index: {str(error) or type(error).__name__}") from None
    match document:
        case {"version": version, "optimizer": {"target": dict()}}:
            if version in VERSIONS:
                found: dict[str, Any] = document
                return found
            raise CheckpointFileError(f"{where}: expected T5X version {' or '.join(map(str, VERSIONS))}, got {version}")
    raise CheckpointFileError(f"{where}: expected version and optimizer.target, the layout of T5X")


def _extension(code: int, data: bytes) -> object:
    if code not in (NDARRAY, SCALAR):
        return None  # of the optimiser's, or nobody's; as a parameter it is refused
    shape, name, numbers = msgpack.unpackb(data, raw=False)
    dtype = BFLOAT16 if name == "bfloat16" else np.dtype(str(name))
    if dtype != BFLOAT16 and dtype.kind not in "fiub":
        raise ValueError(f"an array of {dtype}")
    return np.frombuffer(numbers, dtype).reshape(shape)


def _leaves(path: Path, tree: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > MAX_DEPTH:
        raise CheckpointFileError(f"{path}: {INDEX}: nested deeper than {MAX_DEPTH}")
    for name, value in tree.items():
        if not isinstance(name, str) or not name or "/" in name:
            raise CheckpointFileError(f"{path}: {INDEX}: {prefix}: not a parameter's name: {name!r}")
        if isinstance(value, dict) and not isinstance(value.get("driver"), str):
            yield from _leaves(path, value, f"{prefix}{name}/", depth + 1)
        else:
            yield prefix + name, value


def _stored(files: Files, root: str, key: str, leaf: object) -> StoredArray:
    """Raises ValueError saying what is wrong with an array's description or folder."""
    if not isinstance(leaf, dict) or leaf.get("driver") != "zarr":
        raise ValueError("expected an array or the description of a zarr folder")
    store = leaf.get("kvstore")
    if not isinstance(store, dict) or store.get("driver") not in _DRIVERS:
        raise ValueError(f"expected a kvstore of {', '.join(sorted(_DRIVERS))}")
    name = store.get("path", leaf.get("path"))  # very old writers put it outside
    folder = name.rstrip("/") if isinstance(name, str) else ""
    if not folder or not safe(folder):
        raise ValueError(f"not a folder of the checkpoint: {name!r}")
    layout = read_layout(files, root + folder)
    _agrees(leaf, layout)
    return StoredArray(files, root + folder, key, layout)


def _agrees(leaf: Mapping[str, Any], layout: Layout) -> None:
    """The index says the shape too; a folder of another one is another checkpoint's."""
    metadata = leaf.get("metadata")
    stated = metadata.get("shape") if isinstance(metadata, dict) else None
    if stated is not None and stated != list(layout.shape):
        raise ValueError(f"the index expects {stated}, its folder holds {list(layout.shape)}")
