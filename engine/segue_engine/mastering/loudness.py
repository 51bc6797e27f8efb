# SPDX-License-Identifier: Apache-2.0
"""How loud a row has been, and the slow gain that brings it to the target.

The measure is BS.1770's gated loudness over a memory of minutes; the rider moves on that long average only, so music
keeps its dynamics: a quiet passage below the relative gate does not count at all.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.contract import FRAME_RATE, FRAME_SAMPLES
from segue_engine.mastering.config import MasteringConfig
from segue_engine.mastering.kweighting import KWeighting

BLOCK_FRAMES: Final = 10
"""A gating block is 400 ms (BS.1770-4, Annex 1). Ours overlap by 360 ms instead of 300: a frame is the hop."""
ABSOLUTE_GATE_LUFS: Final = -70.0
RELATIVE_GATE_LU: Final = -10.0
OFFSET_LUFS: Final = -0.691
BINS: Final = 80
"""Histogram of gating blocks, 1 LU each from the absolute gate up; louder ones fall into the last."""
FLOOR_POWER: Final = 1e-10


class LoudnessState(NamedTuple):
    """Row axis first everywhere."""

    memory: jax.Array
    """float32[B, 2, 4]: the K filter's."""
    frames: jax.Array
    """float32[B, 10]: K-weighted power of the last frames, oldest first."""
    heard: jax.Array
    """int32[B]: how many of `frames` are real, at most 10."""
    counts: jax.Array
    """float32[B, 80]: blocks per histogram bin, forgotten with `memory_s`."""
    powers: jax.Array
    """float32[B, 80]: sum of these blocks' powers."""
    gain_db: jax.Array
    """float32[B]: the rider's."""
    moving: jax.Array
    """bool[B]: whether the rider is on its way."""


class LoudnessReading(NamedTuple):
    """float32[B] each: LUFS, −70 where nothing was above the absolute gate, and seconds that the latter knows."""

    momentary: jax.Array
    integrated: jax.Array
    seconds: jax.Array


