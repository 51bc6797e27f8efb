# SPDX-License-Identifier: Apache-2.0
"""The training loop: by the clock, resumable, stoppable, validated on fixed seeds."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import jax
import numpy as np
from rich.console import Console

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.params import Params, count, init_params
from segue_engine.models.starter.training.batch import BatchConfig
from segue_engine.models.starter.training.checkpoint import load_state, save_state
from segue_engine.models.starter.training.optimiser import Optimiser, OptimiserConfig, TrainState
from segue_engine.models.starter.training.source import Source, SourceConfig
from segue_engine.models.starter.training.validation import Validation
from segue_engine.models.starter.weights import installed_validation, load_weights, save_weights

CHECKPOINT = "checkpoint.safetensors"
COOLDOWN = "COOLDOWN"


@dataclass(frozen=True)
class TrainingConfig:
    """What to train, for how long, and where to keep it. `minutes` counts this run and includes the cool-down."""

    folder: Path = Path("runs/starter")
    minutes: float = 90.0
    cooldown_minutes: float = 12.0
    seed: int = 1
    resume: bool = False
    start_from: Path | None = None
    """Folder of weights to begin with instead of random ones; the optimiser's moments begin afresh."""
    install: Path | None = None
    """Folder that gets the averaged weights whenever they validate better than those that are there."""
    save_every_s: float = 180.0
    validate_every_s: float = 480.0
    report_every: int = 25
    max_steps: int | None = None
    model: LMConfig = field(default_factory=LMConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    source: SourceConfig = field(default_factory=SourceConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    validation_sequences: int = 48


@dataclass
class Progress:
    """How far training has come; saved with the state."""

    step: int = 0
    seconds: float = 0.0
    cooldown_seconds: float = 0.0
    cooling: bool = False
    validation: float = float("nan")


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Turns Ctrl-C and SIGTERM into a flag, so that a step is finished and saved first. Main thread only."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    old = [(number, signal.signal(number, ask)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield lambda: asked
    finally:
        for number, handler in old:
            signal.signal(number, handler)


def _first_params(config: TrainingConfig) -> tuple[Params, str | None]:
    """The parameters to begin with, and the SHA-256 of the weights that they are, if they are any."""
    if config.start_from is None:
        return init_params(config.model, config.seed), None
    params, found, digest = load_weights(config.start_from)
    if found != config.model:
        raise ValueError(f"{config.start_from}: expected weights of {config.model}, found {found}")
    return jax.tree.map(jax.numpy.asarray, params), digest


def train(config: TrainingConfig, console: Console | None = None) -> Progress:
    """Train until the minutes are over, the cool-down is done, `max_steps` is reached, or somebody asks to stop.

    Touching `COOLDOWN` in the folder begins the final cool-down at once. Raises FileNotFoundError if there is nothing
    to resume, FileExistsError if a run would be overwritten, WeightsError or ValueError if `start_from` can't be used.
    """
    console = console or (Console() if sys.stdout.isatty() else Console(width=200))
    path = config.folder / CHECKPOINT
    optimiser = Optimiser(config.model, config.optimiser)
    first, started_from = _first_params(config)
    state, progress = optimiser.start(first), Progress()
    if config.resume:
        if not path.exists():
            raise FileNotFoundError(f"{path}: nothing to resume; start without --resume")
        state, facts = load_state(path, state)
        progress, started_from = Progress(**facts["progress"]), facts.get("started_from")
        if (
            progress.cooldown_seconds >= config.cooldown_minutes * 60
        ):  # cooled down already: go on as if it had not been
            progress.cooling, progress.cooldown_seconds = False, 0.0
    elif path.exists():
        raise FileExistsError(f"{path}: a run is there already; pass --resume or choose another folder")
    config.folder.mkdir(parents=True, exist_ok=True)
    console.log(
        f"{count(state.params):,} parameters, step {progress.step}, {config.minutes:g} min, devices {jax.devices()}"
    )
    validation = Validation(config.model, config.batch.frames, config.validation_sequences)

    def facts_now() -> dict[str, Any]:
        return {"progress": vars(progress).copy(), "seed": config.seed, "started_from": started_from}

    def check(current: TrainState) -> None:
        result = validation.run(current.average)
        progress.validation = float(np.sum(result.loss))
        console.log(f"step {progress.step}: validation {progress.validation:.4f} nats a frame")
        levels = zip(tokens.CODEBOOKS, result.loss, result.accuracy, strict=True)
        console.log("  ".join(f"{book.name} {loss:.3f}/{hit:.3f}" for book, loss, hit in levels))
        if config.install is not None and progress.validation < installed_validation(config.install, config.model):
            frames = progress.step * config.batch.sequences * config.batch.frames
            facts = {**vars(progress), "frames": frames, "started_from": started_from}
            save_weights(config.install, current.average, config.model, facts)

    began = last = saved = validated = time.monotonic()
    reported = progress.seconds
    recent: list[np.ndarray[Any, Any]] = []
    with _stoppable() as asked, Source(config.seed, config.batch, config.source, progress.step) as source:
        while not asked():
            if config.max_steps is not None and progress.step >= config.max_steps:
                break
            now = time.monotonic()
            left = config.minutes * 60 - (now - began)
            if not progress.cooling and (left <= config.cooldown_minutes * 60 or (config.folder / COOLDOWN).exists()):
                progress.cooling = True
                (config.folder / COOLDOWN).unlink(missing_ok=True)
                console.log(f"step {progress.step}: cool-down of {config.cooldown_minutes:g} min begins")
            cooled = progress.cooldown_seconds / max(config.cooldown_minutes * 60, 1e-9) if progress.cooling else 0.0
            if cooled >= 1.0 or left <= 0:
                break
            state, result = optimiser.step(state, source.batch(progress.step), progress.step, cooled)
            recent.append(np.asarray(result.loss))
            if not np.isfinite(recent[-1]).all():
                raise FloatingPointError(f"step {progress.step}: the loss is not finite; resume from {path}")
            progress.step += 1
            took, last = time.monotonic() - last, time.monotonic()
            progress.seconds += took
            progress.cooldown_seconds += took if progress.cooling else 0.0
            if progress.step % config.report_every == 0:
                frames = config.batch.sequences * config.batch.frames * len(recent)
                mean = np.mean(recent, axis=0)
                parts = " ".join(f"{x:.3f}" for x in mean)
                rate = config.optimiser.rate_at(progress.step, cooled)
                speed = frames / (progress.seconds - reported)
                reported = progress.seconds
                console.log(
                    f"step {progress.step} loss {mean.sum():.3f} [{parts}] rate {rate:.2e} {speed:.0f} frames/s"
                )
                recent.clear()
            if last - saved > config.save_every_s:
                save_state(path, state, facts_now())
                saved = time.monotonic()
            if last - validated > config.validate_every_s:
                check(state)
                validated = last = time.monotonic()
    save_state(path, state, facts_now())
    if config.max_steps is None or config.install is not None:
        check(state)
    return progress
