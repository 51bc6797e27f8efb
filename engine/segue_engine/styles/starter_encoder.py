# SPDX-License-Identifier: Apache-2.0
"""The starter's style encoder: prompts as weighted sums of 34 fixed orthonormal directions in 768 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segue_engine.contract import EmbeddedPrompts, Prompt, PromptError
from segue_engine.styles.rvq import ResidualQuantiser
from segue_engine.styles.tags import TAGS, Reading, read_prompt, tag_vector

FloatArray = NDArray[np.float32]

WIDTH: Final = 768
_DIRECTION_SEED: Final = 34_768


def tag_directions() -> FloatArray:
    """The tags' orthonormal directions, f32[34, 768]: Q of a seeded Gaussian, signs fixed by R's diagonal."""
    gaussian = np.random.Generator(np.random.PCG64(_DIRECTION_SEED)).standard_normal((WIDTH, len(TAGS)))
    q, r = np.linalg.qr(gaussian)
    return np.ascontiguousarray((q * np.sign(np.diagonal(r))).T.astype(np.float32))


class TagStyleEncoder:
    """Style encoder of the starter model. Immutable after construction and safe to share between threads."""

    def __init__(self, quantiser: ResidualQuantiser) -> None:
        if quantiser.codebooks.shape[2] != len(TAGS):
            raise ValueError(f"quantiser: expected width {len(TAGS)}, got {quantiser.codebooks.shape[2]}")
        self.quantiser = quantiser
        self.directions = tag_directions()

    @property
    def name(self) -> str:
        return "starter-tags"

    @property
    def takes_audio(self) -> bool:
        return False

    @classmethod
    def bundled(cls) -> TagStyleEncoder:
        """The encoder with the codebooks that are shipped in the package."""
        resource = files("segue_engine").joinpath("models/starter/weights/style_rvq.safetensors")
        with as_file(resource) as path:
            return cls(ResidualQuantiser.load(path))

    def explain(self, prompt: str) -> Reading:
        """What a prompt is understood as: tag weights, unknown words, negations without effect, suggestions."""
        return read_prompt(prompt)

    def embed(self, prompts: Sequence[Prompt | str]) -> EmbeddedPrompts:
        """Unit-length embeddings of texts, and a note per prompt on what was not understood.

        Raises PromptError, with near misses, for audio and for a text of which no word is known.
        """
        if isinstance(prompts, str):
            raise PromptError("prompts: expected a sequence of prompts, got one text")
        rows, notes = [], []
        for prompt in prompts:
            reading = self._read(prompt)
            rows.append(tag_vector(reading.weights))
            notes.append(_note(reading))
        tags = np.stack(rows) if rows else np.zeros((0, len(TAGS)), np.float32)
        return EmbeddedPrompts(self.from_tags(tags), tuple(notes))

    def _read(self, prompt: Prompt | str) -> Reading:
        text = prompt if isinstance(prompt, str) else prompt.text
        if text is None:
            raise PromptError("prompt: the starter model understands text only; describe the audio in words")
        reading = read_prompt(text)
        if any(weight > 0.0 for weight in reading.weights.values()):
            return reading
        if reading.dropped:
            raise PromptError(f"prompt {text!r}: only says what not to play; name a mood or an instrument too")
        if not reading.unknown:
            raise PromptError(f"prompt {text!r}: expected at least one word that names a mood or an instrument")
        near = sorted({s for found in reading.suggestions.values() for s in found})
        hint = f"did you mean {', '.join(repr(n) for n in near)}?" if near else f"known tags: {', '.join(TAGS)}"
        raise PromptError(f"prompt {text!r}: no known word in {', '.join(repr(w) for w in reading.unknown)}; {hint}")

    def blend(self, embeddings: ArrayLike, weights: ArrayLike) -> FloatArray:
        """Weighted sum of embeddings f32[n, 768], renormalised to unit length: f32[768].

        Raises ValueError if shapes differ or the sum vanishes.
        """
        rows, by = np.asarray(embeddings, np.float32), np.asarray(weights, np.float32)
        if rows.ndim != 2 or rows.shape[1] != WIDTH or by.shape != rows.shape[:1]:
            raise ValueError(f"blend: expected [n, {WIDTH}] and [n], got {list(rows.shape)} and {list(by.shape)}")
        total = by @ rows
        norm = float(np.linalg.norm(total))
        if not norm > 1e-6:
            raise ValueError("weights: the weighted styles cancel out; expected a sum that is not zero")
        return np.asarray(total / norm, np.float32)

    def to_tags(self, embeddings: ArrayLike) -> FloatArray:
        """Projection on the tag subspace: f32[..., 768] -> f32[..., 34], unit length where it is not zero."""
        rows = np.asarray(embeddings, np.float32)
        if rows.shape[-1:] != (WIDTH,):
            raise ValueError(f"embeddings: expected [..., {WIDTH}], got {list(rows.shape)}")
        tags = rows @ self.directions.T
        norm = np.linalg.norm(tags, axis=-1, keepdims=True)
        return np.asarray(tags / np.maximum(norm, 1e-6), np.float32)

    def from_tags(self, tags: ArrayLike) -> FloatArray:
        """Embedding of tag vectors: f32[..., 34] -> f32[..., 768]."""
        return np.asarray(np.asarray(tags, np.float32) @ self.directions, np.float32)

    def quantise(self, embeddings: ArrayLike) -> NDArray[np.int32]:
        """Style codes: f32[n, 768] -> i32[n, 12]."""
        rows = np.asarray(embeddings, np.float32)
        if rows.ndim != 2:
            raise ValueError(f"embeddings: expected [n, {WIDTH}], got {list(rows.shape)}")
        return self.quantiser.encode(self.to_tags(rows))

    def nearest_tags(self, embedding: ArrayLike, count: int = 5) -> list[tuple[str, float]]:
        """The tags that an embedding f32[768] is made of, strongest first, with their weights; below 0.05 is left
        out.
        """
        weights = self.to_tags(embedding)
        order = np.argsort(-weights)[:count]
        return [(TAGS[i], float(weights[i])) for i in order if weights[i] >= 0.05]


def _note(reading: Reading) -> str:
    parts = []
    if reading.unknown:
        parts.append(f"unknown: {', '.join(reading.unknown)}")
    if reading.dropped:
        parts.append(f"cannot leave out: {', '.join(reading.dropped)}")
    return "; ".join(parts)
