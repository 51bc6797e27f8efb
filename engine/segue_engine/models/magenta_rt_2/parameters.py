# SPDX-License-Identifier: Apache-2.0
"""The model's parameters as it computes with them, apart from how a checkpoint names them.

Projections that read the same input lie side by side in one kernel, so that each input is read once.
"""

from __future__ import annotations

from typing import NamedTuple

import jax


class AffineParams(NamedTuple):
    """LayerNorm: scale and bias, [width] each."""

    scale: jax.Array
    bias: jax.Array


class SinkParams(NamedTuple):
    """A learned key and value [heads, units] that every query sees. The key stays float32: its logit is float32."""

    key: jax.Array
    value: jax.Array


class EncoderParams(NamedTuple):
    """style_table [12 · rows, S], style_adapter [S, E], regular_table [1536, E], norm [E]."""

    style_table: jax.Array
    style_adapter: jax.Array
    regular_table: jax.Array
    norm: AffineParams


class SelfAttentionParams(NamedTuple):
    """pre_norm [D], qkv [D, 3 · N · H], query_scale [H], output [N · H, D], post_norm [D], sink (temporal only)."""

    pre_norm: jax.Array
    qkv: jax.Array
    query_scale: jax.Array
    output: jax.Array
    post_norm: jax.Array
    sink: SinkParams | None


class CrossAttentionParams(NamedTuple):
    """As self-attention, with the query alone [D, N · H]: keys and values come from `TemporalParams.cross_kv`."""

    pre_norm: jax.Array
    query: jax.Array
    query_scale: jax.Array
    output: jax.Array
    post_norm: jax.Array
    sink: SinkParams


class FeedForwardParams(NamedTuple):
    """pre_norm [D], up [D, F], up_bias [F], down [F, D], down_bias [D], post_norm [D]."""

    pre_norm: jax.Array
    up: jax.Array
    up_bias: jax.Array
    down: jax.Array
    down_bias: jax.Array
    post_norm: jax.Array


class TemporalBlockParams(NamedTuple):
    self_attention: SelfAttentionParams
    cross_attention: CrossAttentionParams
    feed_forward: FeedForwardParams


class TemporalParams(NamedTuple):
    """cross_kv [E, L · 2 · N · H]: keys and values of all blocks from one read of the conditioning."""

    blocks: tuple[TemporalBlockParams, ...]
    cross_kv: jax.Array


class DepthBlockParams(NamedTuple):
    self_attention: SelfAttentionParams
    feed_forward: FeedForwardParams


class DepthParams(NamedTuple):
    """adapter [D, d] or None where D = d; final_norm [d]; logits: per level a kernel [d, codes] and a bias [codes]."""

    adapter: jax.Array | None
    blocks: tuple[DepthBlockParams, ...]
    final_norm: AffineParams
    logit_kernels: tuple[jax.Array, ...]
    logit_biases: tuple[jax.Array, ...]


class ModelParams(NamedTuple):
    """tokens [6 + levels · codes, D]: the table that both transformers read."""

    encoder: EncoderParams
    tokens: jax.Array
    temporal: TemporalParams
    depth: DepthParams
