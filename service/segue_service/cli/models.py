# SPDX-License-Identifier: Apache-2.0
"""`segue models`: what models are here, where they lie, and the commands that bring, check, credit and imitate them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from segue_service.cli.console import console, write_json
from segue_service.cli.models_check import check
from segue_service.cli.models_credits import credits_
from segue_service.cli.models_download import download
from segue_service.cli.models_shared import ModelsDir, explained
from segue_service.cli.models_synthesise import synthesise

models = typer.Typer(help="What models are here, where they lie, and how to get more.", no_args_is_help=True)

STYLES = {"ready": "green", "damaged": "red", "missing": "dim", "synthetic noise": "yellow"}


@models.command("list")
def list_models(
    models_dir: ModelsDir = None,
    json: Annotated[Path | None, typer.Option(help="Also write the list to this file.")] = None,
) -> None:
    """List the models that this version knows, by a look at their files' headers (`check` looks at every byte)."""
    from segue_engine.checkpoints.survey import survey

    table = Table("model", "state", box=None, pad_edge=True)
    table.add_column("where", overflow="fold")
    table.add_column("detail")
    with explained():
        found = survey(models_dir)
    for model in found:
        where = "with the package" if model.name == "starter" else str(model.folder)
        table.add_row(model.name, f"[{STYLES[model.state]}]{model.state}[/]", escape(where), escape(model.detail))
    console.print(table)
    for model in found:
        if model.repair:
            console.print(f" {model.name}: {model.repair}", style="dim", markup=False, soft_wrap=True)
    write_json(json, {model.name: {**asdict(model), "folder": str(model.folder)} for model in found})


@models.command()
def where(
    model: Annotated[str, typer.Argument(help="Which model.")],
    models_dir: ModelsDir = None,
) -> None:
    """Print the folder of a model's files, then each file; for one that is not here, where it was looked for."""
    from segue_engine.checkpoints.located import CODEC_HELP, locate
    from segue_engine.checkpoints.places import places
    from segue_engine.checkpoints.survey import starter_folder

    if model == "starter":
        print(starter_folder())
        return
    with explained():
        located = locate(model, models_dir)
    print(located.root)
    parts = [
        ("checkpoint", located.checkpoint),
        *(("codec", path) for path in located.codec if located.codec_apart),
        ("encoder", located.encoder),
        ("musiccoca", located.musiccoca),
        ("mapper", located.mapper),
    ]
    for part, path in parts:
        if path is not None:
            print(f"  {part:<11}{path}")
    for name in located.missing:
        print(f"  {'missing':<11}{name}")
    for name in located.absent:
        print(f"  {'not here':<11}{name} (not required)")
    if located.missing:
        for place in places(models_dir, located.family):
            print(f"  {'looked in':<11}{place.folder} ({place.whose})")
        if located.codec_apart and not located.codec:
            print(f"  {CODEC_HELP}")
        print(f"  {located.repair}")


models.command()(check)
models.command()(download)
models.command("credits")(credits_)
models.command()(synthesise)
