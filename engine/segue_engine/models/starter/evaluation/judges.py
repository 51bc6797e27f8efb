# SPDX-License-Identifier: Apache-2.0
"""Training data of the style judges: the composer in each family's pure style, as tokens and as rendered audio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine import models
from segue_engine.contract import FRAME_SAMPLES
from segue_engine.models.starter.evaluation import audio_features as audio
from segue_engine.models.starter.evaluation import token_features as tokens_
from segue_engine.models.starter.evaluation.classifier import (
    LinearClassifier,
    cached,
    content_key,
    family_vectors,
    fit,
)
from segue_engine.models.starter.evaluation.generate import (
    Advance,
    ComposerPerformer,
    constant,
    free_flags,
    piece_seeds,
)
from segue_engine.models.starter.evaluation.rendering import render_batches
from segue_engine.styles.tags import FAMILIES

STYLE_FRAMES: Final = 250
"""Style accuracy is judged on windows of 10 s."""
TRAILING_FRAMES: Final = 75
"""Reactions are judged on the 3 s just heard."""
TOKEN_STAGE: Final = 101
AUDIO_STAGE: Final = 102
_STARTER: Final = Path(models.__path__[0]) / "starter"


@dataclass(frozen=True)
class Training:
    """How much the composer plays for the judges: pieces of each family and their length in frames."""

    families: tuple[int, ...]
    pieces: int
    frames: int
    seed: int


def sources(audible: bool) -> list[Path]:
    """Files whose change makes what was trained stale."""
    files = [_STARTER / "tokens.py", *sorted((_STARTER / "composer").glob("*.py")), Path(tokens_.__file__)]
    files += [Path(__file__).with_name("classifier.py"), Path(__file__)]
    return files + ([*sorted((_STARTER / "synth").glob("*.py")), Path(audio.__file__)] if audible else [])


def play(training: Training, stage: int, advance: Advance | None) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Composer pieces int16[n, T, 12] and their families int64[n]."""
    labels = np.repeat(np.array(training.families, np.int64), training.pieces)
    styles = constant(family_vectors(labels.tolist()), training.frames)
    seeds = piece_seeds(training.seed, stage, len(labels))
    return ComposerPerformer().perform(styles, free_flags(*styles.shape[:2]), seeds, advance), labels


def token_windows(
    pieces: NDArray[np.integer], labels: NDArray[np.int64], length: int, hop: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features of all windows of pieces int[n, T, 12], and the family of each."""
    features, owners = [], []
    for piece, label in zip(pieces, labels, strict=True):
        part = tokens_.token_features(tokens_.windows(piece, length, hop))
        features.append(part)
        owners.append(np.full(len(part), label, np.int64))
    return np.concatenate(features), np.concatenate(owners)


def token_judge(training: Training, length: int, cache: Path | None, advance: Advance | None) -> LinearClassifier:
    """Judge of event tokens in windows of `length` frames; `advance` hears of frames composed if it is not cached."""

    def train() -> LinearClassifier:
        pieces, labels = play(training, TOKEN_STAGE, advance)
        # Overlapping by half: a short window's place in the bar and the phrase must not matter.
        features, owners = token_windows(pieces, labels, length, max(1, length // 2))
        return fit(features, owners, len(FAMILIES))

    return cached(cache, "tokens-" + content_key(sources(False), repr((training, length))), train)


def audio_windows(
    pieces: Iterator[NDArray[np.float32]], labels: Sequence[int], length: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features of consecutive windows of `length` frames of audio pieces f32[n, 2], and the family of each."""
    features, owners = [], []
    for piece, label in zip(pieces, labels, strict=True):
        for begin in range(0, len(piece) - length * FRAME_SAMPLES + 1, length * FRAME_SAMPLES):
            features.append(audio.audio_features(piece[begin : begin + length * FRAME_SAMPLES]))
            owners.append(label)
    if not features:
        raise ValueError(f"audio: expected pieces of at least {length} frames")
    return np.stack(features), np.array(owners, np.int64)


def audio_judge(training: Training, length: int, cache: Path | None, advance: Advance | None) -> LinearClassifier:
    """Judge of audio, before mastering, in windows of `length` frames; `advance` hears of frames rendered."""

    def train() -> LinearClassifier:
        pieces, labels = play(training, AUDIO_STAGE, None)
        features, owners = audio_windows(render_batches(pieces, advance), labels.tolist(), length)
        return fit(features, owners, len(FAMILIES))

    return cached(cache, "audio-" + content_key(sources(True), repr((training, length))), train)
