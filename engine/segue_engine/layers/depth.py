# SPDX-License-Identifier: Apache-2.0
"""The depth loop: the levels of one frame, one after another, unrolled at trace time.

Keys and values of the levels so far grow at trace time, so that nothing is padded or masked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray


@cache
def _head_sums(heads: int, width: int) -> NDArray[np.float32]:
    """[N · H, N]: sums the H dimensions of each head."""
    return np.repeat(np.eye(heads, dtype=np.float32), width, axis=0)


class Growing:
    """Keys and values of the levels so far of one layer. Lives only while tracing."""

    def __init__(self) -> None:
        self._keys: list[jax.Array] = []  # [.., N · H] each
        self._values: list[jax.Array] = []

    def attend(self, scaled: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        """Add this level's key and value and attend to all levels so far: all and the result [.., N, H].

        Heads are summed and spread by products with a constant and levels are added one by one: on XLA:CPU batched
        products of one query each, or a reduction that feeds a product, take many times as long.
        """
        heads, width = scaled.shape[-2:]
        flat = (*scaled.shape[:-2], heads * width)
        self._keys.append(key.reshape(flat))
        self._values.append(value.reshape(flat))
        if len(self._keys) == 1:
            return value
        sums = _head_sums(heads, width)
        query = scaled.reshape(flat)
        products = jnp.stack([query * k for k in self._keys], axis=-2)
        logits = jnp.matmul(products.astype(jnp.float32), sums)
        weights = jnp.exp(logits - jnp.max(logits, axis=-2, keepdims=True))
        spread = jnp.matmul(weights * (1.0 / jnp.sum(weights, axis=-2, keepdims=True)), sums.T)
        out = sum(spread[..., level, :].astype(value.dtype) * v for level, v in enumerate(self._values))
        return jnp.asarray(out).reshape(scaled.shape)


def run_levels(
    levels: int,
    logits_of: Callable[[int, list[jax.Array]], jax.Array],
    draw: Callable[[int, jax.Array], jax.Array],
) -> jax.Array:
    """Codes int32[B, levels], by level: `logits_of(level, codes so far)` → [B, n], `draw(level, logits)` → int32[B]."""
    codes: list[jax.Array] = []
    for level in range(levels):
        codes.append(draw(level, logits_of(level, codes)).astype(jnp.int32))
    return jnp.stack(codes, axis=-1)
