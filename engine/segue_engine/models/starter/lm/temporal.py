# SPDX-License-Identifier: Apache-2.0
"""The temporal transformer in its two forms: whole sequences, and one frame against rings of keys and values."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from segue_engine.layers import rotary
from segue_engine.layers.attention import attend_ring, attend_whole, default_scale
from segue_engine.layers.norms import rms_norm
from segue_engine.layers.ring import visible, write
from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.params import Params


def project(block: Params, x: jax.Array, heads: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Query, key and value of the block's normalised input: [.., D] → three of [.., N, H]."""
    qkv = rms_norm(x, block["norm1"]) @ block["qkv"]
    q, k, v = jnp.split(qkv.reshape(*qkv.shape[:-1], 3 * heads, -1), 3, axis=-2)
    return q, k, v


def finish(block: Params, x: jax.Array, attended: jax.Array) -> jax.Array:
    """Add attention's output [.., N, H] and the gated feed-forward to the residual stream x [.., D]."""
    x = x + attended.reshape(x.shape) @ block["out"]
    gate, up = jnp.split(rms_norm(x, block["norm2"]) @ block["up"], 2, axis=-1)
    mixed: jax.Array = (jax.nn.silu(gate) * up) @ block["down"]
    return x + mixed


def temporal_whole(params: Params, config: LMConfig, x: jax.Array) -> jax.Array:
    """States [B, T, D] of inputs [B, T, D]; frame t sees the `window` frames before it."""
    head = config.width // config.heads
    cos, sin = rotary.phases(jnp.arange(x.shape[1], dtype=jnp.int32), head)
    for block in params["temporal"]:
        q, k, v = project(block, x, config.heads)
        q, k = rotary.rotate(q, cos, sin), rotary.rotate(k, cos, sin)
        x = finish(block, x, attend_whole(q, default_scale(q), k, v, config.window))
    return rms_norm(x, params["norm"])


def temporal_step(
    params: Params,
    config: LMConfig,
    keys: list[jax.Array],
    values: list[jax.Array],
    frame: jax.Array,
    due: jax.Array,
    x: jax.Array,
) -> tuple[jax.Array, list[jax.Array], list[jax.Array]]:
    """States [B, G, D] of inputs [B, G, D] against rings [B, N, L, H] per layer, and the rings with this frame in them.

    All G branches of a row see the same past, each with its own key and value of this frame; branch 0's are remembered.
    """
    cos, sin = rotary.phases(frame, config.width // config.heads)
    cos, sin = cos[:, None], sin[:, None]
    seen = visible(frame, keys[0].shape[2], config.window)
    keys, values = list(keys), list(values)
    for layer, block in enumerate(params["temporal"]):
        q, k, v = project(block, x, config.heads)
        q, k = rotary.rotate(q, cos, sin), rotary.rotate(k, cos, sin)
        # written before they are read: the other way round XLA copies whole rings, not seeing that the read is first
        keys[layer] = write(keys[layer], k[:, 0], frame, due, axis=2)
        values[layer] = write(values[layer], v[:, 0], frame, due, axis=2)
        x = finish(block, x, attend_ring(q, default_scale(q), keys[layer], values[layer], seen, (k, v)))
    return rms_norm(x, params["norm"]), keys, values
