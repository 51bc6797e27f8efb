# SPDX-License-Identifier: Apache-2.0
"""What the `segue models` commands share: an option, sentences for what goes wrong, progress bars."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from segue_service.cli.console import EXIT_FAILED, CommandError, console
from segue_service.cli.engine import ModelsDir

__all__ = ["LONG", "ModelsDir", "bars", "explained"]

LONG: Final = 100_000_000


@contextlib.contextmanager
def explained(code: int = EXIT_FAILED) -> Iterator[None]:
    """What the engine raises on purpose becomes the command's last sentence."""
    from segue_engine.contract import EngineError

    try:
        yield
    except EngineError as error:
        raise CommandError(str(error), code) from None


@contextlib.contextmanager
def bars() -> Iterator[Callable[[str, int, int], Callable[[int], None]]]:
    """A bar for each piece of work with bytes: progress(label, total, done) begins one and gives what moves it."""
    if not console.is_terminal:
        yield _line
        return
    columns = (
        TextColumn(" {task.description:<32.32}"),
        BarColumn(24),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as drawn:
        last: list[TaskID] = []

        def begin(label: str, total: int, done: int) -> Callable[[int], None]:
            for task in last:
                drawn.remove_task(task)
            task = drawn.add_task(label, total=total, completed=done)
            last[:] = [task]
            return lambda count: drawn.advance(task, count)

        yield begin


def _line(label: str, total: int, done: int) -> Callable[[int], None]:
    """In a log: a line for each piece of work that takes a while."""
    if total - done >= LONG:
        console.print(f" {label}, {(total - done) / 1e6:,.0f} MB", markup=False)
    return lambda count: None
