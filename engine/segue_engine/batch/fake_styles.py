# SPDX-License-Identifier: Apache-2.0
"""A style encoder that understands nothing: prompts are hashed. For tests with the fake engine; numpy only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import (
    EMBEDDING_WIDTH,
    STYLE_CODES,
    STYLE_LEVELS,
    EmbeddedPrompts,
    Prompt,
    PromptError,
)

FloatArray = NDArray[np.float32]
_REACH: Final = 3.0  # standard deviations of a projection that the codes span on either side


def _gaussian(name: bytes, *shape: int) -> FloatArray:
    seed = int.from_bytes(hashlib.sha256(name).digest()[:16], "little")
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype(np.float32)


def _unit(x: FloatArray) -> FloatArray:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12), np.float32)


class HashStyleEncoder:
    """Equal prompts (case and outer blanks aside) embed equally, others at random; near embeddings get near codes."""

    def __init__(self) -> None:
        self._directions = _unit(_gaussian(b"directions", STYLE_LEVELS, EMBEDDING_WIDTH))

    @property
    def name(self) -> str:
        return "hash"

    @property
    def takes_audio(self) -> bool:
        return True

    def embed(self, prompts: Sequence[Prompt]) -> EmbeddedPrompts:
        """Unit vectors. Raises PromptError for an empty prompt."""
        rows = [_gaussian(self._name_of(i, p), EMBEDDING_WIDTH) for i, p in enumerate(prompts)]
        stacked = np.stack(rows) if rows else np.zeros((0, EMBEDDING_WIDTH), np.float32)
        return EmbeddedPrompts(_unit(stacked), ("",) * len(rows))

    def blend(self, embeddings: FloatArray, weights: FloatArray) -> FloatArray:
        """Weighted sum, renormalised."""
        return _unit(np.asarray(weights, np.float32) @ np.asarray(embeddings, np.float32))

    def quantise(self, embeddings: FloatArray) -> NDArray[np.int32]:
        """A fixed projection per level, cut into 1,024 steps."""
        along = np.asarray(embeddings, np.float32) @ self._directions.T * np.float32(np.sqrt(EMBEDDING_WIDTH))
        steps = np.floor((along / (2 * _REACH) + 0.5) * STYLE_CODES)
        return np.asarray(np.clip(steps, 0, STYLE_CODES - 1), np.int32)

    @staticmethod
    def _name_of(place: int, prompt: Prompt) -> bytes:
        if (prompt.text is None) == (prompt.audio is None):
            raise PromptError(f"prompts[{place}]: expected either text or audio")
        if prompt.text is not None:
            text = prompt.text.strip().casefold()
            if not text:
                raise PromptError(f"prompts[{place}].text: expected words, got an empty text")
            return b"text:" + text.encode()
        audio = np.asarray(prompt.audio, np.float32)
        if not audio.size or not np.isfinite(audio).all():
            raise PromptError(f"prompts[{place}].audio: expected finite samples, got none or not finite")
        return b"audio:" + audio.tobytes()
