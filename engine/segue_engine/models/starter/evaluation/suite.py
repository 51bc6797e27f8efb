# SPDX-License-Identifier: Apache-2.0
"""The evaluation from end to end: every performer plays the same tasks, and everything is measured.

Deterministic for one seed, one size and one build. Interrupted anywhere, it leaves the judges' cache and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter.evaluation.blends import BlendFigures, Blends, blend
from segue_engine.models.starter.evaluation.classifier import Accuracy, LinearClassifier, accuracy, family_vectors
from segue_engine.models.starter.evaluation.crossfade import Crossfades, Ramps, crossfade
from segue_engine.models.starter.evaluation.drum_flag import FLAGS, DrumFlag, drum_flag
from segue_engine.models.starter.evaluation.generate import (
    Advance,
    ComposerPerformer,
    Performer,
    constant,
    free_flags,
    piece_seeds,
)
from segue_engine.models.starter.evaluation.judges import (
    TRAILING_FRAMES,
    Training,
    audio_judge,
    audio_windows,
    token_judge,
    token_windows,
)
from segue_engine.models.starter.evaluation.percentiles import Row, compare, window_figures
from segue_engine.models.starter.evaluation.reaction import Jumps, Reactions, react
from segue_engine.models.starter.evaluation.rendering import render_batches
from segue_engine.models.starter.evaluation.sizes import Sizes
from segue_engine.models.starter.evaluation.sound import SoundFigures, measure_sound

RENDER_STAGE: Final = 1
REFERENCE_STAGE: Final = 6


class Watcher(Protocol):
    """Told how far the evaluation is."""

    def stage(self, name: str, frames: int) -> None:
        """A stage of that many frames begins; the one before is over."""
        ...

    def advance(self, frames: int) -> None:
        """That many frames more are done."""
        ...


class Unwatched:
    """Nobody looks."""

    def stage(self, name: str, frames: int) -> None:
        pass

    def advance(self, frames: int) -> None:
        pass


@dataclass(frozen=True)
class StyleAccuracy:
    """Verdicts on windows of 10 s: of event tokens, and of audio before mastering."""

    tokens: Accuracy
    audio: Accuracy


@dataclass(frozen=True)
class Performance:
    """What was measured of one performer. Variants of a model (with guidance) only play jumps and crossfades."""

    name: str
    reaction: Reactions
    crossfade: Crossfades
    music: list[Row] = field(default_factory=list)
    style: StyleAccuracy | None = None
    blends: BlendFigures | None = None
    drums: DrumFlag | None = None
    sound: dict[int, SoundFigures] = field(default_factory=dict)
    """By family."""


@dataclass(frozen=True)
class Evaluation:
    """All performances, the composer's first; `jumps` and `ramps` are what all of them played."""

    sizes: Sizes
    seed: int
    performances: list[Performance]
    jumps: Jumps
    ramps: Ramps


@dataclass(frozen=True)
class _Tasks:
    """What does not depend on who plays."""

    jumps: Jumps
    ramps: Ramps
    blends: Blends
    by_style: LinearClassifier
    by_trailing: LinearClassifier
    by_audio: LinearClassifier
    reference: NDArray[np.float64]
    reference_family: NDArray[np.int64]


def evaluate(
    model: Performer | None,
    variants: Sequence[Performer] = (),
    sizes: Sizes | None = None,
    seed: int = 0,
    cache: Path | None = None,
    watcher: Watcher | None = None,
) -> Evaluation:
    """Evaluate the composer, a model (None: the composer alone) and variants of it, in full if no sizes are given.

    `cache` keeps the judges of style.
    Raises ValueError for sizes that don't fit together, KeyboardInterrupt between chunks of frames.
    """
    watch, sizes = watcher or Unwatched(), sizes or Sizes()
    composer = ComposerPerformer()
    tasks = _prepare(composer, sizes, seed, cache, watch)
    full = [composer, *([model] if model is not None else [])]
    performances = [_perform_all(performer, sizes, seed, tasks, watch) for performer in full]
    performances += [_perform_steering(variant, seed, tasks, watch) for variant in variants]
    return Evaluation(sizes, seed, performances, tasks.jumps, tasks.ramps)


