# SPDX-License-Identifier: Apache-2.0
"""What `segue test` and `segue bake` share: an engine for many parts, a soundtrack compiled for it, progress."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from segue_service.cli.console import CommandError, console
from segue_service.cli.engine import build_engine
from segue_service.cli.files import prompt_audio
from segue_service.soundtrack import Soundtrack

if TYPE_CHECKING:
    from segue_engine.assemble import Assembly
    from segue_service.session.library import Record

MOST_SLOTS = 32
"""Of the starter, unless more are asked for: more don't make a batch faster."""

Slots = Annotated[int | None, typer.Option(min=1, help="Slots at once (default: what the device usually carries).")]


@contextmanager
def engine_for(
    model: str,
    parts: int,
    slots: int | None,
    device: str,
    models_dir: Path | None,
    *,
    dtype: Literal["auto", "float32", "bfloat16"],
    codec: Literal["auto", "float32", "tf32", "bfloat16"],
    style_levels: int,
    mapper: Literal["auto", "on", "off"],
) -> Iterator[Assembly]:
    """A warm engine for so many parts, closed at the end. Raises CommandError."""
    wanted = slots
    if slots is None and model in ("starter", "fake"):
        wanted = min(parts, MOST_SLOTS)
    with console.status(f"loading {model} …"):
        assembly = build_engine(
            *(model, wanted, device, models_dir), dtype=dtype, codec=codec, style_levels=style_levels, mapper=mapper
        )
        assembly.engine.warm_up()
    try:
        yield assembly
    finally:
        assembly.engine.close()


async def compiled(
    assembly: Assembly, soundtrack: Soundtrack, folder: Path, executor: Executor, asked: Soundtrack | None = None
) -> tuple[Record, list[str]]:
    """The soundtrack for this model, and what the model does not understand or can't do (of `asked`, if given).

    Raises CommandError.
    """
    from segue_engine.contract import EngineError
    from segue_service.session.library import Library
    from segue_service.session.shortfalls import shortfalls

    library = Library(assembly.style_encoder, executor, assembly.info.capabilities)
    try:
        record = await library.compile(soundtrack, prompt_audio(folder))
    except EngineError as error:
        raise CommandError(f"{folder}: {error}", 2) from None
    notes = [f"styles.{style}: {note}" for style, note in record.styles.notes.items()]
    notes += shortfalls(asked or soundtrack, assembly.info)
    for note in notes:
        console.print(f" note: {note}", style="yellow", markup=False)
    return record, notes


def progress(what: str) -> Progress:
    """A bar of things done out of all, with the seconds of music made so far as the task's field `music`."""
    return Progress(
        TextColumn(f" {what}"),
        BarColumn(40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[music]:.0f} s of music"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that under its name there is either the old or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CommandError(f"{path}: {error.strerror or error}") from None
