# SPDX-License-Identifier: Apache-2.0
"""Many given frames at once: a row's history goes through the temporal transformer as one sequence.

The depth transformer and the sampler have no part in it. The rings come out as if the frames had been made one by one,
up to rounding.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from segue_engine.layers import attention, ring
from segue_engine.layers.norms import rms_norm
from segue_engine.models.magenta_rt_2.blocks import feed_forward, join_heads, split_heads
from segue_engine.models.magenta_rt_2.config import MagentaRT2Config
from segue_engine.models.magenta_rt_2.parameters import CrossAttentionParams, SelfAttentionParams, TemporalParams
from segue_engine.models.magenta_rt_2.temporal import KeyValueRing, TemporalRings


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
    steps = x.shape[1]
    own_rings, source_rings = [], []
    for layer, block in enumerate(params.blocks):
        own, out = _self_attention(config, block.self_attention, rings.own[layer], x, frame, count)
        x = x + out
        key, value = (jnp.repeat(part[:, None], steps, axis=1) for part in conditions[2 * layer : 2 * layer + 2])
        asked, out = _cross_attention(config, block.cross_attention, rings.source[layer], x, (key, value), frame, count)
        x = feed_forward(block.feed_forward, x + out, None)
        own_rings.append(own)
        source_rings.append(asked)
    return TemporalRings(own=tuple(own_rings), source=tuple(source_rings))


def _self_attention(
    config: MagentaRT2Config,
    params: SelfAttentionParams,
    past: KeyValueRing,
    x: jax.Array,
    frame: jax.Array,
    count: jax.Array,
) -> tuple[KeyValueRing, jax.Array]:
    query, key, value = split_heads(config.temporal, rms_norm(x, params.pre_norm) @ params.qkv, 3)
    past, context = _attend(params, past, query, (key, value), config.self_window, frame, count)
    return past, rms_norm(context @ params.output, params.post_norm)


def _cross_attention(
    config: MagentaRT2Config,
    params: CrossAttentionParams,
    past: KeyValueRing,
    x: jax.Array,
    condition: tuple[jax.Array, jax.Array],
    frame: jax.Array,
    count: jax.Array,
) -> tuple[KeyValueRing, jax.Array]:
    (query,) = split_heads(config.temporal, rms_norm(x, params.pre_norm) @ params.query, 1)
    past, context = _attend(params, past, query, condition, config.cross_window, frame, count)
    return past, rms_norm(context @ params.output, params.post_norm)


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
