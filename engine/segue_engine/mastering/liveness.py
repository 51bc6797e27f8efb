# SPDX-License-Identifier: Apache-2.0
"""Liveness guard: notices rows that went silent, out of range, off centre or non-finite, and cleans what it can.

It acts on two things only: a block with a non-finite sample becomes silence, and a constant offset is taken out.
The rest is counted for the engine to read.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.contract import CHANNELS, FRAME_RATE, FRAME_SAMPLES

INPUT_LIMIT: Final = 32.0
"""Samples beyond this (+30 dBFS) are cut: no music is there, and squares of huge numbers overflow."""
OVER_RANGE: Final = 2.0
"""A frame with a sample beyond this (+6 dBFS) before mastering counts as over range."""
_DC_SECONDS: Final = 1.0
_RAMP: Final = (np.arange(1, FRAME_SAMPLES + 1) / FRAME_SAMPLES).astype(np.float32)


class LivenessState(NamedTuple):
    """Row axis first everywhere."""

    offset: jax.Array
    """float32[B, 2]: estimate of the constant offset."""
    silent: jax.Array
    """int32[B]: frames of near-silence in a row, up to now."""
    over_range: jax.Array
    """int32[B]: frames over range since the row was fresh."""
    faults: jax.Array
    """int32[B]: frames with a non-finite sample since the row was fresh."""
    fault: jax.Array
    """bool[B]: whether the latest frame was one."""
    peak: jax.Array
    """float32[B]: largest |sample| of the latest frame before mastering."""


class Liveness:
    """Detectors of one frame each; `silence_dbfs` is the level below which a frame is silent."""

    def __init__(self, silence_dbfs: float) -> None:
        self._silence = float(10.0 ** (silence_dbfs / 10.0))
        self._adapt = float(1.0 - np.exp(-1.0 / (FRAME_RATE * _DC_SECONDS)))

    def init(self, rows: int) -> LivenessState:
        """State of `rows` fresh rows."""
        return LivenessState(
            offset=jnp.zeros((rows, CHANNELS), jnp.float32),
            silent=jnp.zeros((rows,), jnp.int32),
            over_range=jnp.zeros((rows,), jnp.int32),
            faults=jnp.zeros((rows,), jnp.int32),
            fault=jnp.zeros((rows,), jnp.bool_),
            peak=jnp.zeros((rows,), jnp.float32),
        )

    def apply(self, state: LivenessState, audio: jax.Array) -> tuple[LivenessState, jax.Array]:
        """Anything float32[B, 2, 1920] → state, the same finite, within ±32 and centred."""
        fault = ~jnp.all(jnp.isfinite(audio), axis=(1, 2))
        clean = jnp.where(fault[:, None, None], 0.0, jnp.clip(audio, -INPUT_LIMIT, INPUT_LIMIT))
        mean = jnp.mean(clean, axis=2)
        power = jnp.mean(jnp.square(clean - mean[:, :, None]), axis=(1, 2))
        peak = jnp.max(jnp.abs(clean), axis=(1, 2))
        # A replaced frame says nothing about the offset.
        offset = state.offset + jnp.where(fault, 0.0, self._adapt)[:, None] * (mean - state.offset)
        offset = jnp.where(jnp.abs(offset) > 1e-9, offset, 0.0)
        after = LivenessState(
            offset=offset,
            silent=jnp.where(power < self._silence, state.silent + 1, 0),
            over_range=state.over_range + (peak > OVER_RANGE),
            faults=state.faults + fault,
            fault=fault,
            peak=peak,
        )
        removed = state.offset[:, :, None] + (offset - state.offset)[:, :, None] * _RAMP
        return after, clean - jnp.where(fault[:, None, None], 0.0, removed)
