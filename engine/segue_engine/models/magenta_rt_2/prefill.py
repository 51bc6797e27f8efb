# SPDX-License-Identifier: Apache-2.0
"""Many given frames at once: a row's history goes through the temporal transformer as one sequence.

The depth transformer and the sampler have no part in it. The rings come out as if the frames had been made one by one,
up to rounding.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from segue_engine.layers import attention, ring
from segue_engine.models.magenta_rt_2.blocks import join_heads, split_heads
from segue_engine.models.magenta_rt_2.config import MagentaRT2Config
from segue_engine.models.magenta_rt_2.parameters import CrossAttentionParams, SelfAttentionParams, TemporalParams
from segue_engine.models.magenta_rt_2.temporal import KeyValueRing, TemporalRings, run_blocks


def absorb(
    config: MagentaRT2Config,
    params: TemporalParams,
    rings: TemporalRings,
    x: jax.Array,
    source: jax.Array,
    frame: jax.Array,
    count: jax.Array,
) -> TemporalRings:
    """Frames `frame` .. `frame + count − 1`, int32[B] each, of x [B, T, D] under one source [B, E] → rings.

    x holds the embedded codes of the frame before each. Where count is 0 a row's rings stay bit for bit.
    """
    conditions = split_heads(config.temporal, source @ params.cross_kv, 2 * config.temporal.layers)
    repeated = [jnp.repeat(part[:, None], x.shape[1], axis=1) for part in conditions]
    return run_blocks(config, params, rings, x, repeated, partial(_attend, frame=frame, count=count))[0]


def _attend(
    params: SelfAttentionParams | CrossAttentionParams,
    past: KeyValueRing,
    query: jax.Array,
    present: tuple[jax.Array, jax.Array],
    window: int,
    frame: jax.Array,
    count: jax.Array,
) -> tuple[KeyValueRing, jax.Array]:
    """query [B, T, N, H] over the window of `past`, the frames of `present` up to its own and the sink."""
    keys, seen = ring.read_window(past.keys, frame, window, axis=2)
    values, _ = ring.read_window(past.values, frame, window, axis=2)
    context = attention.attend_ahead(
        query,
        query * params.query_scale,
        (jnp.swapaxes(keys, 1, 2), jnp.swapaxes(values, 1, 2)),
        seen,
        present,
        sink=None if params.sink is None else attention.Sink(*params.sink),
    )
    written = KeyValueRing(
        ring.write_many(past.keys, present[0], frame, count, axis=2),
        ring.write_many(past.values, present[1], frame, count, axis=2),
    )
    return written, join_heads(context)
