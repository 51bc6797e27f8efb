# SPDX-License-Identifier: Apache-2.0
"""`segue models synthesise`: noise in the published layout, to try loading, serving and speed without real weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError, console
from segue_service.cli.models_shared import bars, explained


def synthesise(
    model: Annotated[
        str | None,
        typer.Argument(
            help="mrt2_small, mrt2_base, mrt1_base, mrt1_large, tiny, mrt1_tiny, or a config (*.json) of another size."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Its folder, NAME_noise, is made here [default: the models folder].")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    tiny: Annotated[bool, typer.Option("--tiny", help="A network so small that a test can wait for it.")] = False,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
) -> None:
    """Write a model with random weights. What it plays is noise; its name says so everywhere."""
    if tiny and model not in (None, "tiny"):
        raise CommandError(f"--tiny: expected no model beside it, got {model}", EXIT_BAD_INPUT)
    if model is None and not tiny:
        raise CommandError(
            "expected a model to imitate: mrt2_small, mrt1_large, tiny, mrt1_tiny, … or a config", EXIT_BAD_INPUT
        )
    from segue_engine.checkpoints.errors import size_text
    from segue_engine.checkpoints.noise_files import STORED
    from segue_engine.checkpoints.places import models_folder
    from segue_engine.checkpoints.synthesise import description_of, synthesise

    if dtype not in STORED:
        raise CommandError(f"--dtype: expected one of {', '.join(STORED)}, got {dtype}", EXIT_BAD_INPUT)
    with explained(EXIT_BAD_INPUT):
        description = description_of(model or "tiny")
    with explained(), bars() as progress:
        made = synthesise(description, out or models_folder(), progress, seed, dtype)
    size = sum(path.stat().st_size for path in made.files)
    console.print(f" {made.name}: {size_text(size)} of noise in {made.folder}", markup=False, soft_wrap=True)
    if made.note:
        console.print(f" note: {made.note}", style="yellow", markup=False, soft_wrap=True)
    if made.folder.parent != models_folder():
        place = made.folder.parent if made.folder.name == made.name else made.folder
        console.print(f" found with: {_assignment(place)}", markup=False, soft_wrap=True)


def _assignment(folder: Path) -> str:
    return f"set SEGUE_MODELS={folder}" if os.name == "nt" else f"export SEGUE_MODELS={folder}"
