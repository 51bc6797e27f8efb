# SPDX-License-Identifier: Apache-2.0
"""The temporal transformer, one frame at a time: what has been played and what was asked for, a window of each.

Every block attends to its own past and to the conditioning of the same frames, both in rings. There are no positions,
so a ring may turn freely. Norms run in the compute type, as published.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.layers import attention, ring
from segue_engine.layers.norms import rms_norm
from segue_engine.models.magenta_rt_2.blocks import feed_forward, join_heads, split_heads
from segue_engine.models.magenta_rt_2.config import MagentaRT2Config
from segue_engine.models.magenta_rt_2.parameters import CrossAttentionParams, SelfAttentionParams, TemporalParams

_ROOMY: Final = 3
"""From a ring so many times its window on, copying the window out is cheaper than attending to all of it."""


class KeyValueRing(NamedTuple):
    """Keys and values of past frames, [B, N, L, H] each."""

    keys: jax.Array
    values: jax.Array


class TemporalRings(NamedTuple):
    """Per block: its own past, and the conditioning of the past."""

    own: tuple[KeyValueRing, ...]
    source: tuple[KeyValueRing, ...]


Attend = Callable[
    [SelfAttentionParams | CrossAttentionParams, KeyValueRing, jax.Array, tuple[jax.Array, jax.Array], int],
    tuple[KeyValueRing, jax.Array],
]
"""params, past, query [.., N, H], present key and value, window → ring with the present in it, context [.., N · H]."""


class _Frames(NamedTuple):
    """Which frame each row makes, and who is due."""

    frame: jax.Array
    due: jax.Array


def init_rings(config: MagentaRT2Config, rows: int, rewind: int) -> TemporalRings:
    """Rings of fresh rows that can go back `rewind` frames."""
    stack = config.temporal

    def rings(window: int) -> tuple[KeyValueRing, ...]:
        shape = (rows, stack.heads, ring.ring_length(window, rewind), stack.units)
        return tuple(
            KeyValueRing(jnp.zeros(shape, config.dtype), jnp.zeros(shape, config.dtype)) for _ in range(stack.layers)
        )

    return TemporalRings(own=rings(config.self_window), source=rings(config.cross_window))


def step(
    config: MagentaRT2Config,
    params: TemporalParams,
    rings: TemporalRings,
    x: jax.Array,
    source: jax.Array,
    frame: jax.Array,
    due: jax.Array,
) -> tuple[TemporalRings, jax.Array]:
    """One frame: x [B, D] of the last frame's codes and source [B, E] → rings, output [B, D] (no final norm).

    frame int32[B], due bool[B]; rows that are not due keep their rings bit for bit.
    """
    conditions = split_heads(config.temporal, source @ params.cross_kv, 2 * config.temporal.layers)
    return run_blocks(config, params, rings, x, conditions, partial(_attend, now=_Frames(frame, due)))


def run_blocks(
    config: MagentaRT2Config,
    params: TemporalParams,
    rings: TemporalRings,
    x: jax.Array,
    conditions: Sequence[jax.Array],
    attend: Attend,
) -> tuple[TemporalRings, jax.Array]:
    """All blocks on x [.., D], one frame or several; conditions: each layer's cross-attention key and value in turn."""
    own_rings, source_rings = [], []
    for layer, block in enumerate(params.blocks):
        own, out = _self_attention(config, block.self_attention, rings.own[layer], x, attend)
        x = x + out
        condition = (conditions[2 * layer], conditions[2 * layer + 1])
        asked, out = _cross_attention(config, block.cross_attention, rings.source[layer], x, condition, attend)
        x = feed_forward(block.feed_forward, x + out, None)
        own_rings.append(own)
        source_rings.append(asked)
    return TemporalRings(own=tuple(own_rings), source=tuple(source_rings)), x


def _self_attention(
    config: MagentaRT2Config, params: SelfAttentionParams, past: KeyValueRing, x: jax.Array, attend: Attend
) -> tuple[KeyValueRing, jax.Array]:
    query, key, value = split_heads(config.temporal, rms_norm(x, params.pre_norm) @ params.qkv, 3)
    past, context = attend(params, past, query, (key, value), config.self_window)
    return past, rms_norm(context @ params.output, params.post_norm)


def _cross_attention(
    config: MagentaRT2Config,
    params: CrossAttentionParams,
    past: KeyValueRing,
    x: jax.Array,
    condition: tuple[jax.Array, jax.Array],
    attend: Attend,
) -> tuple[KeyValueRing, jax.Array]:
    (query,) = split_heads(config.temporal, rms_norm(x, params.pre_norm) @ params.query, 1)
    past, context = attend(params, past, query, condition, config.cross_window)
    return past, rms_norm(context @ params.output, params.post_norm)


def _attend(
    params: SelfAttentionParams | CrossAttentionParams,
    past: KeyValueRing,
    query: jax.Array,
    present: tuple[jax.Array, jax.Array],
    window: int,
    now: _Frames,
) -> tuple[KeyValueRing, jax.Array]:
    """query [B, N, H] over the window of `past`, the present key and value and the sink → ring, context [B, N · H]."""
    length = past.keys.shape[2]
    if length > _ROOMY * window:
        keys, seen = ring.read_window(past.keys, now.frame, window, axis=2)
        values, _ = ring.read_window(past.values, now.frame, window, axis=2)
    else:
        keys, values, seen = past.keys, past.values, ring.visible(now.frame, length, window)
    key, value = present
    context = attention.attend_ring(
        query[:, None],
        (query * params.query_scale)[:, None],
        keys,
        values,
        seen,
        own=(key[:, None], value[:, None]),
        sink=None if params.sink is None else attention.Sink(*params.sink),
    )
    written = KeyValueRing(
        ring.write(past.keys, key, now.frame, now.due, axis=2),
        ring.write(past.values, value, now.frame, now.due, axis=2),
    )
    return written, join_heads(context[:, 0])
