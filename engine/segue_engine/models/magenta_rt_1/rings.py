# SPDX-License-Identifier: Apache-2.0
"""What a slot remembers: the codes that it played, and the chunk that it is in."""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.contract import MASKED
from segue_engine.layers import ring
from segue_engine.models.magenta_rt_1 import chunk
from segue_engine.models.magenta_rt_1.chunk import ChunkState
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config

CODES_DTYPE: Final = jnp.int16


class Rings(NamedTuple):
    """codes int16[B, L, levels] of past frames, L as `code_length`; chunk: what leads the frames to come."""

    codes: jax.Array
    chunk: ChunkState


def code_length(config: MagentaRT1Config, rewind: int) -> int:
    """Entries needed so that, after going back `rewind` frames, the context of the chunk there is still known: it may
    have begun almost a chunk's length before."""
    return ring.ring_length(config.context_frames + config.frames, rewind)


def init_rings(config: MagentaRT1Config, rows: int, rewind: int) -> Rings:
    """Rings of `rows` fresh rows that can go back `rewind` frames; every leaf is [rows, …]."""
    codes = jnp.zeros((rows, code_length(config, rewind), config.levels), CODES_DTYPE)
    return Rings(codes, chunk.init_state(config, rows, rewind))


def context_before(config: MagentaRT1Config, rings: Rings, row: jax.Array, frame: jax.Array) -> jax.Array:
    """What row `row` played in the context_frames before `frame`, oldest first: int32[context_frames, levels], MASKED
    before frame 0."""
    length = rings.codes.shape[1]
    past = frame - config.context_frames + jnp.arange(config.context_frames, dtype=jnp.int32)
    codes = rings.codes[row, past % length].astype(jnp.int32)
    return jnp.where(past[:, None] >= 0, codes, MASKED)


def in_range(config: MagentaRT1Config, codes: jax.Array) -> jax.Array:
    """Codes as int32, clamped to the codebook."""
    return jnp.clip(codes.astype(jnp.int32), 0, config.codebook - 1)
