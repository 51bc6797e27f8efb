# SPDX-License-Identifier: Apache-2.0
"""The sub-layers that the temporal and the depth transformer are made of: each normalised before and after."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from segue_engine.layers.norms import rms_norm
from segue_engine.models.magenta_rt_2.config import StackConfig
from segue_engine.models.magenta_rt_2.parameters import FeedForwardParams


def split_heads(stack: StackConfig, joined: jax.Array, parts: int) -> list[jax.Array]:
    """[.., parts · N · H] → `parts` arrays [.., N, H]."""
    apart = joined.reshape(*joined.shape[:-1], parts, stack.heads, stack.units)
    return [apart[..., part, :, :] for part in range(parts)]


def join_heads(context: jax.Array) -> jax.Array:
    """[.., N, H] → [.., N · H]."""
    return context.reshape(*context.shape[:-2], -1)


def feed_forward(params: FeedForwardParams, x: jax.Array, norm_dtype: DTypeLike | None) -> jax.Array:
    """x + norm(down(gelu(up(norm(x))))), GELU by its tanh approximation; norm_dtype is where reductions run."""
    hidden = rms_norm(x, params.pre_norm, dtype=norm_dtype) @ params.up + params.up_bias
    out = jax.nn.gelu(hidden, approximate=True) @ params.down + params.down_bias
    return x + rms_norm(out, params.post_norm, dtype=norm_dtype)


def embed(table: jax.Array, ids: jax.Array) -> jax.Array:
    """Token rows [.., D] of ids int32[..], times sqrt(D) in the table's type."""
    scale = jnp.sqrt(jnp.asarray(table.shape[-1], jnp.float32)).astype(table.dtype)
    return scale * jnp.take(table, ids, axis=0, mode="clip")
