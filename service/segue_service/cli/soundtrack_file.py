# SPDX-License-Identifier: Apache-2.0
"""What `segue check` and `segue build` share: reading a soundtrack file and ending with exit code 2 if it is broken."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NoReturn

import typer

from segue_service.soundtrack import Diagnostic, Soundtrack, SoundtrackError, check, load_with_places

BROKEN: Final = 2


def read_checked(path: Path) -> tuple[Soundtrack, tuple[Diagnostic, ...]]:
    """The soundtrack and its warnings; prints every mistake and exits with code 2 if there is one."""
    try:
        soundtrack, document = load_with_places(path)
    except SoundtrackError as error:
        show(error.diagnostics)
        count = len(error.diagnostics)
        fail(f"{count} mistake{'' if count == 1 else 's'}")
    except OSError as error:
        fail(f"{path}: {(error.strerror or str(error)).lower()}")
    return soundtrack, (*check(soundtrack, document), *_missing_files(soundtrack, path))


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """One line each on stderr, in colour on a terminal."""
    colours = {"error": typer.colors.RED, "warning": typer.colors.YELLOW, "note": typer.colors.BRIGHT_BLACK}
    for diagnostic in diagnostics:
        typer.secho(diagnostic.render(), err=True, fg=colours[diagnostic.severity])


def fail(message: str) -> NoReturn:
    """Says why and exits with code 2."""
    typer.secho(message, err=True, fg=typer.colors.RED)
    raise typer.Exit(BROKEN)


def _missing_files(soundtrack: Soundtrack, path: Path) -> tuple[Diagnostic, ...]:
    """Recordings that a YAML soundtrack names and that do not lie next to it; a built file has left its folder."""
    if path.suffix == ".json":
        return ()
    named = [
        (f"styles.{name}.prompts[{i}].audio", prompt.audio)
        for name, style in soundtrack.styles.items()
        for i, prompt in enumerate(style.prompts)
        if prompt.audio is not None
    ]
    named += [(f"stingers.{name}.clip", s.clip) for name, s in soundtrack.stingers.items() if s.clip is not None]
    return tuple(
        Diagnostic("warning", f'there is no file "{file}" next to the soundtrack', where, str(path))
        for where, file in named
        if not (path.parent / file).is_file()
    )
