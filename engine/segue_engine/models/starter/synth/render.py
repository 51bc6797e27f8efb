# SPDX-License-Identifier: Apache-2.0
"""Offline rendering: whole pieces of tokens to audio, for training checks, examples and listening."""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from segue_engine.models.starter import tokens
from segue_engine.models.starter.synth.oscillators import FRAME
from segue_engine.models.starter.synth.synth import SynthState, Tables, decode, init_state, load_tables

_BLOCK: Final = 25


def _scan(tables: Tables, state: SynthState, codes: jax.Array) -> tuple[SynthState, jax.Array]:
    return jax.lax.scan(lambda carry, frame: decode(tables, carry, frame), state, codes)


_run = jax.jit(_scan, donate_argnums=1)


def render_batch(codes: ArrayLike) -> NDArray[np.float32]:
    """Tokens int[B, T, 12] to audio float32[B, T * 1920, 2]; compiles once per B."""
    plan = np.asarray(codes, np.int32)
    if plan.ndim != 3 or plan.shape[2] != tokens.LEVELS:
        raise ValueError(f"codes: expected shape [pieces, frames, {tokens.LEVELS}], got {list(plan.shape)}")
    pieces, frames, _ = plan.shape
    padded = np.zeros((pieces, -(-frames // _BLOCK) * _BLOCK, tokens.LEVELS), np.int32)
    padded[:, :frames] = plan
    state, out = init_state(pieces), np.zeros((pieces, padded.shape[1] * FRAME, 2), np.float32)
    for first in range(0, padded.shape[1], _BLOCK):
        state, audio = _run(load_tables(), state, jnp.asarray(padded[:, first : first + _BLOCK].swapaxes(0, 1)))
        block = np.asarray(audio).swapaxes(0, 1).reshape(pieces, -1, 2)
        out[:, first * FRAME : (first + _BLOCK) * FRAME] = block
    whole: NDArray[np.float32] = out[:, : frames * FRAME]
    return whole


def render(codes: ArrayLike) -> NDArray[np.float32]:
    """Tokens int[T, 12] of one piece to audio float32[T * 1920, 2]."""
    audio: NDArray[np.float32] = render_batch(np.asarray(codes)[None])[0]
    return audio
