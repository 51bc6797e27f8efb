# SPDX-License-Identifier: Apache-2.0
"""How the command speaks: one console, sentences instead of stack traces, exit codes that scripts can use."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import typer
from rich.console import Console

EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2
EXIT_INTERRUPTED: Final = 130

console: Final = Console(highlight=False)
errors: Final = Console(stderr=True, highlight=False)


class CommandError(Exception):
    """Ends a command with a sentence and an exit code; never a stack trace."""

    def __init__(self, message: str, code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.code = code


def guarded(run: Callable[[], Any]) -> int:
    """Run the command line; turns what it ends with into an exit code and a sentence on standard error."""
    try:
        run()
    except CommandError as failure:
        errors.print(f"segue: {failure}", markup=False, soft_wrap=True)
        return failure.code
    except KeyboardInterrupt:
        errors.print("segue: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `segue check … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_FAILED
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_FAILED
    return 0


def existing_file(path: Path, what: str) -> Path:
    """The path, if it is a readable file; else a CommandError that names it."""
    if not path.is_file():
        raise CommandError(f"{path}: no such {what}", EXIT_BAD_INPUT)
    return path


def write_json(path: Path | None, report: Mapping[str, Any]) -> None:
    """Write a report where the user asked for one with --json."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def stop_requested(code: int) -> typer.Exit:
    """The exception that ends a command early with an exit code."""
    return typer.Exit(code)
