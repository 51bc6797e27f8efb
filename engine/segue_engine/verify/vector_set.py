# SPDX-License-Identifier: Apache-2.0
"""A folder of golden vectors: what lies in it is read as data, checked for its shape, and never executed."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

Array = NDArray[Any]
Shapes = dict[str, tuple[int, ...]]
T = TypeVar("T")

META: Final = "meta.json"
_KINDS: Final = {"f": "floating-point numbers", "i": "integers", "u": "unsigned integers", "b": "booleans"}


class VectorError(ValueError):
    """A vector set that can't be checked; the message names the file in its folder and what was expected."""


class Arrays(Mapping[str, Array]):
    """The arrays of one .npz file."""

    def __init__(self, file: str, arrays: Mapping[str, Array]) -> None:
        self.file = file
        self._arrays = arrays

    def __getitem__(self, name: str) -> Array:
        try:
            return self._arrays[name]
        except KeyError:
            raise VectorError(f"{self.file}: no array {name}; it holds {', '.join(self._arrays)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def take(self, name: str, *shape: int | str, kind: str = "f") -> Array:
        """The array, of this shape (a word stands for any size, the same word for the same size) and kind (f i u b).

        Integers may be of either sign.
        """
        array = self[name]
        if array.size == 0:
            raise VectorError(f"{self.file}: {name}: expected some entries, got shape {list(array.shape)}")
        self.check(name, *shape, kind=kind)
        return array

    def check(self, name: str, *shape: int | str, kind: str = "f") -> None:
        """As `take`, for an array that may be missing or empty."""
        if name not in self:
            return
        array = self[name]
        wanted = f"[{', '.join(str(size) for size in shape)}]"
        sizes: dict[str, int] = {}
        fits = array.ndim == len(shape)
        for size, actual in zip(shape, array.shape, strict=False):
            fits &= actual == (size if isinstance(size, int) else sizes.setdefault(size, actual))
        if not fits:
            raise VectorError(f"{self.file}: {name}: expected shape {wanted}, got {list(array.shape)}")
        if array.dtype.kind not in ("iu" if kind in "iu" else kind):
            raise VectorError(f"{self.file}: {name}: expected {_KINDS[kind]}, got {array.dtype}")


@dataclass(frozen=True, slots=True)
class Tensors:
    """Tensors by their published names, and the file that they are from."""

    file: str
    flat: Mapping[str, Array]


class VectorSet:
    """One folder. Reading is lazy; what `cached` made is shared by the checks."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise VectorError("no such folder")
        self.folder = folder
        self.files = sorted(path.name for path in folder.iterdir() if path.is_file())
        self._cache: dict[object, Any] = {}

    def __contains__(self, name: object) -> bool:
        return name in self.files

    def cached(self, key: object, make: Callable[[], T]) -> T:
        """What `make` gave the first time for this key."""
        if key not in self._cache:
            self._cache[key] = make()
        made: T = self._cache[key]
        return made

    def arrays(self, name: str) -> Arrays:
        """Every array of an .npz file, read once; pickles are refused."""
        return self.cached(("arrays", name), lambda: self._read_arrays(name))

    def _read_arrays(self, name: str) -> Arrays:
        try:
            with self._path(name).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if not isinstance(archive, np.lib.npyio.NpzFile):
                    raise VectorError(f"{name}: expected an .npz archive of arrays, found a single array")
                return Arrays(name, {key: archive[key] for key in archive.files})
        except VectorError:
            raise
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise VectorError(f"{name}: not a readable .npz archive: {error}") from None

    def json(self, name: str) -> Any:
        """A parsed JSON file."""
        try:
            return json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise VectorError(f"{name}: not a readable JSON file: {error}") from None

    @property
    def meta(self) -> Mapping[str, Any]:
        """The object in meta.json, which says how the set was made."""
        document = self.cached(META, lambda: self.json(META))
        if not isinstance(document, dict):
            raise VectorError(f"{META}: expected an object, got {type(document).__name__}")
        return document

    def shapes(self, name: str) -> Shapes:
        """A JSON file of tensor name → shape."""
        document = self.json(name)
        if not isinstance(document, dict) or not document:
            raise VectorError(f"{name}: expected an object of tensor names and their shapes")
        for key, shape in document.items():
            if not isinstance(shape, list) or not all(type(size) is int and size > 0 for size in shape):
                raise VectorError(f"{name}: {key}: expected a shape, got {shape!r}")
        return {key: tuple(shape) for key, shape in document.items()}

    def tensors(self, prefix: str, usual: str) -> Tensors:
        """All tensors whose names begin with `prefix`, from the file `usual` or else the only one that has any."""
        holders = (
            [usual] if usual in self else [f for f in self.files if f.endswith(".safetensors") if self._has(f, prefix)]
        )
        if len(holders) != 1:
            found = f"found {', '.join(holders)}" if holders else "there is none"
            raise VectorError(f"{usual}: expected this file, or one .safetensors file with tensors {prefix}…; {found}")
        (name,) = holders
        try:
            with safe_open(self._path(name), framework="numpy") as file:
                tensors = {key: file.get_tensor(key) for key in file.keys() if key.startswith(prefix)}  # noqa: SIM118
        except (OSError, SafetensorError, TypeError, ValueError) as error:
            raise VectorError(f"{name}: not a readable .safetensors file: {error}") from None
        if not tensors:
            raise VectorError(f"{name}: expected tensors {prefix}…, it holds none")
        return Tensors(name, tensors)

    def _has(self, name: str, prefix: str) -> bool:
        try:
            with safe_open(self._path(name), framework="numpy") as file:
                return any(key.startswith(prefix) for key in file.keys())  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise VectorError(f"{name}: not a readable .safetensors file: {error}") from None

    def _path(self, name: str) -> Path:
        if name not in self:
            raise VectorError(f"{name}: missing")
        return self.folder / name
