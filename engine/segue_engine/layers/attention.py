# SPDX-License-Identifier: Apache-2.0
"""Window attention in two forms that agree: one frame against a ring, and a whole sequence under a banded mask.

A frame sees itself and the `window` frames before it, and optionally a sink: a learned key and value per head that is
always visible and whose logit comes from the unscaled query. Softmax runs in float32, masked logits are −1e9.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

_MASKED: Final = -1e9


class Sink(NamedTuple):
    """key and value, [N, H] each, that every query can rest on; a float32 key has float32 logits under bf16 queries."""

    key: jax.Array
    value: jax.Array


def default_scale(query: jax.Array) -> jax.Array:
    """query / sqrt(H)."""
    return query * jnp.asarray(1.0 / math.sqrt(query.shape[-1]), query.dtype)


def per_dim_scale(query: jax.Array, scale: jax.Array) -> jax.Array:
    """query · log2(e) / sqrt(H) · softplus(scale[H]), in query's dtype: scale 0 is the usual 1 / sqrt(H)."""
    constant = jnp.asarray(1.442695041 / math.sqrt(query.shape[-1]), query.dtype)
    return query * (constant * jax.nn.softplus(scale.astype(query.dtype)))


def _softmax(logits: jax.Array, extra: list[jax.Array], dtype: jnp.dtype) -> tuple[jax.Array, list[jax.Array]]:
    """Softmax in float32 over the last axis of logits joined by single columns `extra`, taken apart again."""
    logits = logits.astype(jnp.float32)
    columns = [e.astype(jnp.float32) for e in extra]
    top = jnp.max(logits, axis=-1, keepdims=True)
    for c in columns:
        top = jnp.maximum(top, c)
    top = jax.lax.stop_gradient(top)
    weights = jnp.exp(logits - top)
    others = [jnp.exp(c - top) for c in columns]
    total = jnp.sum(weights, axis=-1, keepdims=True)
    for o in others:
        total = total + o
    by = 1.0 / total
    return (weights * by).astype(dtype), [(o * by).astype(dtype) for o in others]


def attend_ring(
    query: jax.Array,
    scaled: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    seen: jax.Array,
    own: tuple[jax.Array, jax.Array],
    sink: Sink | None = None,
) -> jax.Array:
    """One frame of G branches that share a row's ring: query and scaled [B, G, N, H] → [B, G, N, H].

    keys, values [B, N, L, H] of the past with seen bool[B, L]; own = the branch's key and value of this frame,
    [B, G, N, H], which need not be in the ring. `query` (unscaled) only serves the sink.
    """
    own_key, own_value = own
    if query.shape[1] > 1:  # one by one: on XLA:CPU products with a few queries take several times those with one
        branches = [slice(g, g + 1) for g in range(query.shape[1])]
        return jnp.concatenate(
            [
                attend_ring(query[:, g], scaled[:, g], keys, values, seen, (own_key[:, g], own_value[:, g]), sink)
                for g in branches
            ],
            axis=1,
        )
    logits = jnp.einsum("bgnh,bnlh->bngl", scaled, keys)
    logits = jnp.where(seen[:, None, None, :], logits.astype(jnp.float32), _MASKED)
    extra = [jnp.einsum("bgnh,bgnh->bng", scaled, own_key)[..., None]]
    if sink is not None:
        extra.append(jnp.einsum("bgnh,nh->bng", query, sink.key)[..., None])
    weights, others = _softmax(logits, extra, query.dtype)
    out = jnp.einsum("bngl,bnlh->bgnh", weights, values)
    out = out + jnp.swapaxes(others[0], 1, 2) * own_value
    if sink is not None:
        out = out + jnp.swapaxes(others[1], 1, 2) * sink.value.astype(query.dtype)
    return out


