# SPDX-License-Identifier: Apache-2.0
"""Soundtracks that a server was started with, taken up anew when their files change. Event loop only.

A change is read once it has looked the same twice, so that a file that is being written is left alone. From there it
goes the way of an upload with `replace`, within the same limits and off the event loop; but sessions of the same
version go on by it, which after an upload keep what they have. What can't be used is told once per content, and what
was served before stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from segue_service.api.soundtrack_limits import parsed
from segue_service.errors import refusal_of
from segue_service.observe.log import logger
from segue_service.session.library import Library, Record
from segue_service.session.registry import Registry
from segue_service.soundtrack import Soundtrack, load_raw
from segue_service.soundtrack_files import (
    SeenFile,
    SoundtrackFiles,
    SoundtrackFilesError,
    Stamps,
    identity_of,
    read_raw,
)

SETTLE: Final = 0.2
"""Seconds after which what has changed is looked at again, if looks are not as frequent anyway."""
_LABEL: Final = "soundtracks"
_log = logger("soundtracks")


class Reloading:
    """Keeps a library as new as its files. `look` is one look; nothing that it meets makes it raise."""

    def __init__(self, files: SoundtrackFiles, library: Library, registry: Registry) -> None:
        self._files, self._library, self._registry = files, library, registry
        self._parts = parts = registry.parts
        self._last: dict[Path, Stamps] = {file: seen.stamps for file, seen in files.seen.items()}
        self._clashing: dict[Path, str] = {}
        self._reloads = parts.metrics.reloads
        for result in ("used", "refused"):
            self._reloads.labels(_LABEL, result)

    async def run(self, every: float) -> None:
        """Look every so many seconds, until cancelled."""
        soon = False
        while True:
            await asyncio.sleep(min(every, SETTLE) if soon else every)
            soon = await self.look()

    async def look(self) -> bool:
        """Take up what has changed and has settled; gives whether anything has still to settle."""
        found = await asyncio.to_thread(self._files.stamps)
        known, last = self._files.seen, self._last
        changed = [file for file, stamps in found.items() if file not in known or known[file].stamps != stamps]
        gone = [file for file in known if file not in found]
        settled = [file for file in changed if last.get(file) == found[file]]
        self._last = found
        for file in (file for file in gone if file not in last):
            self._forget(file)
        for file in settled:
            await self._read(file, found[file])
        return any(last.get(file) != found.get(file) for file in (*changed, *gone))

    def _forget(self, file: Path) -> None:
        del self._files.seen[file]
        self._clashing.pop(file, None)
        _log.warning("a soundtrack's file is gone; what it held is served until the server ends", file=str(file))
        self._try_again()

    async def _read(self, file: Path, stamps: Stamps) -> None:
        seen = self._files.seen.setdefault(file, SeenFile())
        try:
            raw = await asyncio.to_thread(read_raw, file)
        except OSError as error:  # its stamp need not change when it can be read again
            why = f"{file}: {error.strerror or error}"
            if seen.identity != (why, ()):
                seen.identity = (why, ())
                self._refuse(file, why)
            return
        seen.stamps, identity = stamps, identity_of(raw, stamps)
        if seen.identity == identity:  # only touched
            return
        seen.identity, clash = identity, self._clashing.pop(file, "")
        try:
            record = await self._record(file, stamps, raw, seen)
            self._library.keep(record, replace=True)
        except SoundtrackFilesError as error:
            self._clashing[file] = str(error)
            if str(error) != clash:
                self._refuse(file, str(error))
        except Exception as error:
            refused = refusal_of(error)
            self._refuse(file, str(error), None if refused is not None else error)
        else:
            self._tell(file, record, len(raw), await self._registry.exchange(record))
            self._try_again()

    async def _record(self, file: Path, stamps: Stamps, raw: bytes, seen: SeenFile) -> Record:
        def parse() -> Soundtrack:
            soundtrack = load_raw(raw, file)[0]
            seen.take(file, stamps[0], raw, soundtrack)
            return soundtrack

        soundtrack = await parsed(len(raw), parse, self._parts)
        self._files.check(file, seen)
        return await self._library.compile(soundtrack, self._files.audio(file.parent))

    def _try_again(self) -> None:
        """Read those anew that were refused because of another file, now that one has changed."""
        for file in self._clashing:
            self._files.seen[file].stamps, self._files.seen[file].identity = (), None

    def _refuse(self, file: Path, why: str, fault: Exception | None = None) -> None:
        self._reloads.labels(_LABEL, "refused").inc()
        told = "a changed soundtrack can't be used; what was served before stays"
        _log.error(told, file=str(file), error=why, exc_info=fault)

    def _tell(self, file: Path, record: Record, size: int, sessions: int) -> None:
        self._reloads.labels(_LABEL, "used").inc()
        what = f"{record.name} {record.version}"
        self._parts.security.audit.note("reload", soundtrack=what, detail=f"{size} bytes, {file.name}")
        facts = {"soundtrack": record.name, "version": record.version, "file": str(file)}
        _log.info("a soundtrack's file has changed: sessions of this version play it", follow=sessions, **facts)
        for style, note in record.styles.notes.items():
            _log.warning("a style is not understood as a whole", style=style, note=note, **facts)
        newest = self._library.get(record.name).version
        if newest > record.version:
            _log.warning("new sessions that name no version play a newer one", newest=newest, **facts)


@contextlib.asynccontextmanager
async def reloading(files: SoundtrackFiles, library: Library, registry: Registry) -> AsyncIterator[None]:
    """Keeps the library as new as its files for as long as the block runs, as the settings ask for it."""
    every_ms = registry.parts.settings.soundtrack_reload_ms
    if not every_ms:
        yield
        return
    looking = asyncio.get_running_loop().create_task(Reloading(files, library, registry).run(every_ms / 1000))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
