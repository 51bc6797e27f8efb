# SPDX-License-Identifier: Apache-2.0
"""`segue config`: what a server would be told, from where, and whether it would start with that."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from segue_service.cli.config_options import Assigned, ConfigFile
from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console, existing_file
from segue_service.cli.serve import check_start, settings_of

config = typer.Typer(
    help="The server's settings: what they are, and whether a file of them is good.", no_args_is_help=True
)


@config.command()
def show(
    file: ConfigFile = None,
    assigned: Assigned = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is no default.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """Show every setting that `segue serve` would have here, and where it comes from. Secrets are not shown."""
    from segue_service.settings import from_flags, shown

    resolved = settings_of(file, from_flags((), assigned or ()))
    values = {
        name: value for name, value in shown(resolved.settings).items() if not changed or name in resolved.origins
    }
    if json:
        facts: dict[str, Any] = {
            name: {"value": value, "from": resolved.origin(name).kind, "place": resolved.origin(name).place}
            for name, value in values.items()
        }
        typer.echo(json_module.dumps(facts, indent=2, ensure_ascii=False))
        return
    table = Table("setting", box=None, pad_edge=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for name, value in values.items():
        style = "" if name in resolved.origins else "dim"
        table.add_row(name, _text(value), str(resolved.origin(name)), style=style)
    console.print(table, markup=False)
    for note in resolved.notes:
        console.print(f" note: {note}", style="yellow", markup=False)


@config.command()
def check(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="File of settings, YAML or JSON.")],
    assigned: Assigned = None,
    no_files: Annotated[
        bool,
        typer.Option("--no-files", help="Don't read the secrets and certificates that it names."),
    ] = False,
) -> None:
    """Check a file as `segue serve --config FILE` would take it here, SEGUE_* variables included, without starting.

    Exit code 2: the server would not start."""
    import os

    from segue_service.settings import SettingsError, from_environment, from_file, from_flags, resolve

    try:
        layers = [
            from_file(existing_file(path, "file of settings")),
            from_environment(os.environ),
            from_flags((), assigned or ()),
        ]
        resolved = resolve(layers, read_secrets=not no_files).with_web()
    except SettingsError as error:
        raise CommandError(f"settings:\n{error}", EXIT_BAD_INPUT) from None
    check_start(resolved.settings, read_files=not no_files)
    console.print(f" {path}: good, {len(resolved.origins)} settings", markup=False)


@config.command()
def reference() -> None:
    """Print the table of all settings, in Markdown, as it stands in docs/configuration.md."""
    from segue_service.settings import reference as table

    typer.echo(table(), nl=False)


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