class Loudness:
    """Gated loudness of each row and the rider's gain."""

    def __init__(self, config: MasteringConfig) -> None:
        self._config = config
        self._filter = KWeighting(FRAME_SAMPLES)
        self._keep = float(np.exp(-1.0 / (FRAME_RATE * config.memory_s)))

    def init(self, rows: int) -> LoudnessState:
        """State of `rows` fresh rows; the rider starts where the assumed loudness puts it."""
        limit = self._config.max_gain_db
        start = float(np.clip(self._config.loudness_lufs - self._config.assumed_lufs, -limit, limit))
        return LoudnessState(
            memory=self._filter.init(rows),
            frames=jnp.zeros((rows, BLOCK_FRAMES), jnp.float32),
            heard=jnp.zeros((rows,), jnp.int32),
            counts=jnp.zeros((rows, BINS), jnp.float32),
            powers=jnp.zeros((rows, BINS), jnp.float32),
            gain_db=jnp.full((rows,), start, jnp.float32),
            moving=jnp.zeros((rows,), jnp.bool_),
        )

    def apply(self, state: LoudnessState, audio: jax.Array) -> LoudnessState:
        """Hear one frame, float32[B, 2, 1920] of finite samples, and move the rider by one frame."""
        memory, power = self._filter.mean_square(state.memory, audio)
        frames = jnp.concatenate([state.frames[:, 1:], jnp.sum(power, axis=1)[:, None]], axis=1)
        heard = jnp.minimum(state.heard + 1, BLOCK_FRAMES)
        block = jnp.mean(frames, axis=1)
        level = _lufs(block)
        counted = (heard == BLOCK_FRAMES) & (level > ABSOLUTE_GATE_LUFS)
        place = jnp.clip(jnp.floor(level - ABSOLUTE_GATE_LUFS).astype(jnp.int32), 0, BINS - 1)
        hit = jnp.where((jnp.arange(BINS) == place[:, None]) & counted[:, None], 1.0, 0.0)
        # Forgetting runs on music only: a pause of minutes must not make the rider forget the session.
        # A bin worth a thousandth of a block is dropped, before it fades into denormals over hours.
        keep = jnp.where(counted, self._keep, 1.0)[:, None] * (state.counts > 1e-3)
        state = state._replace(
            memory=memory,
            frames=frames,
            heard=heard,
            counts=state.counts * keep + hit,
            powers=state.powers * keep + hit * block[:, None],
        )
        return self._ride(state)

    def read(self, state: LoudnessState) -> LoudnessReading:
        """Momentary (last 400 ms) and integrated (gated, over the memory) loudness."""
        return LoudnessReading(_lufs(jnp.mean(state.frames, axis=1)), *_gated(state))

    def recall(self, state: LoudnessState, known: jax.Array) -> LoudnessState:
        """Rows made to know float32[B, 3]: the rider's gain, and integrated loudness of so many seconds."""
        limit = self._config.max_gain_db
        gain, level, seconds = known[:, 0], known[:, 1], jnp.clip(known[:, 2], 0.0, self._config.memory_s)
        place = jnp.clip(jnp.floor(level - ABSOLUTE_GATE_LUFS).astype(jnp.int32), 0, BINS - 1)
        counts = jnp.where(jnp.arange(BINS) == place[:, None], FRAME_RATE * seconds[:, None], 0.0)
        power = 10.0 ** ((jnp.clip(level, ABSOLUTE_GATE_LUFS, 40.0) - OFFSET_LUFS) / 10.0)
        return state._replace(gain_db=jnp.clip(gain, -limit, limit), counts=counts, powers=counts * power[:, None])

    def _ride(self, state: LoudnessState) -> LoudnessState:
        config = self._config
        integrated, seconds = _gated(state)
        doubt = config.assumed_weight_s * jnp.exp(-seconds / 10.0)
        believed = (doubt * config.assumed_lufs + seconds * integrated) / (doubt + seconds)
        goal = jnp.clip(config.loudness_lufs - believed, -config.max_gain_db, config.max_gain_db)
        error = goal - state.gain_db
        off = jnp.abs(error)
        moving = (off > config.dead_band_db) | (state.moving & (off > config.dead_band_db / 4))
        early = jnp.exp(-seconds / config.settle_s)
        rate = config.late_rate_db_s + (config.early_rate_db_s - config.late_rate_db_s) * early
        # Toward the goal within a second, never faster than the rate: it slows down before it stops.
        step = jnp.clip(error, -rate, rate) / FRAME_RATE
        return state._replace(gain_db=state.gain_db + jnp.where(moving, step, 0.0), moving=moving)


def _lufs(power: jax.Array) -> jax.Array:
    """Loudness of K-weighted power summed over channels (BS.1770-4, Annex 1, eq. 2; left and right weigh 1)."""
    return OFFSET_LUFS + 10.0 * jnp.log10(jnp.maximum(power, FLOOR_POWER))


def _gated(state: LoudnessState) -> tuple[jax.Array, jax.Array]:
    """Integrated loudness (BS.1770-4, Annex 1, eq. 5–7) and the seconds of music it knows, float32[B] both."""
    blocks = jnp.sum(state.counts, axis=1)
    ungated = _lufs(jnp.sum(state.powers, axis=1) / jnp.maximum(blocks, 1e-6))
    # A bin passes by the mean of what is in it: finer than its place, and right for the last, which has no upper end.
    loud = _lufs(state.powers / jnp.maximum(state.counts, 1e-6)) > (ungated + RELATIVE_GATE_LU)[:, None]
    count = jnp.sum(jnp.where(loud, state.counts, 0.0), axis=1)
    power = jnp.sum(jnp.where(loud, state.powers, 0.0), axis=1) / jnp.maximum(count, 1e-6)
    return jnp.maximum(_lufs(power), ABSOLUTE_GATE_LUFS), blocks / FRAME_RATE
