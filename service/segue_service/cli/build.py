# SPDX-License-Identifier: Apache-2.0
"""`segue build FILE`: a soundtrack as the one JSON file that SDKs read and servers take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue_service.cli.soundtrack_file import fail, read_checked, show
from segue_service.soundtrack import build as build_text
from segue_service.soundtrack import content_hash


def build(
    path: Annotated[Path, typer.Argument(help="A *.soundtrack.yaml.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write; default: next to it, as *.soundtrack.json.")
    ] = None,
) -> None:
    """Compile a soundtrack to JSON. Exit code 2: the file is broken."""
    soundtrack, diagnostics = read_checked(path)
    show(diagnostic for diagnostic in diagnostics if diagnostic.severity == "warning")
    target = out if out is not None else path.with_suffix(".json")
    if target.resolve() == path.resolve():
        fail(f"--out {target}: this is the soundtrack itself")
    try:
        target.write_text(build_text(soundtrack), encoding="utf-8")
    except OSError as error:
        fail(f"--out {target}: {(error.strerror or str(error)).lower()}")
    typer.echo(f"{target}  {content_hash(soundtrack)}")
