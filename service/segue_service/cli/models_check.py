# SPDX-License-Identifier: Apache-2.0
"""`segue models check`: looks at every byte of the models that are here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from segue_service.cli.console import EXIT_FAILED, console, stop_requested
from segue_service.cli.models_shared import ModelsDir, bars, explained

if TYPE_CHECKING:
    from segue_engine.checkpoints.check import Finding

COLOURS = {"good": "", "note": "dim", "missing": "red", "damaged": "red"}


def check(
    model: Annotated[str | None, typer.Argument(help="One model; else all that are here.")] = None,
    models_dir: ModelsDir = None,
) -> None:
    """Check every file: hash, header, keys, shapes, numbers. Exit code 1 if one is missing or damaged."""
    from segue_engine.checkpoints.catalogue import STARTER
    from segue_engine.checkpoints.survey import survey

    with explained():
        chosen = [model] if model else [found.name for found in survey(models_dir) if found.state != "missing"]
        whole = [_check_starter() if name == STARTER else _check_model(name, models_dir) for name in chosen]
    if not all(whole):
        raise stop_requested(EXIT_FAILED)


def _check_starter() -> bool:
    from segue_engine.checkpoints.survey import starter

    found = starter()
    if found.state == "ready":
        console.print(f" starter: ready: {found.detail}", markup=False)
        return True
    console.print(f" starter: {found.state}: {found.detail}\n {found.repair}", style="red", markup=False)
    return False


def _check_model(name: str, models_dir: ModelsDir) -> bool:
    from segue_engine.checkpoints.check import check_model
    from segue_engine.checkpoints.located import locate

    located = locate(name, models_dir)
    kind = " (synthetic noise)" if located.synthetic else ""
    console.print(f" {located.name}{kind}", markup=False)
    whole = True
    with bars() as progress:
        for finding in check_model(located, progress):
            _show(finding)
            whole = whole and not finding.wrong
    if not whole:
        console.print(f"   repaired by: {located.repair}", style="red", markup=False, soft_wrap=True)
    return whole


def _show(finding: Finding) -> None:
    said = f"   {finding.verdict}: {finding.file}: {finding.what}"
    console.print(said, style=COLOURS[finding.verdict], markup=False, soft_wrap=True)
