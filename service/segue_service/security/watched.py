# SPDX-License-Identifier: Apache-2.0
"""A file that is read again when it changes; a broken new one is told, counted and not used."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from segue_service.observe.log import logger
from segue_service.observe.metrics import Metrics

T = TypeVar("T")
Stamp = tuple[int, int, int, int]
MOST_BYTES: Final = 1 << 20
EVERY: Final = 2.0
"""Seconds between two looks."""
_log = logger("security")


class FileError(ValueError):
    """A file that can't be used; the message names it and what was expected."""


class WatchedFile(Generic[T]):
    """What a file holds. `value` is always the last that was good. `look` reads on a thread, so that parsing a long
    file never stands in the way of the music. Raises FileError on construction."""

    def __init__(self, path: Path, read: Callable[[str], T], metrics: Metrics) -> None:
        self._path, self._read, self._metrics = path, read, metrics
        self._seen = stamp_of(path)
        self.value = self._load()
        self.revision = 0
        """Grows with every new content."""

    async def look(self) -> bool:
        """Read the file again if it has changed; gives whether `value` is another one now. Never raises."""
        stamp = stamp_of(self._path)
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            self.value = await asyncio.to_thread(self._load)
        except FileError as error:
            self._metrics.reloads.labels(self._path.name, "refused").inc()
            _log.error("a changed file can't be used; what it held before stays in force", error=str(error))
            return False
        self.revision += 1
        self._metrics.reloads.labels(self._path.name, "used").inc()
        _log.info("a changed file is in force", file=str(self._path))
        return True

    def _load(self) -> T:
        try:
            with self._path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
            if len(raw) > MOST_BYTES:
                raise FileError(f"{self._path}: expected at most {MOST_BYTES >> 10} KiB")
            return self._read(raw.decode("utf-8-sig"))
        except OSError as error:
            raise FileError(f"{self._path}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise FileError(f"{self._path}: expected UTF-8 text") from None
        except FileError:
            raise
        except ValueError as error:
            raise FileError(f"{self._path}: {error}") from None


def stamp_of(path: Path) -> Stamp | None:
    """What tells one content from the next without reading it, links followed, as those of a mounted ConfigMap; None:
    there is no such file."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
    return None


async def watch(*files: WatchedFile[Any], every: float = EVERY) -> None:
    """Look at files for ever."""
    while True:
        await asyncio.sleep(every)
        for file in files:
            await file.look()
