# SPDX-License-Identifier: Apache-2.0
"""The files that a server's soundtracks come from, and what tells one content from the next. Blocking: off the event
loop, once that runs."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from segue_service.security.watched import Stamp, stamp_of
from segue_service.session.styles import AudioLoader
from segue_service.soundtrack import Soundtrack, content_hash, load_raw
from segue_service.soundtrack.document import MAX_BYTES

PATTERNS: Final = ("*.soundtrack.yaml", "*.soundtrack.json")
Stamps = tuple[Stamp | None, ...]


class SoundtrackFilesError(Exception):
    """Files that can't be served; the message names them."""


@dataclass(slots=True)
class SeenFile:
    """A file as it was last read. stamps: its own, then those of the recordings that its prompts name; identity: tells
    its content, and these recordings, from any other. holds: name, version and hash of what it says, if it says it."""

    stamps: Stamps = ()
    identity: tuple[str, Stamps] | None = None
    recordings: tuple[Path, ...] = ()
    holds: tuple[str, int, str] | None = None

    def take(self, file: Path, stamp: Stamp | None, raw: bytes, soundtrack: Soundtrack) -> None:
        """The file, of this stamp and content, says this."""
        named = (prompt.audio for style in soundtrack.styles.values() for prompt in style.prompts)
        self.recordings = tuple(sorted({file.parent / name for name in named if name is not None}))
        self.holds = (soundtrack.soundtrack, soundtrack.version, content_hash(soundtrack))
        self.stamps = (stamp, *map(stamp_of, self.recordings))
        self.identity = identity_of(raw, self.stamps)


@dataclass(slots=True)
class SoundtrackFiles:
    """What there is among and below `paths`. audio: how the prompts of soundtracks in a folder are heard."""

    paths: Sequence[Path]
    audio: Callable[[Path], AudioLoader]
    seen: dict[Path, SeenFile] = field(default_factory=dict)

    def load(self, file: Path) -> Soundtrack:
        """Read a file to begin with. Raises SoundtrackError, OSError, SoundtrackFilesError."""
        stamp = stamp_of(file)  # first: what is written from here on is a change
        raw = read_raw(file)
        soundtrack = load_raw(raw, file)[0]
        seen = SeenFile()
        seen.take(file, stamp, raw, soundtrack)
        self.check(file, seen)
        self.seen[file] = seen
        return soundtrack

    def check(self, file: Path, seen: SeenFile) -> None:
        """Raises SoundtrackFilesError if another file says something else of the same name and version."""
        if seen.holds is None:
            return
        name, version, content = seen.holds
        for other, there in self.seen.items():
            if other == file or there.holds is None or there.holds[:2] != (name, version):
                continue
            if there.holds[2] != content:  # the same twice is a built file beside its source
                said = f'soundtrack "{name}" version {version} is in {other} too, with another content'
                raise SoundtrackFilesError(f"{file}: {said}")

    def stamps(self) -> dict[Path, Stamps]:
        """Of what is there now; nothing is read. A path that can't be looked at has nothing."""
        found: dict[Path, Stamps] = {}
        for path in self.paths:
            with contextlib.suppress(OSError):
                for file in _below(path) if path.is_dir() else [path]:
                    recordings = self.seen[file].recordings if file in self.seen else ()
                    own = stamp_of(file)
                    if own is not None:
                        found[file] = (own, *map(stamp_of, recordings))
        return found


def find_soundtracks(paths: Iterable[Path]) -> list[Path]:
    """The soundtrack files among and below the given paths. Raises SoundtrackFilesError for a path without any."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = list(_below(path))
            if not inside:
                raise SoundtrackFilesError(f"{path}: no *.soundtrack.yaml or *.soundtrack.json in it")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise SoundtrackFilesError(f"{path}: no such file or folder")
    return list(dict.fromkeys(found))


def read_raw(file: Path) -> bytes:
    """As much of it as `load_raw` needs. Raises OSError."""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def identity_of(raw: bytes, stamps: Stamps) -> tuple[str, Stamps]:
    """Of a file's content and of its recordings, given the stamps of both."""
    return hashlib.sha256(raw).hexdigest(), stamps[1:]


def _below(folder: Path) -> Iterator[Path]:
    # Hidden folders are left out: a mounted ConfigMap keeps what its links lead to in one.
    for pattern in PATTERNS:
        for file in sorted(folder.rglob(pattern)):
            if not any(part.startswith(".") for part in file.relative_to(folder).parts):
                yield file
