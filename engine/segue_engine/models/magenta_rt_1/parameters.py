# SPDX-License-Identifier: Apache-2.0
"""The model's parameters as it computes with them, apart from how a checkpoint names them.

Projections that read the same input lie side by side in one kernel. Queries are not scaled: the published weights hold
that already. The encoder's blocks are stacked, layer axis first, so that one program runs any part of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax


class AttentionParams(NamedTuple):
    """norm [D], qkv [D, 3 · N · H], output [N · H, D]."""

    norm: jax.Array
    qkv: jax.Array
    output: jax.Array


class CrossAttentionParams(NamedTuple):
    """norm [D], query [D, N · H], kv [D, 2 · N · H] (read once per chunk, not per frame), output [N · H, D]."""

    norm: jax.Array
    query: jax.Array
    kv: jax.Array
    output: jax.Array


class FeedForwardParams(NamedTuple):
    """norm [D], up [D, 2 · F] (the gate, then what it gates), down [F, D]."""

    norm: jax.Array
    up: jax.Array
    down: jax.Array


class BlockParams(NamedTuple):
    """A block of the encoder or of the depth transformer."""

    attention: AttentionParams
    feed_forward: FeedForwardParams


class TemporalBlockParams(NamedTuple):
    attention: AttentionParams
    cross_attention: CrossAttentionParams
    feed_forward: FeedForwardParams


class EncoderParams(NamedTuple):
    """blocks: every leaf is [layers, …]; positions float32[S, D]; norm [D]."""

    blocks: BlockParams
    positions: jax.Array
    norm: jax.Array


class TemporalParams(NamedTuple):
    """bias [N, frames]: by distance, of all blocks. There is no last norm."""

    blocks: tuple[TemporalBlockParams, ...]
    bias: jax.Array


class DepthParams(NamedTuple):
    """bias [N, levels]: by distance; norm [D]; logits: per level a kernel float32[D, ids]."""

    blocks: tuple[BlockParams, ...]
    bias: jax.Array
    norm: jax.Array
    logits: tuple[jax.Array, ...]


class ModelParams(NamedTuple):
    """tokens [vocabulary, D]: the table that all three stacks read. The logits have kernels of their own."""

    tokens: jax.Array
    encoder: EncoderParams
    temporal: TemporalParams
    depth: DepthParams


class Params(NamedTuple):
    """Everything handed to the compiled programs: the language model's, and whatever the codec has."""

    language: ModelParams
    codec: Any
