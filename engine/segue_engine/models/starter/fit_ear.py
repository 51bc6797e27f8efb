# SPDX-License-Identifier: Apache-2.0
"""Teach the style ear: `python -m segue_engine.models.starter.fit_ear` writes weights/style_ear.safetensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import Composer
from segue_engine.models.starter.composer.trajectories import sample_style
from segue_engine.models.starter.evaluation.token_features import windows
from segue_engine.models.starter.style_ear import PATH, WINDOW, StyleEar, hearable

PIECES: Final = 6_000
PIECE_FRAMES: Final = 500
_SEED: Final = 70_000_000
_STRENGTH: Final = 100.0

FloatArray = NDArray[np.float32]


def lessons(seed: int, pieces: int, advance: Callable[[], None] | None = None) -> tuple[FloatArray, FloatArray]:
    """Features f32[n, D] of windows that the composer plays, and the style f32[n, 34] of each."""
    rng = np.random.default_rng(seed)
    features, styles = [], []
    free = np.full(PIECE_FRAMES, -1, np.int8)
    for piece in range(pieces):
        style = sample_style(rng)
        played = Composer(_SEED + seed * pieces + piece).run(np.tile(style, (PIECE_FRAMES, 1)), free)
        heard = hearable(windows(np.asarray(played).reshape(-1, tk.LEVELS), WINDOW, WINDOW // 2))
        features.append(heard)
        styles.append(np.tile(style, (len(heard), 1)))
        if advance is not None:
            advance()
    return np.concatenate(features), np.concatenate(styles)


def fit_ear(features: FloatArray, styles: FloatArray) -> StyleEar:
    """Ridge regression on standardised features."""
    mean = features.mean(0)
    # A feature that never moved in training must not shout when it does move.
    scale = np.maximum(features.std(0), 1e-2)
    x = ((features - mean) / scale).astype(np.float64)
    bias = styles.mean(0)
    weights = np.linalg.solve(x.T @ x + _STRENGTH * np.eye(x.shape[1]), x.T @ (styles - bias))
    return StyleEar(mean, scale.astype(np.float32), weights.astype(np.float32), bias.astype(np.float32))


def main() -> None:
    from rich.console import Console
    from rich.progress import Progress

    console = Console()
    with Progress(console=console) as bar:
        task = bar.add_task("the composer plays", total=PIECES)
        features, styles = lessons(0, PIECES, lambda: bar.advance(task))
    ear = fit_ear(features, styles)
    ear.save(PATH)
    features, styles = lessons(1, 300)
    cosine = np.einsum("nd,nd->n", ear.tags(features), styles)
    told = ", ".join(f"{np.percentile(cosine, p):.3f}" for p in (1, 5, 50))
    console.print(f"held out: mean cosine {cosine.mean():.3f}; 1st, 5th, 50th percentile {told}")


if __name__ == "__main__":
    main()
