# SPDX-License-Identifier: Apache-2.0
"""What a check found, as a table, as JSON and as an exit code; and a line that says how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from segue_service.cli.bench import hardware

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@dataclass(slots=True)
class Outcome:
    """rows: one a line of the table, all with the same keys. broken: laws that did not hold, a sentence each."""

    check: str
    settings: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def law(self, holds: bool, otherwise: str) -> None:
        """Book a law; the sentence says what happened instead."""
        if not holds:
            self.broken.append(otherwise)

    def show(self) -> None:
        """Print the table, and what is broken."""
        said = ", ".join(f"{name} {value}" for name, value in self.settings.items())
        table = Table(title=f"{self.check}: {said}", title_justify="left", box=None, pad_edge=True)
        for name in self.rows[0] if self.rows else ():
            table.add_column(name.replace("_", " "), justify="right")
        for row in self.rows:
            table.add_row(*("–" if value is None else str(value) for value in row.values()))
        console.print(table)
        for note in self.notes:
            console.print(f" {note}", markup=False)
        for sentence in self.broken:
            console.print(f" BROKEN  {sentence}", style="red", markup=False)
        if not self.broken:
            console.print(" holds", style="green")


def show_figures(outcome: Outcome) -> None:
    """Print what a client told at its end (`settings["figures"]`), a line each, and then the outcome."""
    figures = outcome.settings.pop("figures")
    console.print(f"{outcome.check}: {', '.join(f'{name} {value}' for name, value in outcome.settings.items())}")
    for name, value in figures.items():
        console.print(f" {name:<22} {'–' if value is None else value}", markup=False)
    outcome.show()
    outcome.settings["figures"] = figures


def spread(seconds: Sequence[float]) -> dict[str, int | None]:
    """p50, p95 and max in milliseconds."""
    if not seconds:
        return {"p50_ms": None, "p95_ms": None, "max_ms": None}
    p50, p95 = (round(float(value) * 1000) for value in np.percentile(seconds, (50, 95)))
    return {"p50_ms": p50, "p95_ms": p95, "max_ms": round(max(seconds) * 1000)}


def write(path: Path | None, facts: Mapping[str, Any], outcomes: Sequence[Outcome]) -> None:
    """Write everything where the user asked for it."""
    if path is None:
        return
    versions = {name: metadata.version(name) for name in ("segue", "grpcio", "numpy")}
    report = {
        "model": facts.get("model"),
        "device": facts.get("device"),
        "hardware": hardware(),
        "versions": versions,
        "checks": [asdict(outcome) for outcome in outcomes],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class Progress:
    """A line that redraws itself on a terminal; in a log, one every quarter."""

    def __init__(self, label: str, seconds: float) -> None:
        self.note = ""
        self._label, self._seconds = label, max(seconds, 0.1)
        self._live, self._said = sys.stdout.isatty(), -1

    @contextlib.asynccontextmanager
    async def shown(self) -> AsyncIterator[Progress]:
        """Show it for as long as the block runs."""
        task = asyncio.create_task(self._show())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if self._live:
                print("\r\x1b[K", end="", flush=True)

    async def _show(self) -> None:
        began = time.monotonic()
        while True:
            gone = time.monotonic() - began
            line = f" {self._label:<10} {gone:5.0f} of {self._seconds:.0f} s  {self.note}"
            if self._live:
                print(f"\r\x1b[K{line[:110]}", end="", flush=True)
            elif int(4 * gone / self._seconds) > self._said:
                self._said = int(4 * gone / self._seconds)
                print(line, flush=True)
            await asyncio.sleep(0.5)


async def progress(label: str, seconds: float) -> None:
    """Wait so long, and show it."""
    async with Progress(label, seconds).shown():
        await asyncio.sleep(seconds)
