# SPDX-License-Identifier: Apache-2.0
"""One target at one server of its own for as long as asked: inputs in, findings out."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from network.outcome import Outcome, Progress
from network.serving import BenchError, Serve, Served, serving

from fuzzing.cases import Case, Findings
from fuzzing.chance import Chance
from fuzzing.pace import Pace
from fuzzing.subject import SETTINGS, Subject
from fuzzing.target_web import release
from fuzzing.targets import Target
from fuzzing.watching import Log, Twins, watch

_REMEMBERED: Final = 48
"""Inputs that are kept with a finding: the last ones up to it."""
_DRAIN_SHARE: Final = 0.05
_STARTS: Final = 5
_AFTER: Final = 1.5
"""Seconds for which a server is watched after inputs that were sent once more."""


@dataclass(slots=True)
class Campaign:
    """seconds: of fuzzing, without what starting takes. limit: seconds for one input. grow_mb: what a server's memory
    may grow by. stall: seconds that a neighbour may be without music. together: inputs at the same time."""

    target: Target
    seconds: float
    seed: int
    folder: Path
    first: int = 0
    limit: float = 10.0
    grow_mb: float = 400.0
    stall: float = 3.0
    together: int = 4
    soundtrack: Path = Path()
    findings: Findings = field(init=False)
    outcome: Outcome = field(init=False)
    inputs: int = 0
    slowest: tuple[float, str] = (0.0, "")
    _recent: deque[Case] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _answers: Counter[str] = field(default_factory=Counter)
    _figures: dict[str, Any] = field(default_factory=dict)
    _spent: float = 0.0
    _starts: int = 0

    def __post_init__(self) -> None:
        self.findings = Findings(self.folder, self.seed)
        asked = {"minutes": round(self.seconds / 60, 2), "seed": self.seed, "first": self.first}
        self.outcome = Outcome(self.target.name, asked | {"together": self.together})

    async def run(self) -> Outcome:
        """Until the time is over. A server that is dead is a finding, and another one takes its place."""
        numbers = itertools.count(self.first)
        try:
            for _ in range(_STARTS):
                if self._spent >= self.seconds:
                    break
                await self._one_server(numbers)
        finally:
            self._conclude()
        return self.outcome

    async def again(self, cases: list[Case]) -> Outcome:
        """Send these once, in order."""
        self.findings = Findings(None, self.seed)
        try:
            async with self._server() as (server, subject, log), self._watched(server, log, subject):
                for case in cases:
                    await self._try(case, subject, log)
                await asyncio.sleep(_AFTER)
        finally:
            self._conclude()
        return self.outcome

    async def _one_server(self, numbers: Iterator[int]) -> None:
        drains = self.target.name == "rpc"
        left = self.seconds - self._spent
        async with self._server() as (server, subject, log), self._watched(server, log, subject):
            twins, began = Twins(subject.pace), time.monotonic()
            end = began + (left * (1 - _DRAIN_SHARE) if drains else left)
            try:
                async with (
                    twins.playing(server.address, "dungeon", self._book),
                    Progress(self.target.name, left).shown() as progress,
                ):
                    await self._fuzz(subject, numbers, end, server, log, progress)
                    release()
                    twins.check(self.stall, self._book)
                if drains and _lives(server):
                    subject.may_drain = True
                    await self._fuzz(subject, numbers, began + left, server, log)
            finally:
                waited = round(1000 * twins.longest_wait)
                self._figures["neighbours_wait_ms"] = max(waited, self._figures.get("neighbours_wait_ms", 0))
                self._figures["neighbours_frames"] = self._figures.get("neighbours_frames", 0) + twins.compared
                self._spent += time.monotonic() - began
                self._answers.update(subject.answers)

    async def _fuzz(
        self,
        subject: Subject,
        numbers: Iterator[int],
        end: float,
        server: Served,
        log: Log,
        progress: Progress | None = None,
    ) -> None:
        async def worker() -> None:
            while time.monotonic() < end and _lives(server):
                number = next(numbers)
                chance = Chance(self.seed, self.target.name, number)
                await self._try(self.target.draw(chance, subject, number), subject, log)
                if progress is not None:
                    progress.note = f"{self.inputs} inputs, {len(self.findings.found)} findings"

        workers = [asyncio.create_task(worker()) for _ in range(self.together)]
        try:
            await asyncio.gather(*workers)
        finally:
            for task in workers:
                task.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _try(self, case: Case, subject: Subject, log: Log) -> None:
        self._recent.append(case)
        began = subject.pace.now()
        try:
            what = await self.target.send(case, subject)
        except OSError as error:  # the server is gone: the watch says so
            what = None
            await asyncio.sleep(0.1)
            self._answers[type(error).__name__] += 1
        except Exception as error:
            what = f"the client was not prepared for this: {error!r}"
        spent = subject.pace.now() - began
        self.slowest = max(self.slowest, (spent, case.kind))
        self.inputs += 1
        before = [*(one for one in self._recent if one is not case), case]
        for wrong in ([] if what is None else [what]) + log.wrong():
            self.findings.note(wrong, before)

    def _book(self, what: str) -> None:
        self.findings.note(what, self._recent)

    @contextlib.asynccontextmanager
    async def _watched(self, server: Served, log: Log, subject: Subject) -> AsyncIterator[None]:
        """Book what the server does wrong for as long as the block runs, to the last line of its log."""
        task = asyncio.create_task(
            watch(server, log, subject, self.grow_mb, self._book, self._figures),
        )
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for fault in log.wrong():
                self._book(fault)

    @contextlib.asynccontextmanager
    async def _server(self) -> AsyncIterator[tuple[Served, Subject, Log]]:
        self.target.prepare()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._starts += 1
        path = self.folder / f"{self.target.name}-{self._starts}.log"
        wish = Serve(self.soundtrack, "fake", None, 16, {"drain_ms": 200, "web_port": 0, **SETTINGS}, log=path)
        async with serving(wish, lambda _: None) as server:
            pace = Pace(None if server.process is None else server.process.pid)
            subject = Subject(server.address, ("127.0.0.1", server.facts["web_port"]), self.limit, pace)
            try:
                async with subject.open():
                    yield server, subject, Log(path)
            except (AssertionError, grpc.aio.AioRpcError) as error:
                raise BenchError(f"the server can't be fuzzed: {error}") from error

    def _conclude(self) -> None:
        per_second = round(self.inputs / self._spent, 1) if self._spent else None
        row: dict[str, Any] = {"inputs": self.inputs, "per_second": per_second, "findings": len(self.findings.found)}
        row |= {"slowest_ms": round(1000 * self.slowest[0]), "slowest": self.slowest[1] or None, **self._figures}
        self.outcome.rows.append(row)
        ends = ", ".join(f"{name} {count}" for name, count in self._answers.most_common())
        self.outcome.notes.append(f"answers: {ends or 'none'}")
        for finding in self.findings.found.values():
            where = "" if finding.file is None else f"  [{finding.file.name}]"
            self.outcome.broken.append(f"{finding.times}× {finding.what[:600]}{where}")


def _lives(server: Served) -> bool:
    return server.process is None or server.process.returncode is None
