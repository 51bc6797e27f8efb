# SPDX-License-Identifier: Apache-2.0
"""Where a download takes files from: a directory that mirrors the repository, or whatever else keeps this contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from segue_engine.checkpoints.catalogue import ARCHIVE, CHECKPOINTS, ENCODER, ENCODER_BESIDE
from segue_engine.checkpoints.errors import CheckpointFileError, DownloadError
from segue_engine.checkpoints.header import read_header
from segue_engine.checkpoints.manifest import CHUNK, Advance, FileRecord, file_digests, read_manifest
from segue_engine.checkpoints.t5x import open_t5x

TERMS: Final = re.compile(
    r"(licen[cs]e|terms|notice|copying|use[-_ ]?policy|prohibited)[^/\\]*|readme\.md", re.IGNORECASE
)
"""Top-level files of a repository that say what one may do with it; a model card holds the terms of use."""
MAX_TERMS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Offered:
    """A file at its source: bytes, and whatever hash is known of it (git: SHA-1 of the blob)."""

    size: int
    sha256: str = ""
    git: str = ""

    @property
    def tag(self) -> str:
        """Names a partial file, so that one of another content is not continued."""
        return (self.sha256 or self.git or str(self.size))[:12]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source offers. name: for people; revision: of the repository, "" where that is not known."""

    name: str
    revision: str
    files: Mapping[str, Offered]

    @property
    def terms(self) -> tuple[str, ...]:
        """Small top-level files about licences and terms of use."""
        return tuple(
            path for path, file in sorted(self.files.items()) if TERMS.fullmatch(path) and file.size <= MAX_TERMS
        )


class Sink(Protocol):
    """A file that is being written: as much of a binary file as a source needs."""

    def write(self, data: bytes, /) -> int: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def truncate(self, size: int | None = None, /) -> int: ...


class Source(Protocol):
    """Lists, identifies and fetches. All raise DownloadError with a sentence about which file and what to do."""

    def listing(self) -> Listing: ...

    def identify(self, path: str, offered: Offered, advance: Advance) -> Offered:
        """The same file with a hash; asked for only where there is none, and may take reading the file."""
        ...

    def fetch(self, path: str, offered: Offered, have: int, sink: Sink) -> None:
        """Write the file's bytes from `have` on to the sink, which stands there; it may start over by truncating."""
        ...


class Mirror:
    """A directory with a repository's layout: a models folder, a copy of the repository, the published tool's folder.

    It may serve several repositories at once, whose paths differ.

    Hashes are those of its manifest.json, if it has one, else of the files as they lie there; checkpoints' headers are
    checked either way.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] = {}

    def listing(self) -> Listing:
        if not self._folder.is_dir():
            raise DownloadError(f"--mirror {self._folder}: no such folder")
        known = read_manifest(self._folder).files
        found = [path for pattern in ("*", f"{CHECKPOINTS}/*", "resources/*/*") for path in self._folder.glob(pattern)]
        names = {path.relative_to(self._folder).as_posix(): path for path in sorted(found)}
        if ENCODER not in names and ENCODER_BESIDE in names:
            names[ENCODER] = names[ENCODER_BESIDE]
        self._paths = {name: path for name, path in names.items() if path.is_file() and path.suffix != ".partial"}
        files = {name: self._offered(path, known.get(name)) for name, path in self._paths.items()}
        return Listing(f"mirror {self._folder}", "", files)

    def _offered(self, path: Path, record: FileRecord | None) -> Offered:
        return Offered(path.stat().st_size, record.sha256 if record else "")

    def identify(self, path: str, offered: Offered, advance: Advance) -> Offered:
        if offered.sha256:
            return offered
        try:
            sha256, _ = file_digests(self._paths[path], advance)
        except OSError as error:
            raise DownloadError(f"{self._paths[path]}: {(error.strerror or str(error)).lower()}") from None
        return Offered(offered.size, sha256)

    def fetch(self, path: str, offered: Offered, have: int, sink: Sink) -> None:
        original = self._paths[path]
        try:
            if path.endswith(".safetensors"):
                read_header(original)
            elif path.startswith(f"{CHECKPOINTS}/") and path.endswith(ARCHIVE):
                open_t5x(original)
            with original.open("rb") as file:
                file.seek(have)
                while chunk := file.read(CHUNK):
                    sink.write(chunk)
        except CheckpointFileError as error:
            raise DownloadError(f"the mirror's file is damaged: {error}") from None
        except OSError as error:
            raise DownloadError(f"{original}: {(error.strerror or str(error)).lower()}") from None
