# SPDX-License-Identifier: Apache-2.0
"""The depth transformer: a frame's codes, one level after another, from the temporal output.

No state outlives the frame. Only the codes of a level are legal at it, so only their columns of the logits exist here;
levels tell themselves apart by their token rows. Norms reduce in float32, as published.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import jax
import jax.numpy as jnp

from segue_engine.layers.depth import Growing, run_levels
from segue_engine.layers.norms import layer_norm, rms_norm
from segue_engine.models.magenta_rt_2.blocks import embed, feed_forward, join_heads, split_heads
from segue_engine.models.magenta_rt_2.config import RESERVED_IDS, MagentaRT2Config, StackConfig
from segue_engine.models.magenta_rt_2.parameters import DepthParams, SelfAttentionParams

LOGIT_CAP: Final = 30.0

Draw = Callable[[int, jax.Array], jax.Array]
"""level, logits [B, codes] → codes int32[B]."""


def token_ids(config: MagentaRT2Config, codes: jax.Array) -> jax.Array:
    """Codes int32[.., levels] → rows of the token table, each level in its own block."""
    starts = RESERVED_IDS + config.codebook * jnp.arange(config.levels, dtype=jnp.int32)
    return jnp.clip(codes.astype(jnp.int32), 0, config.codebook - 1) + starts


def generate(
    config: MagentaRT2Config, params: DepthParams, tokens: jax.Array, temporal_out: jax.Array, draw: Draw
) -> jax.Array:
    """temporal_out [B, D] → codes int32[B, levels], each level drawn by `draw` from its capped logits."""

    def capped(level: int, logits: jax.Array) -> jax.Array:
        return draw(level, cap(logits))

    return run(config, params, tokens, temporal_out, capped)


def run(
    config: MagentaRT2Config, params: DepthParams, tokens: jax.Array, temporal_out: jax.Array, draw: Draw
) -> jax.Array:
    """As `generate`, but `draw` is given the logits before the cap and in the compute type."""
    memory = [Growing() for _ in params.blocks]

    def logits_of(level: int, codes: list[jax.Array]) -> jax.Array:
        start = RESERVED_IDS + (level - 1) * config.codebook  # of the level before, whose code is read here
        x = temporal_out if level == 0 else embed(tokens, start + codes[-1])
        return _level_logits(config.depth, params, memory, level, x)

    return run_levels(config.levels, logits_of, draw)


def cap(logits: jax.Array) -> jax.Array:
    """30 · tanh(logits / 30) in the logits' type, then float32."""
    return (LOGIT_CAP * jnp.tanh(logits / LOGIT_CAP)).astype(jnp.float32)


def _level_logits(
    stack: StackConfig, params: DepthParams, memory: list[Growing], level: int, x: jax.Array
) -> jax.Array:
    """One level's input [B, D] → its codes' logits [B, codes] in the compute type, not capped yet."""
    x = x if params.adapter is None else x @ params.adapter
    for block, past in zip(params.blocks, memory, strict=True):
        x = x + _self_attention(stack, block.self_attention, past, x)
        x = feed_forward(block.feed_forward, x, jnp.float32)
    x = layer_norm(x, params.final_norm.scale, params.final_norm.bias)
    return x @ params.logit_kernels[level] + params.logit_biases[level]


def _self_attention(stack: StackConfig, params: SelfAttentionParams, past: Growing, x: jax.Array) -> jax.Array:
    joined = rms_norm(x, params.pre_norm, dtype=jnp.float32) @ params.qkv
    query, key, value = split_heads(stack, joined, 3)
    context = past.attend(query * params.query_scale, key, value)
    return rms_norm(join_heads(context) @ params.output, params.post_norm, dtype=jnp.float32)
