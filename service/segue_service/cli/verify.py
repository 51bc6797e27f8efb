# SPDX-License-Identifier: Apache-2.0
"""`segue verify --vectors DIR`: golden vectors of a published model against our code, array by array."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from segue_service.cli.bench import hardware
from segue_service.cli.console import EXIT_BAD_INPUT, EXIT_FAILED, CommandError, console, stop_requested, write_json

if TYPE_CHECKING:
    from segue_engine.verify import FileReport, Report, Row

_SHOWN_APART: Final = 4
"""Up to so many arrays under one rule get a line each; more are one line, failures always their own."""


class Bars:
    """One progress bar for the file at work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, file: str, steps: int) -> None:
        self._task = self._progress.add_task(file, total=steps)

    def tick(self) -> None:
        if self._task is not None:
            self._progress.advance(self._task)

    def finish(self, report: FileReport) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


def verify(
    vectors: Annotated[Path, typer.Option(help="Folder of golden vectors, with meta.json and tolerances.json.")],
    only: Annotated[list[str] | None, typer.Option(help="File name or pattern, such as 'vii_*'; repeatable.")] = None,
    skip_large: Annotated[
        bool, typer.Option("--skip-large", help="Leave out models of published size: minutes, 2 GB.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu or tpu.")] = "auto",
    json: Annotated[Path | None, typer.Option(help="Also write the report to this file.")] = None,
) -> None:
    """Run golden vectors against this build. Exit code 1: something differs; 2: the set can't be checked."""
    if json is not None and json.is_dir():
        raise CommandError(f"--json: expected a file, but {json} is a folder", EXIT_BAD_INPUT)
    _start(device)
    from segue_engine.verify import VectorError
    from segue_engine.verify import verify as run
    from segue_engine.verify.registry import CHECKS

    started = time.perf_counter()
    columns = TextColumn(" {task.description:<34}"), BarColumn(28), MofNCompleteColumn(), TimeElapsedColumn()
    try:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            report = run(vectors, CHECKS, only=only or (), skip_large=skip_large, watcher=Bars(progress))
    except VectorError as error:
        raise CommandError(f"{vectors}: {error}", EXIT_BAD_INPUT) from None
    took = time.perf_counter() - started
    _show(report, took)
    try:
        write_json(json, {**report.as_json(), "hardware": hardware(), "took_s": round(took, 1)})
    except OSError as error:
        raise CommandError(f"--json {json}: {error.strerror or error}") from None
    if not report.passed:
        raise stop_requested(EXIT_FAILED)


def _start(device: str) -> None:
    from segue_engine.assemble import DEVICES

    if device not in DEVICES:
        raise CommandError(f"--device: expected one of {', '.join(DEVICES)}, got {device!r}", EXIT_BAD_INPUT)
    from segue_engine.batch.platform import prepare
    from segue_engine.contract import EngineError

    try:
        prepare(device, None)
    except EngineError as error:
        raise CommandError(str(error)) from None


def _show(report: Report, took: float) -> None:
    table = Table("file", "array", "way", "tolerance", "worst", "", box=None, pad_edge=True)
    for column in table.columns:
        column.overflow = "fold"
    for file in report.files:
        name = file.name
        for array, way, rule, worst, passed in _lines(file.rows):
            mark = Text("pass", "green") if passed else Text("FAIL", "bold red")
            table.add_row(*(Text(cell) for cell in (name, array, way, rule, worst)), mark)
            name = ""
    if not console.is_terminal:  # into a note or an issue: as wide as it takes
        table.width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
    console.print(table, crop=console.is_terminal)
    skipped: dict[str, list[str]] = {}
    for file in report.files:
        if file.status == "not checked":
            console.print(f" {file.name}: NOT CHECKED: {file.note}", style="bold yellow", markup=False, soft_wrap=True)
        elif file.status == "skipped":
            skipped.setdefault(file.note, []).append(file.name)
        elif file.note:
            console.print(f" {file.name}: {file.note}", style="yellow", markup=False, soft_wrap=True)
    for why, names in skipped.items():
        console.print(f" skipped ({why}): {', '.join(names)}", style="yellow", markup=False, soft_wrap=True)
    rows, checked = report.rows, sum(file.status == "checked" for file in report.files)
    failed = sum(not row.passed for row in rows)
    verdict = "all passed" if not failed else "1 failure" if failed == 1 else f"{failed} failures"
    console.print(
        f" {checked} files, {len(rows)} comparisons, {verdict}, {took:.0f} s",
        style="green" if not failed else "bold red",
        markup=False,
    )


def _lines(rows: Sequence[Row]) -> Iterator[tuple[str, str, str, str, bool]]:
    """(array, way, tolerance, worst, passed) per row, many arrays under one rule in one line."""
    order = {key: index for index, key in enumerate(dict.fromkeys((row.way, row.pattern) for row in rows))}
    for _, group in groupby(sorted(rows, key=lambda r: order[r.way, r.pattern]), key=lambda r: (r.way, r.pattern)):
        alike = list(group)
        passed = [row for row in alike if row.passed]
        together = len(alike) > _SHOWN_APART and len(passed) > 1
        if together:
            first = passed[0]
            yield f"{first.pattern} ({len(passed)})", first.way, first.rule, _worst(passed), True
        for row in alike:
            if not (together and row.passed):
                yield row.array, row.way, row.rule, row.note or _worst([row]), row.passed


def _worst(rows: Sequence[Row]) -> str:
    """The worst of each figure; a correlation is the worse the smaller it is."""
    words = []
    for name in rows[0].figures:
        values = [row.figures[name] for row in rows]
        unlike = [value for value in values if value != value]
        worst = unlike[0] if unlike else min(values) if name == "corr" else max(values)
        shown = f"{worst:.6f}" if name == "corr" else f"{worst:.2g}" if isinstance(worst, float) else f"{worst}"
        words.append(
            {"unequal": f"{shown} unequal", "corr": f"corr {shown}", "rel_rms": f"rms {shown}"}.get(name, shown)
        )
    return ", ".join(words)
