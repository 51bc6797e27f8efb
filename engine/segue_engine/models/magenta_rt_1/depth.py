# SPDX-License-Identifier: Apache-2.0
"""The depth transformer: a frame's codes, one level after another, from the temporal output.

No state outlives the frame. Served, a level has logits for its own codes only; with `unrestricted` parameters every
level has logits for the whole vocabulary, which is how the published sampler draws.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.layers.depth import run_levels
from segue_engine.models.magenta_rt_1.blocks import embed, feed_forward, heads, norm
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.parameters import AttentionParams, DepthParams

Draw = Callable[[int, jax.Array], jax.Array]
"""level, logits float32[R, ids] → token ids int32[R]."""


def run(config: MagentaRT1Config, params: DepthParams, tokens: jax.Array, hidden: jax.Array, draw: Draw) -> jax.Array:
    """hidden [R, D] → token ids int32[R, levels], each level drawn by `draw` after those before it."""
    memory = [_Levels(params.bias) for _ in params.blocks]

    def logits_of(level: int, ids: list[jax.Array]) -> jax.Array:
        x = hidden if level == 0 else embed(tokens, ids[-1])
        return _level_logits(config, params, memory, level, x.astype(jnp.float32))

    return run_levels(config.levels, logits_of, draw)


def forced_logits(
    config: MagentaRT1Config, params: DepthParams, tokens: jax.Array, hidden: jax.Array, ids: jax.Array
) -> jax.Array:
    """Logits float32[R, levels, ids], each level after the given ids int32[R, levels] of those before it."""
    found: list[jax.Array] = []

    def draw(level: int, logits: jax.Array) -> jax.Array:
        found.append(logits)
        return ids[:, level]

    run(config, params, tokens, hidden, draw)
    return jnp.stack(found, axis=1)


def unrestricted(params: DepthParams, kernel: jax.Array) -> DepthParams:
    """The same stack with logits over all ids at every level: kernel float32[D, vocabulary]."""
    return params._replace(logits=(kernel,) * len(params.logits))


class _Levels:
    """Keys and values of the levels so far of one block, with the bias by distance. Lives only while tracing.

    As `layers.depth.Growing`: heads are summed and spread by products with a constant, which XLA:CPU does many times as
    fast as products of one query each. Float32 in between.
    """

    def __init__(self, bias: jax.Array) -> None:
        self._bias = bias.astype(jnp.float32)
        self._keys: list[jax.Array] = []  # [R, N · H] each
        self._values: list[jax.Array] = []

    def attend(self, query: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        """Add this level's key and value [R, N, H] and attend to all so far: [R, N · H]."""
        count, units = query.shape[-2:]
        flat = (query.shape[0], count * units)
        self._keys.append(key.reshape(flat))
        self._values.append(value.reshape(flat))
        if len(self._keys) == 1:
            return self._values[0]
        sums = _head_sums(count, units)
        asked = query.reshape(flat).astype(jnp.float32)
        logits = jnp.matmul(jnp.stack([asked * k for k in self._keys], axis=1), sums)
        logits = logits + self._bias[:, : len(self._keys)].T[::-1]
        weights = jnp.matmul(jax.nn.softmax(logits, axis=1), sums.T)
        out = sum(weights[:, level] * v for level, v in enumerate(self._values))
        return jnp.asarray(out).astype(value.dtype)


@cache
def _head_sums(count: int, units: int) -> NDArray[np.float32]:
    """[N · H, N]: sums the H dimensions of each head."""
    return np.repeat(np.eye(count, dtype=np.float32), units, axis=0)


def _level_logits(
    config: MagentaRT1Config, params: DepthParams, memory: list[_Levels], level: int, x: jax.Array
) -> jax.Array:
    """One level's input float32[R, D] → its logits, a float32 product whatever the compute type."""
    for block, past in zip(params.blocks, memory, strict=True):
        x = x + _attention(config, block.attention, past, x)
        x = x + feed_forward(block.feed_forward, x)
    return norm(x, params.norm).astype(jnp.float32) @ params.logits[level]


def _attention(config: MagentaRT1Config, params: AttentionParams, past: _Levels, x: jax.Array) -> jax.Array:
    query, key, value = heads(norm(x, params.norm) @ params.qkv, 3, config.heads)
    return past.attend(query, key, value) @ params.output
