# SPDX-License-Identifier: Apache-2.0
"""The encoder: 1,000 tokens of context and 6 of style, all of which see each other.

A pass is one call of `encode`, or `enter`, some calls of `go_on` over consecutive layers and `leave`: the same numbers
in pieces of bounded work, so that one slot's pass can run between the frames of the others. One compiled `go_on` serves
every piece, because the layers it runs are numbers on the device.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from segue_engine.models.magenta_rt_1.blocks import HIDDEN_FROM, attend, embed, feed_forward, heads, norm
from segue_engine.models.magenta_rt_1.config import PAD, MagentaRT1Config
from segue_engine.models.magenta_rt_1.parameters import AttentionParams, BlockParams, EncoderParams


def encode(
    config: MagentaRT1Config,
    params: EncoderParams,
    tokens: jax.Array,
    ids: jax.Array,
    visible: jax.Array | None = None,
) -> jax.Array:
    """ids int32[R, S] → source [R, S, D]. `visible` as in `go_on`."""
    x = go_on(config, params, enter(params, tokens, ids), 0, config.encoder_layers, visible)
    return leave(params, x, visible)


def visible_tokens(ids: jax.Array) -> jax.Array:
    """bool[R, S]: which tokens are no padding. Served sources have none, so serving passes no mask at all."""
    return ids != PAD


def enter(params: EncoderParams, tokens: jax.Array, ids: jax.Array) -> jax.Array:
    """ids int32[R, S] → [R, S, D] before the first layer; positions are added in float32."""
    rows = embed(tokens, ids)
    return (rows.astype(jnp.float32) + params.positions).astype(rows.dtype)


def go_on(
    config: MagentaRT1Config,
    params: EncoderParams,
    x: jax.Array,
    first: jax.Array | int,
    stop: jax.Array | int,
    visible: jax.Array | None = None,
) -> jax.Array:
    """x [R, S, D] through layers `first` .. `stop` − 1 (int32, may be traced). `visible` bool[R, S] hides tokens."""
    bias = None if visible is None else jnp.where(visible, 0.0, HIDDEN_FROM)[:, None, None, :]

    def layer(index: jax.Array, x: jax.Array) -> jax.Array:
        block: BlockParams = jax.tree.map(
            lambda leaf: lax.dynamic_index_in_dim(leaf, index, keepdims=False), params.blocks
        )
        x = x + _attention(config, block.attention, x, bias)
        return x + feed_forward(block.feed_forward, x)

    passed: jax.Array = lax.fori_loop(first, stop, layer, x)
    return passed


def leave(params: EncoderParams, x: jax.Array, visible: jax.Array | None = None) -> jax.Array:
    """x [R, S, D] after the last layer → source [R, S, D]; hidden tokens are zeros in it."""
    source = norm(x, params.norm)
    return source if visible is None else jnp.where(visible[..., None], source, 0)


def _attention(config: MagentaRT1Config, params: AttentionParams, x: jax.Array, bias: jax.Array | None) -> jax.Array:
    query, key, value = heads(norm(x, params.norm) @ params.qkv, 3, config.heads)
    return attend(query, jnp.swapaxes(key, 1, 2), jnp.swapaxes(value, 1, 2), bias) @ params.output
