# SPDX-License-Identifier: Apache-2.0
"""`manifest.json` in a models folder: what its files' bytes must be, where they came from, what was accepted."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from segue_engine.checkpoints.description import read_json, write_whole
from segue_engine.checkpoints.errors import CheckpointFileError

MANIFEST: Final = "manifest.json"
CHUNK: Final = 1 << 22

Advance = Callable[[int], None]
"""Told how many bytes have been dealt with since it was last called."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was verified. source: repository at revision, or the mirror that it was copied from."""

    sha256: str
    bytes: int
    source: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Files by their path in the models folder. licences: repository → when its licence was accepted."""

    files: Mapping[str, FileRecord] = field(default_factory=dict)
    licences: Mapping[str, str] = field(default_factory=dict)

    def with_file(self, path: str, record: FileRecord) -> Manifest:
        return Manifest({**self.files, path: record}, self.licences)

    def with_licence(self, repository: str, accepted: str) -> Manifest:
        return Manifest(self.files, {**self.licences, repository: accepted})


def read_manifest(folder: Path) -> Manifest:
    """A folder's manifest, an empty one if there is none. Raises CheckpointFileError for one that can't be read."""
    path = folder / MANIFEST
    if not path.is_file():
        return Manifest()
    document = read_json(path)
    try:
        if not isinstance(document, dict) or document.get("segue") != 1:
            raise ValueError('expected "segue": 1')
        files = {str(name): _record(value) for name, value in document.get("files", {}).items()}
        licences = {str(key): str(value) for key, value in document.get("licences", {}).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise CheckpointFileError(f"{path}: not a manifest of model files ({error})") from None
    return Manifest(files, licences)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes it whole or not at all."""
    document = {
        "segue": 1,
        "files": {name: asdict(record) for name, record in sorted(manifest.files.items())},
        "licences": dict(manifest.licences),
    }
    write_whole(folder / MANIFEST, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def file_digests(path: Path, advance: Advance, *, git: bool = False) -> tuple[str, str]:
    """SHA-256 of a file and, if asked for, git's SHA-1 of it as a blob (else ""). Raises OSError."""
    sha256 = hashlib.sha256()
    sha1 = hashlib.sha1(usedforsecurity=False)
    with path.open("rb") as file:
        if git:
            sha1.update(b"blob %d\0" % path.stat().st_size)
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            if git:
                sha1.update(chunk)
            advance(len(chunk))
    return sha256.hexdigest(), sha1.hexdigest() if git else ""


def mismatch(path: Path, record: FileRecord, advance: Advance) -> str | None:
    """What is wrong with a file by its record; None: its bytes are the ones that were verified."""
    try:
        size = path.stat().st_size
        if size != record.bytes:
            return f"expected {record.bytes} bytes, got {size}"
        found, _ = file_digests(path, advance)
    except OSError as error:
        return f"can't be read: {(error.strerror or str(error)).lower()}"
    return None if found == record.sha256 else f"expected sha256 {record.sha256}, got {found}"


def drop(path: Path) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _record(value: Any) -> FileRecord:
    record = FileRecord(**value)
    digest = record.sha256
    if not (isinstance(digest, str) and len(digest) == 64 and type(record.bytes) is int and record.bytes >= 0):
        raise ValueError("expected sha256 and bytes")
    return record
