# SPDX-License-Identifier: Apache-2.0
"""Which of some given styles the last seconds sound like: a judge of event tokens that the composer has taught them.

The judge of `judges.py` knows the sixteen families; this one knows whatever blends it is given. It hears notes and hits
alone, nothing that a plan code says.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter.evaluation.classifier import fit
from segue_engine.models.starter.evaluation.generate import ComposerPerformer, constant, free_flags, piece_seeds
from segue_engine.models.starter.evaluation.judges import TRAILING_FRAMES, token_windows
from segue_engine.models.starter.evaluation.token_features import token_features, windows
from segue_engine.styles.starter_encoder import TagStyleEncoder

STAGE: Final = 103
PIECES: Final = 24
PIECE_FRAMES: Final = 500
HOP: Final = 2


class TokenEar:
    """Hears styles in a window of 3 s. Construction lets the composer play: about half a second a style."""

    def __init__(self, embeddings: NDArray[np.float32], seed: int = 0) -> None:
        """embeddings f32[k, 768] of the styles to tell apart, k >= 2."""
        tags = TagStyleEncoder.bundled().to_tags(embeddings)
        labels = np.repeat(np.arange(len(tags)), PIECES)
        styles = constant(tags[labels], PIECE_FRAMES)
        seeds = piece_seeds(seed, STAGE, len(labels))
        pieces = ComposerPerformer().perform(styles, free_flags(len(labels), PIECE_FRAMES), seeds)
        self._judge = fit(*token_windows(pieces, labels, TRAILING_FRAMES, TRAILING_FRAMES // 2), len(tags))

    def hear(self, tokens: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """tokens int[T, 12] → (frames that the windows end before, int64[n]; share of each style, f64[n, k]).

        Shares of a window sum to 1. Nothing is heard in less than 3 s.
        """
        if len(tokens) < TRAILING_FRAMES:
            return np.zeros(0, np.int64), np.zeros((0, len(self._judge.bias)))
        features = token_features(windows(tokens, TRAILING_FRAMES, HOP))
        judge = self._judge
        logits = ((features - judge.mean) / judge.scale) @ judge.weights + judge.bias
        odds = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
        return TRAILING_FRAMES + HOP * np.arange(len(odds)), odds / odds.sum(1, keepdims=True)
