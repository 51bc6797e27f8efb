# SPDX-License-Identifier: Apache-2.0
"""Tokens to audio and audio through mastering, in batches of one size, so that each compiles once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import CHANNELS, FRAME_SAMPLES, TRUE_PEAK_DBTP
from segue_engine.mastering import Mastering
from segue_engine.models.starter.evaluation.generate import Advance
from segue_engine.models.starter.synth import render_batch

ROWS: Final = 16
_CHUNK: Final = 25


def render_batches(
    pieces: NDArray[np.integer], advance: Advance | None = None, rows: int = ROWS
) -> Iterator[NDArray[np.float32]]:
    """Audio f32[T · 1920, 2] of each piece of tokens int[n, T, 12], before mastering; `rows` at a time in memory."""
    rows = max(1, min(rows, len(pieces)))
    for first in range(0, len(pieces), rows):
        part = pieces[first : first + rows]
        padded = np.concatenate([part, np.repeat(part[-1:], rows - len(part), axis=0)])
        audio = render_batch(padded)
        if advance is not None:
            advance(part.shape[0] * part.shape[1])
        yield from audio[: len(part)]


@cache
def _chain() -> tuple[Mastering, Any]:
    mastering = Mastering()

    def run(state: Any, frames: jax.Array) -> tuple[Any, jax.Array]:
        def one(carry: Any, audio: jax.Array) -> tuple[Any, jax.Array]:
            rows = audio.shape[0]
            levels = jnp.tile(jnp.asarray([0.0, TRUE_PEAK_DBTP], jnp.float32), (rows, 1))
            return mastering.apply(carry, audio, levels, jnp.ones((rows,), jnp.bool_))

        return jax.lax.scan(one, state, frames)

    return mastering, jax.jit(run, donate_argnums=0)


def master(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Audio f32[n, 2] as a session hears it: mastered with the default target, no style gain, the delay taken out.

    The length must be whole frames; the last 3 ms, still inside the limiter, are silence.
    """
    frames, rest = divmod(len(audio), FRAME_SAMPLES)
    if audio.ndim != 2 or audio.shape[1] != CHANNELS or rest or not frames:
        raise ValueError(f"audio: expected [frames · {FRAME_SAMPLES}, {CHANNELS}], got {list(audio.shape)}")
    mastering, run = _chain()
    padded = np.zeros((-(-frames // _CHUNK) * _CHUNK, 1, FRAME_SAMPLES, CHANNELS), np.float32)
    padded[:frames, 0] = audio.reshape(frames, FRAME_SAMPLES, CHANNELS)
    state, out = mastering.init(1), np.empty_like(padded)
    for begin in range(0, len(padded), _CHUNK):
        state, made = run(state, jnp.asarray(padded[begin : begin + _CHUNK]))
        out[begin : begin + _CHUNK] = np.asarray(made)
    heard = out[:frames].reshape(-1, CHANNELS)
    return np.concatenate([heard[mastering.delay_samples :], np.zeros((mastering.delay_samples, CHANNELS), np.float32)])
