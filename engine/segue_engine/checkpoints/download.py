# SPDX-License-Identifier: Apache-2.0
"""Brings a model's files into a models folder: continued where it stopped, verified before it counts, recorded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from segue_engine.checkpoints.catalogue import ModelEntry, ModelFile, Role
from segue_engine.checkpoints.errors import DownloadError, size_text
from segue_engine.checkpoints.located import CODEC_HELP
from segue_engine.checkpoints.manifest import (
    Advance,
    FileRecord,
    drop,
    file_digests,
    read_manifest,
    write_manifest,
)
from segue_engine.checkpoints.sources import Listing, Offered, Source

Progress = Callable[[str, int, int], Advance]
"""progress(label, total bytes, bytes done already) begins a piece of work and gives what tells how it goes on."""

SPARE: Final = 50_000_000
TERMS_FOLDER: Final = "licences"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a source offers of a model. lacking: optional files that it doesn't have."""

    files: tuple[tuple[ModelFile, Offered], ...]
    lacking: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        return sum(offered.size for _, offered in self.files)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Paths that were fetched, and where the files lie that were whole already."""

    fetched: tuple[str, ...]
    kept: Mapping[str, Path]


def plan(entry: ModelEntry, listing: Listing, repositories: Collection[str] = (), here: Collection[Role] = ()) -> Plan:
    """The files of a model among those on offer. Raises DownloadError naming required ones that are not.

    repositories: which of the model's this listing is of, by default all of them. here: what is not required, because
    something else on this disk stands in for it.
    """
    files = [file for file in entry.files if not repositories or file.repository in repositories]
    lacking = [file for file in files if file.path not in listing.files and file.role not in here]
    required = [file for file in lacking if file.required]
    if required:
        paths = ", ".join(file.path for file in required)
        help_ = f"\n{CODEC_HELP}" if any(file.role == "codec" for file in required) else ""
        raise DownloadError(f"{listing.name} does not have {paths}{help_}")
    offered = tuple((file, listing.files[file.path]) for file in files if file.path in listing.files)
    return Plan(offered, tuple(lacking))


def download(
    planned: Plan, source: Source, listing: Listing, folder: Path, elsewhere: Sequence[Path], progress: Progress
) -> Outcome:
    """Fetch what is not whole yet into `folder`; each file appears under its name only when its hash is right.

    A model's parts that lie whole in one of the folders `elsewhere` stay there. Raises DownloadError,
    CheckpointFileError. Interrupted at any point, the same call goes on from there.
    """
    manifest = read_manifest(folder)
    files = [(file, _identified(source, file.path, offered, progress)) for file, offered in planned.files]
    kept = _kept(files, folder, elsewhere, progress)
    for path, (place, digest) in kept.items():
        if place == folder / path:
            manifest = manifest.with_file(
                path, FileRecord(digest, place.stat().st_size, listing.name, listing.revision)
            )
    wanted = [(file.path, offered) for file, offered in files if file.path not in kept]
    _check_room(folder, wanted)
    for path, offered in wanted:
        digest = fetch_file(source, path, offered, folder, progress)
        manifest = manifest.with_file(path, FileRecord(digest, offered.size, listing.name, listing.revision))
        write_manifest(folder, manifest)
    write_manifest(folder, manifest)
    return Outcome(tuple(path for path, _ in wanted), {path: place for path, (place, _) in kept.items()})


def fetch_terms(source: Source, listing: Listing, folder: Path, name: str, progress: Progress) -> tuple[Path, ...]:
    """Fetch what the repository says about licences and terms into `licences/name/`; gives the files."""
    target = folder / TERMS_FOLDER / name
    found = []
    for path in listing.terms:
        offered = source.identify(path, listing.files[path], _nobody)
        if not (target / path).is_file() or _verify(target / path, offered, _nobody)[0]:
            fetch_file(source, path, offered, target, progress)
        found.append(target / path)
    return tuple(found)


def fetch_file(source: Source, path: str, offered: Offered, folder: Path, progress: Progress) -> str:
    """Fetch one file and verify it; gives its SHA-256. What came so far is kept as `….partial` if it stops."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{offered.tag}.partial")
    for stale in target.parent.glob(f"{target.name}.*.partial"):
        if stale != partial:
            drop(stale)
    have = partial.stat().st_size if partial.is_file() else 0
    if have > offered.size:
        drop(partial)
        have = 0
    try:
        with partial.open("r+b" if have else "w+b") as file:
            file.seek(have)
            source.fetch(path, offered, have, _Metered(file, have, progress(_short(path), offered.size, have)))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DownloadError(f"{partial}: {(error.strerror or str(error)).lower()}") from None
    wrong, digest = _verify(partial, offered, progress(f"verify {_short(path)}", offered.size, 0))
    if wrong:
        drop(partial)
        raise DownloadError(f"{path}: {wrong}; it was thrown away: fetch it again")
    os.replace(partial, target)
    return digest


