# SPDX-License-Identifier: Apache-2.0
"""The files of a T5X checkpoint, wherever they lie: a folder, or the tar archive that its authors publish, unopened.

Names are relative, with `/`; they come out of the checkpoint and are never trusted to stay inside of it.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from segue_engine.checkpoints.errors import CheckpointFileError

MAX_UNPACKED: Final = 256_000_000
"""Bytes of a compressed archive, which has to be unpacked into memory. The published ones are not compressed."""
MAX_MEMBERS: Final = 100_000
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*|\.zarray")


class Files(Protocol):
    """Reading is safe from any thread."""

    @property
    def path(self) -> Path: ...

    def size(self, name: str) -> int | None:
        """Bytes of a file; None: there is none."""
        ...

    def read(self, name: str, limit: int, begin: int = 0) -> bytes:
        """At most `limit` bytes from `begin` on (negative: from the end). Raises CheckpointFileError."""
        ...

    def folders(self) -> list[str]:
        """Names of the folders at the top, sorted."""
        ...


def safe(name: str) -> bool:
    """Whether a name from an index is a plain path below the checkpoint."""
    return len(name) < 1000 and all(_PART.fullmatch(part) for part in name.split("/"))


def open_files(path: Path) -> Files:
    """A folder, a .tar or a small .tar.gz. Raises CheckpointFileError."""
    if path.is_dir():
        return _Folder(path)
    if not path.exists():
        raise CheckpointFileError(f"{path}: no such folder or archive")
    try:
        return _Archive(path)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise CheckpointFileError(f"{path}: expected a T5X folder or its tar archive: {error}") from None


class _Folder:
    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self, name: str) -> int | None:
        found = self.path / name
        return found.stat().st_size if found.is_file() else None

    def read(self, name: str, limit: int, begin: int = 0) -> bytes:
        try:
            with (self.path / name).open("rb") as file:
                file.seek(begin, os.SEEK_END if begin < 0 else os.SEEK_SET)
                return file.read(limit)
        except OSError as error:
            raise CheckpointFileError(f"{self.path / name}: {(error.strerror or str(error)).lower()}") from None

    def folders(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir() if entry.is_dir())


class _Archive:
    """Places of all plain files are read at once; links and devices are not looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self._unpacked = _unpack(file) if file.read(2) == b"\x1f\x8b" else None
            file.seek(0)
            source: BinaryIO = file if self._unpacked is None else io.BytesIO(self._unpacked)
            length = source.seek(0, os.SEEK_END)
            source.seek(0)
            self._places = _places(source, length)
        self._file = os.open(path, os.O_RDONLY) if self._unpacked is None else -1

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)

    def size(self, name: str) -> int | None:
        place = self._places.get(name)
        return None if place is None else place[1]

    def read(self, name: str, limit: int, begin: int = 0) -> bytes:
        if name not in self._places:
            raise CheckpointFileError(f"{self.path}: no {name} in it")
        offset, size = self._places[name]
        begin = max(0, size + begin) if begin < 0 else min(begin, size)
        count = min(limit, size - begin)
        if self._unpacked is not None:
            return self._unpacked[offset + begin : offset + begin + count]
        data = bytearray()
        while len(data) < count:
            piece = os.pread(self._file, count - len(data), offset + begin + len(data))
            if not piece:
                raise CheckpointFileError(f"{self.path}: {name}: truncated")
            data += piece
        return bytes(data)

    def folders(self) -> list[str]:
        return sorted({name.split("/", 1)[0] for name in self._places if "/" in name})


def _places(source: BinaryIO, length: int) -> Mapping[str, tuple[int, int]]:
    """Name → (offset, size) of every file. Raises ValueError if one would lie past the end."""
    found: dict[str, tuple[int, int]] = {}
    with tarfile.open(fileobj=source, mode="r:") as archive:
        for count, member in enumerate(archive):
            if count >= MAX_MEMBERS:
                raise ValueError(f"more than {MAX_MEMBERS} files")
            name = member.name.removeprefix("./")
            if not member.isreg() or member.issparse() or not safe(name):
                continue
            if member.offset_data + member.size > length:
                raise ValueError(f"truncated: {name} ends after the archive")
            found[name] = (member.offset_data, member.size)
    return found


def _unpack(file: BinaryIO) -> bytes:
    file.seek(0)
    unpacker, out = zlib.decompressobj(31), bytearray()
    while not unpacker.eof:
        piece = file.read(1 << 20)
        if not piece:
            raise ValueError("truncated")
        while piece and not unpacker.eof:
            out += unpacker.decompress(piece, MAX_UNPACKED + 1 - len(out))
            if len(out) > MAX_UNPACKED:
                raise ValueError(f"a compressed archive of more than {MAX_UNPACKED} bytes: unpack it to a folder")
            piece = unpacker.unconsumed_tail
    return bytes(out)
