# SPDX-License-Identifier: Apache-2.0
"""`segue train starter`: train the bundled model on what its own composer writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segue_service.cli.console import EXIT_BAD_INPUT, CommandError
from segue_service.cli.extras import needs

TRAINABLE = ("starter",)


def check_trainable(model: str) -> None:
    """Raises CommandError for a model that is not trained, and so not evaluated, here."""
    if model not in TRAINABLE:
        raise CommandError(
            f'no model "{model}" can be trained or evaluated here; there is: {", ".join(TRAINABLE)}', EXIT_BAD_INPUT
        )


def train(
    model: Annotated[str, typer.Argument(help="What to train: starter.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="How long, by the clock.")] = 120.0,
    cooldown_minutes: Annotated[
        float, typer.Option(min=0.0, help="The last minutes, in which the learning rate falls to zero.")
    ] = 12.0,
    folder: Annotated[Path, typer.Option(help="Checkpoints and log.")] = Path("runs/starter"),
    resume: Annotated[bool, typer.Option(help="Go on from the folder's checkpoint.")] = False,
    start_from: Annotated[
        Path | None, typer.Option(help="Folder of weights to begin with, instead of random ones.")
    ] = None,
    install: Annotated[
        Path | None, typer.Option(help="Folder that gets the averaged weights and their manifest.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights and data.")] = 0,
) -> None:
    """Train the starter on fresh pieces of its composer. Ctrl-C saves a checkpoint; --resume goes on from it."""
    check_trainable(model)
    needs("optax", "train: the optimiser")
    from segue_engine.models.starter.training.loop import TrainingConfig
    from segue_engine.models.starter.training.loop import train as run

    run(
        TrainingConfig(
            folder=folder,
            minutes=minutes,
            cooldown_minutes=cooldown_minutes,
            resume=resume,
            start_from=start_from,
            install=install,
            seed=seed,
        )
    )
