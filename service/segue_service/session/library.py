# SPDX-License-Identifier: Apache-2.0
"""The soundtracks that sessions can be created with: compiled, embedded, by name and version."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from segue_engine.contract import Capabilities, Prompt, StyleEncoder
from segue_service.errors import limit_reached, unknown, version_conflict
from segue_service.session.score import Score, follows_score
from segue_service.session.styles import AudioLoader, FloatArray, StyleTable
from segue_service.soundtrack import Diagnostic, Machine, Soundtrack, build, check, content_hash


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A soundtrack, ready to be played. hash is hexadecimal SHA-256."""

    soundtrack: Soundtrack
    hash: str
    built: str
    machine: Machine
    styles: StyleTable
    diagnostics: tuple[Diagnostic, ...]
    owner: str | None = None
    """The tenant that has uploaded it; "": an operator or anybody. None: the server began with it."""

    @property
    def name(self) -> str:
        return self.soundtrack.soundtrack

    @property
    def version(self) -> int:
        return self.soundtrack.version


class Library:
    """Records by name and version. Lookups from the event loop; embedding runs on the executor."""

    def __init__(
        self,
        encoder: StyleEncoder,
        executor: Executor,
        capabilities: Capabilities | None = None,
        *,
        limit: int = 256,
        cache: int = 4096,
    ) -> None:
        """capabilities: of the model that will play; without them a `music` section is not made into notes."""
        self._scored = capabilities is not None and follows_score(capabilities)
        self._encoder = encoder
        self._executor = executor
        self._limit = limit
        self._cache = cache
        self._records: dict[str, dict[int, Record]] = {}

    async def compile(self, soundtrack: Soundtrack, audio: AudioLoader | None = None) -> Record:
        """Embed and compile without keeping. Raises PromptError."""

        def work() -> Record:
            music = soundtrack.music if self._scored else None
            score = None if music is None else Score(music)
            styles = StyleTable(soundtrack, self._encoder, audio, self._cache, score)
            return Record(
                soundtrack=soundtrack,
                hash=content_hash(soundtrack).removeprefix("sha256:"),
                built=build(soundtrack),
                machine=Machine(soundtrack),
                styles=styles,
                diagnostics=tuple(check(soundtrack)),
            )

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def keep(self, record: Record, *, replace: bool = False) -> None:
        """Make a record available. Sessions that run keep the one that they have. Raises Refused."""
        versions = self._records.get(record.name, {})
        there = versions.get(record.version)
        if there is not None and there.hash != record.hash and not replace:
            raise version_conflict(
                f'soundtrack "{record.name}" version {record.version} exists with another content: '
                "raise its version, or upload with replace"
            )
        if there is None and sum(map(len, self._records.values())) >= self._limit:
            raise limit_reached(f"the server keeps {self._limit} soundtracks, as many as it may", 60_000)
        self._records.setdefault(record.name, {})[record.version] = record

    def has(self, name: str) -> bool:
        """Whether there is any version of this name."""
        return name in self._records

    def owner(self, name: str) -> str | None:
        """Who has uploaded the newest version of this name. KeyError if there is none."""
        versions = self._records[name]
        return versions[max(versions)].owner

    def get(self, name: str, version: int = 0, may_use: Callable[[str], bool] | None = None) -> Record:
        """A record; version 0 is the newest. What may not be used is as if it were not there.

        Raises Refused NOT_FOUND with near misses.
        """
        versions = self._records.get(name) if may_use is None or may_use(name) else None
        if not versions:
            known = sorted(other for other in self._records if may_use is None or may_use(other))
            raise unknown("soundtrack", name, difflib.get_close_matches(name, known, 5, 0.5), known)
        found = versions.get(version or max(versions))
        if found is None:
            have = ", ".join(map(str, sorted(versions)))
            message = f'soundtrack "{name}" has no version {version}. There is: {have}'
            raise unknown("soundtrack", name, [name], [name], message)
        return found

    @property
    def encoder(self) -> StyleEncoder:
        """What understands the prompts."""
        return self._encoder

    async def blend(
        self, rows: Sequence[FloatArray | None], prompts: Sequence[Prompt], weights: FloatArray
    ) -> tuple[FloatArray, list[str]]:
        """f32[768] of weighted rows, each an embedding or None for the next of `prompts`; and a note per row.

        Raises PromptError.
        """

        def work() -> tuple[FloatArray, list[str]]:
            embedded = self._encoder.embed(prompts) if prompts else None
            found = iter(() if embedded is None else zip(embedded.embeddings, embedded.notes, strict=True))
            pairs = [next(found) if row is None else (row, "") for row in rows]
            return self._encoder.blend(np.stack([row for row, _ in pairs]), weights), [note for _, note in pairs]

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    async def quantise(self, embedding: FloatArray) -> list[int]:
        """Style codes of one embedding."""

        def work() -> list[int]:
            return [int(code) for code in self._encoder.quantise(embedding[None])[0]]

        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def newest(self) -> Sequence[Record]:
        """The newest version of each soundtrack, by name."""
        return [versions[max(versions)] for _, versions in sorted(self._records.items())]
