# SPDX-License-Identifier: Apache-2.0
"""`python -m segue_engine.models.starter.training`: train the starter's language model."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from segue_engine.models.starter.training.loop import TrainingConfig, train


def main() -> None:
    """Parse the command line and train."""
    default = TrainingConfig()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=default.minutes)
    parser.add_argument("--cooldown-minutes", type=float, default=default.cooldown_minutes)
    parser.add_argument("--folder", type=Path, default=default.folder)
    parser.add_argument("--install", type=Path, default=None, help="folder that gets the averaged weights")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start-from", type=Path, default=None, help="folder of weights to begin with")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--rate", type=float, default=default.optimiser.rate)
    parser.add_argument("--sequences", type=int, default=default.batch.sequences)
    parser.add_argument("--frames", type=int, default=default.batch.frames)
    options = parser.parse_args()
    train(
        TrainingConfig(
            folder=options.folder,
            minutes=options.minutes,
            cooldown_minutes=options.cooldown_minutes,
            seed=options.seed,
            resume=options.resume,
            start_from=options.start_from,
            install=options.install,
            batch=replace(default.batch, sequences=options.sequences, frames=options.frames),
            optimiser=replace(default.optimiser, rate=options.rate),
        )
    )


if __name__ == "__main__":
    main()
