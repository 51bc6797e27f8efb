# SPDX-License-Identifier: Apache-2.0
"""Who judges what sounds: an ear tells how much of each style it hears in the last seconds, or there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_RATE, FRAME_SAMPLES, SAMPLE_RATE, Prompt, StyleEncoder
from segue_service.session.playing import Performance

Scale = Literal["fixed", "own"]
"""fixed: 1 is what was asked, about 0 anything else. own: a scale of the model's, on which only changes mean much."""
ALIKE: Final = 0.98
"""Cosine from which two blends count as one: nobody could tell them apart."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hearing:
    """Verdicts, each on the window that ends at its time: seconds of the timeline f64[n], likeness f64[n, blends]."""

    seconds: NDArray[np.float64]
    values: NDArray[np.float64]

    def between(self, begin: float, end: float) -> NDArray[np.float64]:
        """Values of the verdicts of begin < time <= end."""
        return self.values[(self.seconds > begin + 1e-9) & (self.seconds <= end + 1e-9)]


class Ear(Protocol):
    """window: seconds that a verdict rests on. said: what it is, in one sentence for reports."""

    @property
    def scale(self) -> Scale: ...

    @property
    def window(self) -> float: ...

    @property
    def said(self) -> str: ...

    def hear(self, performance: Performance) -> Hearing:
        """Verdicts over the whole performance on the blends that the ear was made for."""
        ...


class CodeTeller(Protocol):
    """Shares of styles by the codes alone: (frames that windows end before int64[n], shares f64[n, k])."""

    def hear(self, tokens: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...


@dataclass(frozen=True)
class TokenEar:
    """The starter's: a judge of its event tokens, taught by the composer in this soundtrack's own blends."""

    teller: CodeTeller
    blends: FloatArray
    scale: Scale = "fixed"
    window: float = 3.0
    said: str = (
        "a judge of the notes and hits of the last 3 s, which the starter's composer has taught the blends of this "
        "soundtrack: how like the blend that it hears is to the one that was asked for"
    )

    def hear(self, performance: Performance) -> Hearing:
        ends, shares = self.teller.hear(performance.codes)
        likeness = np.clip(_unit(self.blends) @ _unit(self.blends).T, 0.0, 1.0).astype(np.float64)
        begins = performance.axis.audible(0) / SAMPLE_RATE
        return Hearing(begins + ends / FRAME_RATE, shares @ likeness)


@dataclass(frozen=True)
class AudioEar:
    """Of models whose style encoder takes recordings: cosine of what sounds and what was asked for."""

    encoder: StyleEncoder
    blends: FloatArray
    scale: Scale = "own"
    window: float = 5.0
    hop: float = 0.5
    said: str = "the model's own style encoder on the last 5 s of sound; cosine with the blend that was asked for"

    def hear(self, performance: Performance) -> Hearing:
        length, hop = round(self.window * SAMPLE_RATE), round(self.hop * SAMPLE_RATE)
        audio = performance.pcm.astype(np.float32) / 32768.0
        ends = np.arange(length, len(audio) + 1, hop)
        if not len(ends):
            return Hearing(np.zeros(0), np.zeros((0, len(self.blends))))
        prompts = [Prompt(audio=audio[end - length : end]) for end in ends.tolist()]
        heard = _unit(self.encoder.embed(prompts).embeddings)
        return Hearing(ends / SAMPLE_RATE, (heard @ _unit(self.blends).T).astype(np.float64))


@dataclass(frozen=True)
class CodeEar:
    """Of the fake engine, whose codes after the first are the style codes that it is played under."""

    codes: NDArray[np.int32]
    """Style codes of the blends, i32[k, 12]."""
    scale: Scale = "fixed"
    window: float = 1 / FRAME_RATE
    said: str = "the fake engine's codes, which name the style that they are made under"

    def hear(self, performance: Performance) -> Hearing:
        told = performance.codes[:, 1:]
        same = (told[:, None, :] == self.codes[None, :, : told.shape[1]]).mean(2)
        ends = (performance.axis.audible(0) + FRAME_SAMPLES * (1 + np.arange(len(told)))) / SAMPLE_RATE
        return Hearing(ends, same)


@dataclass(frozen=True)
class Blends:
    """The distinct blends of a soundtrack's edges: f32[k, 768]. Near ones are one."""

    embeddings: FloatArray

    def of(self, embedding: FloatArray) -> int:
        """Which of them an embedding is."""
        return int(np.argmax(_unit(self.embeddings) @ _unit(embedding[None])[0]))

    @staticmethod
    def among(embeddings: FloatArray) -> Blends:
        """Of embeddings f32[n, 768], in the order in which they come."""
        kept: list[FloatArray] = []
        for row in embeddings:
            if not kept or float((_unit(np.stack(kept)) @ _unit(row[None])[0]).max()) < ALIKE:
                kept.append(row)
        return Blends(np.stack(kept))


def _unit(rows: FloatArray) -> FloatArray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9), np.float32)
