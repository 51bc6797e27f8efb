# SPDX-License-Identifier: Apache-2.0
"""The model over a whole sequence at once, in float64 numpy, straight from checkpoint keys: plain and independent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_2 import MagentaRT2Config, StackConfig

Array = NDArray[Any]

_ROOT = "params/depthformer/"


def whole_sequence(
    config: MagentaRT2Config, flat: dict[str, Array], ids: Array, codes: Array
) -> tuple[Array, Array, Array]:
    """ids [T, 144] and forced codes [T, levels] → source [T, E], temporal output [T, D], logits [T, levels, codes]."""
    source, _, x, raw = teacher_forced(config, flat, ids, codes)
    first = 6 + config.codebook * np.arange(config.levels)
    own = [raw[:, q, start : start + config.codebook] for q, start in enumerate(first)]
    return source, x, 30 * np.tanh(np.stack(own, axis=1) / 30)


def teacher_forced(
    config: MagentaRT2Config, flat: dict[str, Array], ids: Array, codes: Array
) -> tuple[Array, Array, Array, Array]:
    """As `whole_sequence`: source, temporal input, temporal output, and logits [T, levels, ids] before the cap."""
    w = {key: value.astype(np.float64) for key, value in flat.items()}
    source = np.stack([_encode(config, w, row) for row in ids])
    table = w[_ROOT + "decoder/decoder_embedding/embedding/embedding"] * np.sqrt(config.temporal.width)
    tokens = codes + 6 + config.codebook * np.arange(config.levels)
    before = np.concatenate([np.zeros((1, config.levels), int), tokens[:-1]])
    x = entered = table[before].mean(axis=1)
    for layer in range(config.temporal.layers):
        p = f"{_ROOT}decoder/temporal_body/transformer/x_layers_{layer}/"
        x = x + _attend(w, p + "self_attention/", config.temporal, x, None, config.self_window)
        x = x + _attend(w, p + "cross_attention/", config.temporal, x, source, config.cross_window)
        x = x + _feed_forward(w, p + "ffn/", x)
    logits = np.stack([_depth(config, w, h, table[row]) for h, row in zip(x, tokens, strict=True)])
    return source, entered, x, logits


def _encode(config: MagentaRT2Config, w: dict[str, Array], ids: Array) -> Array:
    body = _ROOT + "encoder/body/"
    style_table = w[body + "layers_1/branched_mulan_embedder/mulan_embedder/mulan_dequantizer/embedding"]
    style = sum(style_table[ids[level] + (config.style_codebook + 7) * level] for level in range(12))
    style = style @ w[body + "layers_1/branched_mulan_embedder/mulan_embedder/depth_input_adapter/kernel"]
    table = w[body + "layers_1/branched_regular_embedder/regular_embedder/embedding"]
    rows = [11 * pitch + ids[12 + pitch] for pitch in range(128)]
    rows += [1408 + ids[140], 1417 + ids[141], 1464 + ids[142], 1511 + ids[143]]
    y = (style + table[rows].mean(axis=0)) / 2
    return _layer_norm(y, w[body + "encoder_ln/scale"], w[body + "encoder_ln/bias"])


def _depth(config: MagentaRT2Config, w: dict[str, Array], hidden: Array, own: Array) -> Array:
    p = _ROOT + "decoder/depth_body/"
    z = np.concatenate([hidden[None], own[:-1]])
    if config.depth.width != config.temporal.width:
        z = z @ w[p + "depth_input_adapter/kernel"]
    for layer in range(config.depth.layers):
        block = f"{p}transformer/x_layers_{layer}/"
        z = z + _attend(w, block + "self_attention/", config.depth, z, None, config.levels)
        z = z + _feed_forward(w, block + "ffn/", z)
    z = _layer_norm(z, w[p + "final_ln/scale"], w[p + "final_ln/bias"])
    return z @ w[p + "to_logits/kernel"] + w[p + "to_logits/bias"]


def _attend(w: dict[str, Array], p: str, stack: StackConfig, x: Array, source: Array | None, window: int) -> Array:
    normed = _rms_norm(x, w[p + "pre_norm/scale"])
    kernel = {part: w[f"{p}attention/{part}_projection/kernel"] for part in ("query", "key", "value")}
    query = np.einsum("td,dnh->tnh", normed, kernel["query"])
    key, value = (
        np.einsum("td,dnh->tnh", normed if source is None else source, kernel[part]) for part in ("key", "value")
    )
    scaled = query * np.log2(np.e) / np.sqrt(stack.units) * np.log1p(np.exp(w[p + "attention/per_dim_scale"]))
    out = np.zeros((len(x), stack.heads, stack.units))
    for t in range(len(x)):
        seen = slice(max(0, t - window), t + 1)
        logits = np.einsum("nh,snh->ns", scaled[t], key[seen])
        values = np.moveaxis(value[seen], 0, 1)
        if p + "attention/sink_key_embeddings" in w:
            sink_key, sink_value = (w[f"{p}attention/sink_{part}_embeddings"][0] for part in ("key", "value"))
            logits = np.concatenate([np.sum(query[t] * sink_key, -1)[:, None], logits], axis=1)
            values = np.concatenate([sink_value[:, None], values], axis=1)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        out[t] = np.einsum("ns,nsh->nh", weights / weights.sum(axis=1, keepdims=True), values)
    joined = np.einsum("tnh,dnh->td", out, w[p + "output_projection/kernel"])
    return _rms_norm(joined, w[p + "post_norm/scale"])


def _feed_forward(w: dict[str, Array], p: str, x: Array) -> Array:
    h = _rms_norm(x, w[p + "pre_norm/scale"]) @ w[p + "ffn_layer1/kernel"] + w[p + "ffn_layer1/bias"]
    h = 0.5 * h * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))
    return _rms_norm(h @ w[p + "ffn_layer2/kernel"] + w[p + "ffn_layer2/bias"], w[p + "post_norm/scale"])


def _rms_norm(x: Array, scale: Array) -> Array:
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6) * scale


def _layer_norm(x: Array, scale: Array, bias: Array) -> Array:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + bias