def _prepare(composer: ComposerPerformer, sizes: Sizes, seed: int, cache: Path | None, watch: Watcher) -> _Tasks:
    rng = np.random.default_rng([seed, 17])
    jumps = Jumps.draw(rng, sizes.families, sizes.jumps, sizes.before, sizes.after)
    ramps = Ramps.draw(rng, sizes.families, sizes.ramps, sizes.before, sizes.ramp)
    blends = Blends.draw(
        rng, sizes.families, sizes.blend_pairs, sizes.blend_shares, sizes.blend_takes, sizes.blend_frames
    )
    listening = Training(sizes.families, sizes.train_pieces, sizes.train_frames, seed)
    hearing = Training(sizes.families, sizes.audio_train_pieces, sizes.audio_train_frames, seed)
    advance = watch.advance
    watch.stage("token judges", 2 * len(sizes.families) * sizes.train_pieces * sizes.train_frames)
    by_style = token_judge(listening, sizes.style_window, cache, advance)
    by_trailing = token_judge(listening, TRAILING_FRAMES, cache, advance)
    watch.stage("audio judge", len(sizes.families) * sizes.audio_train_pieces * sizes.audio_train_frames)
    by_audio = audio_judge(hearing, sizes.style_window, cache, advance)
    families = np.repeat(np.array(sizes.families, np.int64), sizes.references)
    watch.stage("composer's spread", len(families) * sizes.render)
    pieces = _renders(composer, families, sizes.render, seed, REFERENCE_STAGE, advance)
    return _Tasks(jumps, ramps, blends, by_style, by_trailing, by_audio, window_figures(pieces, sizes.window), families)


def _renders(
    performer: Performer, families: NDArray[np.int64], frames: int, seed: int, stage: int, advance: Advance
) -> NDArray[np.int16]:
    """Pieces int16[n, frames, 12] in steady pure styles, one family after another to bound the memory of styles."""
    seeds = piece_seeds(seed, stage, len(families))
    out = []
    for begin in range(0, len(families), 16):
        part = slice(begin, begin + 16)
        styles = constant(family_vectors(families[part].tolist()), frames)
        out.append(performer.perform(styles, free_flags(*styles.shape[:2]), seeds[part], advance))
    return np.concatenate(out)


def _perform_all(performer: Performer, sizes: Sizes, seed: int, tasks: _Tasks, watch: Watcher) -> Performance:
    name, advance = performer.name, watch.advance
    families = np.array(sizes.families, np.int64)
    watch.stage(f"{name}: renders", len(families) * sizes.render)
    pieces = _renders(performer, families, sizes.render, seed, RENDER_STAGE, advance)
    music = compare(tasks.reference, tasks.reference_family, window_figures(pieces, sizes.window), families)
    by_tokens = accuracy(tasks.by_style, *token_windows(pieces, families, sizes.style_window, sizes.style_window))

    watch.stage(f"{name}: sound", len(families) * sizes.excerpt)
    begin = (sizes.render - sizes.excerpt) // 2
    excerpts = pieces[:, begin : begin + sizes.excerpt]
    sound: dict[int, SoundFigures] = {}
    features, owners = [], []
    for family, excerpt, audio in zip(sizes.families, excerpts, render_batches(excerpts), strict=True):
        sound[family] = measure_sound(audio, excerpt)
        rows, labels = audio_windows(iter([audio]), [family], sizes.style_window)
        features.append(rows)
        owners.append(labels)
        advance(len(excerpt))
    by_audio = accuracy(tasks.by_audio, np.concatenate(features), np.concatenate(owners))

    watch.stage(f"{name}: blends", len(tasks.blends.pairs) * len(sizes.blend_shares) * sizes.blend_takes
                * sizes.blend_frames)  # fmt: skip
    blends = blend(performer, tasks.blends, seed, advance)
    watch.stage(f"{name}: drum flag", len(families) * len(FLAGS) * sizes.flag_frames)
    drums = drum_flag(performer, sizes.families, sizes.flag_frames, seed, advance)
    steering = _perform_steering(performer, seed, tasks, watch)
    return Performance(
        name, steering.reaction, steering.crossfade, music, StyleAccuracy(by_tokens, by_audio), blends, drums, sound
    )


def _perform_steering(performer: Performer, seed: int, tasks: _Tasks, watch: Watcher) -> Performance:
    name, jumps, ramps = performer.name, tasks.jumps, tasks.ramps
    watch.stage(f"{name}: jumps", len(jumps.at) * jumps.frames)
    reaction = react(performer, jumps, tasks.by_trailing, seed, watch.advance)
    watch.stage(f"{name}: crossfades", len(ramps.targets) * ramps.frames)
    return Performance(name, reaction, crossfade(performer, ramps, seed, watch.advance))