def _identified(source: Source, path: str, offered: Offered, progress: Progress) -> Offered:
    if offered.sha256 or offered.git:
        return offered
    return source.identify(path, offered, progress(f"identify {_short(path)}", offered.size, 0))


def _verify(path: Path, offered: Offered, advance: Advance) -> tuple[str | None, str]:
    """What is wrong with a file (None: nothing), and its SHA-256."""
    size = path.stat().st_size
    if size != offered.size:
        return f"expected {offered.size} bytes, got {size}", ""
    sha256, git = file_digests(path, advance, git=bool(offered.git))
    if offered.sha256 and sha256 != offered.sha256:
        return f"expected sha256 {offered.sha256}, got {sha256}", ""
    if offered.git and git != offered.git:
        return f"expected git blob {offered.git}, got {git}", ""
    return None, sha256


def _kept(
    files: Sequence[tuple[ModelFile, Offered]], folder: Path, elsewhere: Sequence[Path], progress: Progress
) -> dict[str, tuple[Path, str]]:
    """Files that are whole already, with their SHA-256. Elsewhere all of a group must be: a part is never mixed."""
    kept: dict[str, tuple[Path, str]] = {}
    for name in dict.fromkeys(_group(file) for file, _ in files):
        group = [(file, offered) for file, offered in files if _group(file) == name]
        for place in (folder, *elsewhere):
            here = {}
            for file, offered in group:
                path = place / file.path
                if path.is_file() and path.stat().st_size == offered.size:
                    wrong, digest = _verify(path, offered, progress(f"verify {_short(file.path)}", offered.size, 0))
                    if wrong is None:
                        here[file.path] = path, digest
            if len(here) == len(group) or place == folder:
                kept |= here
            if len(here) == len(group):
                break
    return kept


def _group(file: ModelFile) -> str:
    return "musiccoca" if file.role == "mapper" else file.role


def _check_room(folder: Path, wanted: Sequence[tuple[str, Offered]]) -> None:
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free, needed = shutil.disk_usage(there).free, sum(offered.size for _, offered in wanted)
    for path, offered in wanted:
        partial = (folder / path).with_name(f"{Path(path).name}.{offered.tag}.partial")
        needed -= partial.stat().st_size if partial.is_file() else 0
    if wanted and free < needed + SPARE:
        raise DownloadError(f"{folder}: {size_text(needed)} to fetch, but only {size_text(free)} are free there")


def _short(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _nobody(count: int) -> None:
    """Progress that nobody watches."""


class _Metered:
    """A file being written that tells how far it is, also when a source starts over."""

    def __init__(self, file: BinaryIO, have: int, advance: Advance) -> None:
        self._file = file
        self._shown = have
        self._advance = advance

    def write(self, data: bytes, /) -> int:
        count = self._file.write(data)
        self._shown += count
        self._advance(count)
        return count

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None, /) -> int:
        left = self._file.truncate(size)
        self._advance(left - self._shown)
        self._shown = left
        return left
