# SPDX-License-Identifier: Apache-2.0
"""What the three stacks are made of: norm before each sub-layer, none after, no bias anywhere.

A sub-layer computes in the type of its parameters; it is added to a residual that may be wider.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp

from segue_engine.layers.norms import rms_norm
from segue_engine.models.magenta_rt_1.parameters import FeedForwardParams

HIDDEN_FROM: Final = -1e10
"""Added to the logit of a key that must not be seen."""


def norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    """RMS norm over the last axis, computed in float32 and rounded once, to the type of `scale`."""
    return rms_norm(x.astype(jnp.float32), scale).astype(scale.dtype)


def embed(table: jax.Array, ids: jax.Array) -> jax.Array:
    """Token rows [.., D] of ids int32[..], not scaled. An id past the table's end reads the last row."""
    return jnp.take(table, ids, axis=0, mode="clip")


def heads(joined: jax.Array, parts: int, count: int) -> list[jax.Array]:
    """[.., parts · N · H] → `parts` arrays [.., N, H] of N = `count` heads."""
    apart = joined.reshape(*joined.shape[:-1], parts, count, -1)
    return [apart[..., part, :, :] for part in range(parts)]


def attend(query: jax.Array, keys: jax.Array, values: jax.Array, bias: jax.Array | None) -> jax.Array:
    """query [R, T, N, H] over keys and values [R, N, L, H] → [R, T, N · H].

    bias float32, broadcast to [R, N, T, L], goes onto the logits; softmax runs in float32.
    """
    logits = jnp.einsum("rtnh,rnlh->rntl", query, keys).astype(jnp.float32)
    if bias is not None:
        logits = logits + bias
    weights = jax.nn.softmax(logits, axis=-1).astype(query.dtype)
    context = jnp.einsum("rntl,rnlh->rtnh", weights, values)
    return context.reshape(*context.shape[:-2], -1)


def feed_forward(params: FeedForwardParams, x: jax.Array) -> jax.Array:
    """down(gelu(gate(norm(x))) · up(norm(x))), GELU by its tanh approximation; without the residual."""
    gate, up = jnp.split(norm(x, params.norm) @ params.up, 2, axis=-1)
    return (jax.nn.gelu(gate, approximate=True) * up) @ params.down