def attend_ahead(
    query: jax.Array,
    scaled: jax.Array,
    past: tuple[jax.Array, jax.Array],
    seen: jax.Array,
    present: tuple[jax.Array, jax.Array],
    sink: Sink | None = None,
) -> jax.Array:
    """T frames that follow a past: query, scaled and present keys and values [B, T, N, H] → [B, T, N, H].

    past: keys and values [B, W, N, H] of the W frames before, oldest first, with seen bool[B, W] of those that exist. W
    is the window: frame t sees itself and the W before it.
    """
    window, length = past[0].shape[1], query.shape[1]
    keys, values = (jnp.concatenate([old, new], axis=1) for old, new in zip(past, present, strict=True))
    behind = jnp.arange(length)[:, None] + window - jnp.arange(window + length)
    visible = (behind >= 0) & (behind <= window)
    exists = jnp.concatenate([seen, jnp.ones((seen.shape[0], length), bool)], axis=1)
    logits = jnp.einsum("btnh,bsnh->bnts", scaled, keys)
    logits = jnp.where((visible & exists[:, None])[:, None], logits.astype(jnp.float32), _MASKED)
    extra = [] if sink is None else [jnp.einsum("btnh,nh->bnt", query, sink.key)[..., None]]
    weights, others = _softmax(logits, extra, query.dtype)
    out = jnp.einsum("bnts,bsnh->btnh", weights, values)
    if sink is not None:
        out = out + jnp.swapaxes(others[0], 1, 2) * sink.value.astype(query.dtype)
    return out


def attend_whole(
    query: jax.Array,
    scaled: jax.Array,
    keys: jax.Array,
    values: jax.Array,
    window: int,
    sink: Sink | None = None,
) -> jax.Array:
    """Whole sequences: query, scaled, keys, values [B, T, N, H] → [B, T, N, H]; frame t sees t − window .. t.

    Runs in blocks of `window` frames (each sees its own and the block before) where T is a larger multiple of it.
    """
    length = query.shape[1]
    if length > window and length % window == 0:
        return _attend_blocks(query, scaled, keys, values, window, sink)
    past = jnp.arange(length)[:, None] - jnp.arange(length)
    seen = (past >= 0) & (past <= window)
    logits = jnp.einsum("btnh,bsnh->bnts", scaled, keys)
    logits = jnp.where(seen, logits.astype(jnp.float32), _MASKED)
    extra = [] if sink is None else [jnp.einsum("btnh,nh->bnt", query, sink.key)[..., None]]
    weights, others = _softmax(logits, extra, query.dtype)
    out = jnp.einsum("bnts,bsnh->btnh", weights, values)
    if sink is not None:
        out = out + jnp.swapaxes(others[0], 1, 2) * sink.value.astype(query.dtype)
    return out


def _attend_blocks(
    query: jax.Array, scaled: jax.Array, keys: jax.Array, values: jax.Array, window: int, sink: Sink | None
) -> jax.Array:
    batch, length, heads, width = query.shape
    blocks = length // window

    def split(x: jax.Array) -> jax.Array:
        return x.reshape(batch, blocks, window, heads, width)

    def with_previous(x: jax.Array) -> jax.Array:
        x = split(x)
        return jnp.concatenate([jnp.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0), (0, 0), (0, 0))), x], axis=2)

    past = jnp.arange(window)[:, None] + window - jnp.arange(2 * window)
    seen = (past >= 0) & (past <= window)
    first = jnp.arange(2 * window) >= window
    mask = jnp.where(jnp.arange(blocks)[:, None, None] == 0, seen & first, seen)
    logits = jnp.einsum("bctnh,bcsnh->bcnts", split(scaled), with_previous(keys))
    logits = jnp.where(mask[:, None], logits.astype(jnp.float32), _MASKED)
    extra = []
    if sink is not None:
        extra.append(jnp.einsum("bctnh,nh->bcnt", split(query), sink.key)[..., None])
    weights, others = _softmax(logits, extra, query.dtype)
    out = jnp.einsum("bcnts,bcsnh->bctnh", weights, with_previous(values))
    if sink is not None:
        out = out + jnp.swapaxes(others[0], 2, 3) * sink.value.astype(query.dtype)
    return out.reshape(batch, length, heads, width)
