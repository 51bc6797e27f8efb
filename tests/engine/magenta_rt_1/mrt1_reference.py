# SPDX-License-Identifier: Apache-2.0
"""The model over a whole chunk at once, in float64 numpy, straight from checkpoint keys: plain and independent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1 import MagentaRT1Config

Array = NDArray[Any]


def encode(config: MagentaRT1Config, flat: dict[str, Array], ids: Array) -> Array:
    """ids [S] → [S, D]; id 0 is padding."""
    w = {key: value.astype(np.float64) for key, value in flat.items()}
    half = config.width // 2
    frequency = 10_000.0 ** (-np.arange(half) / (half - 1))
    angle = np.outer(np.arange(len(ids)), frequency)
    x = w["token_embedder/embedding"][ids] + np.hstack([np.sin(angle), np.cos(angle)])
    hidden = np.where(ids == 0, -np.inf, 0.0)[None, None, :]
    for layer in range(config.encoder_layers):
        p = f"encoder/layers_{layer}/"
        normed = _norm(x, w[p + "pre_attention_layer_norm/scale"])
        x = x + _attend(config, w, p + "attention/", normed, normed, hidden)
        x = x + _feed_forward(w, p, x)
    return np.where(ids[:, None] == 0, 0.0, _norm(x, w["encoder/encoder_norm/scale"]))


def teacher_forced(config: MagentaRT1Config, flat: dict[str, Array], source: Array, ids: Array) -> tuple[Array, Array]:
    """source ids [S] and a chunk's ids [T, levels] → temporal output [T, D], logits [T, levels, vocabulary]."""
    w = {key: value.astype(np.float64) for key, value in flat.items()}
    heard, table = encode(config, flat, source), w["token_embedder/embedding"]
    before = np.concatenate([np.zeros((1, config.levels), int), ids[:-1]])
    x = table[before].mean(axis=1)
    p = "decoder/decoder/temporal_decoder/"
    bias = _bias(w[p + "relpos_bias/rel_embedding"], len(x), config.bias_distance)
    for layer in range(config.temporal_layers):
        block = f"{p}layers_{layer}/"
        normed = _norm(x, w[block + "pre_self_attention_layer_norm/scale"])
        x = x + _attend(config, w, block + "self_attention/", normed, normed, bias)
        normed = _norm(x, w[block + "pre_cross_attention_layer_norm/scale"])
        x = x + _attend(config, w, block + "encoder_decoder_attention/", normed, heard, 0.0)
        x = x + _feed_forward(w, block, x)
    return x, np.stack([_depth(config, w, row, table[own]) for row, own in zip(x, ids, strict=True)])


def _depth(config: MagentaRT1Config, w: dict[str, Array], hidden: Array, own: Array) -> Array:
    z = np.concatenate([hidden[None], own[:-1]])
    p = "decoder/decoder/depth_decoder/"
    bias = _bias(w[p + "relpos_bias_depth/rel_embedding"], len(z), config.levels)
    for layer in range(config.depth_layers):
        block = f"{p}depth_layers_{layer}/"
        normed = _norm(z, w[block + "pre_self_attention_layer_norm/scale"])
        z = z + _attend(config, w, block + "self_attention/", normed, normed, bias)
        z = z + _feed_forward(w, block, z)
    return _norm(z, w["decoder/decoder_norm/scale"]) @ w["decoder/logits_dense/kernel"]


def _bias(table: Array, length: int, furthest: int) -> Array:
    """[N, T, T]: by bucket of the distance, minus infinity ahead."""
    count = table.shape[1]
    out = np.full((len(table), length, length), -np.inf)
    for query in range(length):
        for key in range(query + 1):
            n, near = query - key, count // 2
            if n >= near:
                step = np.log(n / near) / np.log(furthest / near) * (count - near)
                n = min(count - 1, near + int(step + 1e-6))
            out[:, query, key] = table[:, n]
    return out


def _attend(
    config: MagentaRT1Config, w: dict[str, Array], p: str, x: Array, heard: Array, bias: Array | float
) -> Array:
    def split(part: str, source: Array) -> Array:
        return (source @ w[f"{p}{part}/kernel"]).reshape(len(source), config.heads, config.units)

    logits = np.einsum("tnh,snh->nts", split("query", x), split("key", heard)) + bias
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    context = np.einsum("nts,snh->tnh", weights, split("value", heard))
    return context.reshape(len(x), -1) @ w[p + "out/kernel"]


def _feed_forward(w: dict[str, Array], p: str, x: Array) -> Array:
    normed = _norm(x, w[p + "pre_mlp_layer_norm/scale"])
    g = normed @ w[p + "mlp/wi_0/kernel"]
    g = 0.5 * g * (1 + np.tanh(np.sqrt(2 / np.pi) * (g + 0.044715 * g**3)))
    return (g * (normed @ w[p + "mlp/wi_1/kernel"])) @ w[p + "mlp/wo/kernel"]


def _norm(x: Array, scale: Array) -> Array:
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6) * scale
