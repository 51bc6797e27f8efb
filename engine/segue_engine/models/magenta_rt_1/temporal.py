# SPDX-License-Identifier: Apache-2.0
"""The temporal transformer: one position per frame of a chunk, which sees the frames before it and the source.

Keys and values of the source are projected once per chunk. Those of a chunk's own frames lie in rings, so going back is
counting down: what lies past the present frame, or before the chunk, is never read. Residuals are float32.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.layers import ring
from segue_engine.models.magenta_rt_1.blocks import HIDDEN_FROM, attend, embed, feed_forward, heads, norm
from segue_engine.models.magenta_rt_1.config import PAD, MagentaRT1Config
from segue_engine.models.magenta_rt_1.parameters import AttentionParams, CrossAttentionParams, TemporalParams


class KeyValue(NamedTuple):
    """Keys and values, [.., N, L, H] each."""

    keys: jax.Array
    values: jax.Array


Layers = tuple[KeyValue, ...]
"""One per block."""


def init_own(config: MagentaRT1Config, *rows: int, rewind: int = 0) -> Layers:
    """Rings of the last frames' keys and values, [*rows, N, L, H] each, contents unread before they are written.

    L = frames + rewind: after going back so far, a chunk that went on then is still there as far as it had come.
    """
    shape = (*rows, config.heads, config.frames + rewind, config.units)
    return tuple(
        KeyValue(jnp.zeros(shape, config.dtype), jnp.zeros(shape, config.dtype)) for _ in range(config.temporal_layers)
    )


def init_source(config: MagentaRT1Config, *rows: int) -> Layers:
    """Room for a source's keys and values, [*rows, N, S, H] each."""
    shape = (*rows, config.heads, config.source_length, config.units)
    return tuple(
        KeyValue(jnp.zeros(shape, config.dtype), jnp.zeros(shape, config.dtype)) for _ in range(config.temporal_layers)
    )


def project(config: MagentaRT1Config, params: TemporalParams, source: jax.Array) -> Layers:
    """source [R, S, D] → its keys and values for every block, [R, N, S, H] each."""
    found = []
    for block in params.blocks:
        key, value = heads(source @ block.cross_attention.kv, 2, config.heads)
        found.append(KeyValue(jnp.swapaxes(key, 1, 2), jnp.swapaxes(value, 1, 2)))
    return tuple(found)


def enter(tokens: jax.Array, before: jax.Array, at: jax.Array) -> jax.Array:
    """Input float32[R, D] of frame at[R] in its chunk: the mean of the token rows of ids before[R, levels].

    A chunk's first frame reads the start token instead.
    """
    ids = jnp.where((at == 0)[:, None], PAD, before)
    return jnp.mean(embed(tokens, ids).astype(jnp.float32), axis=1)


def step(
    config: MagentaRT1Config,
    params: TemporalParams,
    own: Layers,
    source: Layers,
    x: jax.Array,
    frame: jax.Array,
    at: jax.Array,
    due: jax.Array,
) -> tuple[Layers, jax.Array]:
    """One frame: x float32[R, D] of frame[R], at place at[R] of its chunk → own, output float32[R, D] (no norm).

    own and source [R, N, L, H] per block; of own, entry f mod L is frame f. Rows that are not due keep theirs bit for
    bit.
    """
    behind = ring.ages(frame + 1, own[0].keys.shape[2]) - 1
    near = params.bias[:, jnp.minimum(behind, config.frames - 1)].astype(jnp.float32)
    bias = jnp.swapaxes(jnp.where(behind <= at[:, None], near, HIDDEN_FROM), 0, 1)[:, :, None]
    written = []
    for block, past, heard in zip(params.blocks, own, source, strict=True):
        query, key, value = _project_own(config, block.attention, x[:, None])
        past = KeyValue(
            ring.write(past.keys, key[:, 0], frame, due, axis=2),
            ring.write(past.values, value[:, 0], frame, due, axis=2),
        )
        out = attend(query, past.keys, past.values, bias)[:, 0]
        x = x + out @ block.attention.output
        x = x + _cross_attention(config, block.cross_attention, heard, x[:, None])[:, 0]
        x = x + feed_forward(block.feed_forward, x)
        written.append(past)
    return tuple(written), x


def whole(config: MagentaRT1Config, params: TemporalParams, source: Layers, x: jax.Array) -> jax.Array:
    """All frames at once, teacher-forced: x float32[R, T, D] from a chunk's first frame on, T <= frames → [R, T, D]."""
    behind = jnp.arange(x.shape[1])[:, None] - jnp.arange(x.shape[1])
    bias = jnp.where(behind >= 0, params.bias[:, jnp.maximum(behind, 0)].astype(jnp.float32), HIDDEN_FROM)
    for block, heard in zip(params.blocks, source, strict=True):
        query, key, value = _project_own(config, block.attention, x)
        out = attend(query, jnp.swapaxes(key, 1, 2), jnp.swapaxes(value, 1, 2), bias)
        x = x + out @ block.attention.output
        x = x + _cross_attention(config, block.cross_attention, heard, x)
        x = x + feed_forward(block.feed_forward, x)
    return x


def _project_own(config: MagentaRT1Config, params: AttentionParams, x: jax.Array) -> list[jax.Array]:
    return heads(norm(x, params.norm) @ params.qkv, 3, config.heads)


def _cross_attention(
    config: MagentaRT1Config, params: CrossAttentionParams, heard: KeyValue, x: jax.Array
) -> jax.Array:
    (query,) = heads(norm(x, params.norm) @ params.query, 1, config.heads)
    return attend(query, heard.keys, heard.values, None) @ params.output
