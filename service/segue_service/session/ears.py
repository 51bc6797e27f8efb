# SPDX-License-Identifier: Apache-2.0
"""Ears for running sessions, by what a model lets be heard. None knows a model: what does is handed in.

All give the cosine of what is heard and what was asked for, 0 where it is negative. How high it gets is the encoder's
own: docs/liveness.md says what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, Prompt, StyleEncoder
from segue_service.session.adherence import Sound

FloatArray = NDArray[np.float32]


class CodeListener(Protocol):
    """Tells styles by a model's codes alone. Pure; any thread."""

    def hear(self, windows: NDArray[np.integer]) -> FloatArray:
        """Windows int[n, frames, levels] → the embeddings f32[n, 768] that they sound like."""
        ...


@dataclass(frozen=True)
class ListenerEar:
    """Of a model whose codes say what is played: a listener that was taught them."""

    listener: CodeListener
    window: int
    at_once: int = 8
    wants_audio: bool = False

    def judge(self, sounds: Sequence[Sound]) -> Sequence[float]:
        """See Ear."""
        return _cosines(self.listener.hear(np.stack([sound.codes for sound in sounds])), sounds)


@dataclass(frozen=True)
class EncoderEar:
    """Of a model whose style encoder takes recordings: the encoder, on what sounds."""

    encoder: StyleEncoder
    window: int = 10 * FRAME_RATE
    """What MusicCoCa listens to at once; a shorter recording would be filled up with silence."""
    at_once: int = 1
    wants_audio: bool = True

    def judge(self, sounds: Sequence[Sound]) -> Sequence[float]:
        """See Ear."""
        prompts = [Prompt(audio=sound.pcm.astype(np.float32) / np.float32(32768.0)) for sound in sounds]
        return _cosines(self.encoder.embed(prompts).embeddings, sounds)


@dataclass(frozen=True)
class StyleCodesEar:
    """Of the fake engine, whose codes after the first are the style codes that it is played under."""

    window: int = FRAME_RATE
    at_once: int = 64
    wants_audio: bool = False

    def judge(self, sounds: Sequence[Sound]) -> Sequence[float]:
        """The share of codes that are those asked for."""
        return [
            float((sound.codes[:, 1:] == np.asarray(sound.asked.style_codes)[: sound.codes.shape[1] - 1]).mean())
            for sound in sounds
        ]


def _cosines(heard: FloatArray, sounds: Sequence[Sound]) -> Sequence[float]:
    asked = np.stack([sound.asked.embedding for sound in sounds])
    lengths = np.linalg.norm(heard, axis=1) * np.linalg.norm(asked, axis=1)
    cosines: list[float] = (np.einsum("nd,nd->n", heard, asked) / np.maximum(lengths, 1e-9)).tolist()
    return cosines
