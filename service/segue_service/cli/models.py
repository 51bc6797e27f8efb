# SPDX-License-Identifier: Apache-2.0
"""`segue models`: what models are here, and whether their files are whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from segue_engine.checkpoints.catalogue import Found, catalogue
from segue_service.cli.console import EXIT_FAILED, CommandError, console, stop_requested, write_json

models = typer.Typer(help="What models are here, and whether their files are whole.", no_args_is_help=True)


@models.command("list")
def list_models(
    json: Annotated[Path | None, typer.Option(help="Also write the list to this file.")] = None,
) -> None:
    """List the models that this version knows."""

    table = Table("model", "state", "", box=None, pad_edge=True)
    found = catalogue()
    for model in found:
        style = {"ready": "green", "damaged": "red", "missing": "red"}.get(model.state, "dim")
        table.add_row(model.name, f"[{style}]{model.state}[/]", model.detail)
    console.print(table)
    write_json(json, {model.name: {**asdict(model), "folder": str(model.folder or "")} for model in found})


@models.command()
def check(
    model: Annotated[str | None, typer.Argument(help="One model; else all that are here.")] = None,
) -> None:
    """Check every file against its manifest; exit code 1 if one is missing or damaged."""
    wrong = False
    for found in _named(model):
        if found.state in ("missing", "damaged"):
            wrong = True
            console.print(f" {found.name}: {found.state}: {found.detail}", style="red", markup=False)
        else:
            console.print(f" {found.name}: {found.state}: {found.detail}", markup=False)
    if wrong:
        console.print(" reinstall the package, or fetch the repository's files again", markup=False)
        raise stop_requested(EXIT_FAILED)


@models.command()
def where(model: Annotated[str, typer.Argument(help="Which model.")]) -> None:
    """Print the folder of a model's files."""
    (found,) = _named(model)
    if found.folder is None:
        raise CommandError(f"{found.name}: {found.detail}")
    print(found.folder)


def _named(model: str | None) -> list[Found]:

    known = catalogue()
    if model is None:
        return known
    chosen = [found for found in known if found.name == model]
    if not chosen:
        raise CommandError(f'no model "{model}"; there are: {", ".join(found.name for found in known)}', 2)
    return chosen
