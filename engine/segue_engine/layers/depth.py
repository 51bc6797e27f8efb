# SPDX-License-Identifier: Apache-2.0
"""The depth loop: the levels of one frame, one after another, unrolled at trace time.

Keys and values of the levels so far are Python lists of arrays, so that no cache is copied or padded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp


@dataclass
class Growing:
    """Keys and values of the levels so far of one layer, each [.., N, H]. Lives only while tracing."""

    keys: list[jax.Array] = field(default_factory=list)
    values: list[jax.Array] = field(default_factory=list)

    def attend(self, scaled: jax.Array, key: jax.Array, value: jax.Array) -> jax.Array:
        """Add this level's key and value and attend to all: scaled, key, value and result [.., N, H]."""
        self.keys.append(key)
        self.values.append(value)
        if len(self.keys) == 1:
            return value
        keys, values = jnp.stack(self.keys, axis=-2), jnp.stack(self.values, axis=-2)
        logits = jnp.sum(scaled[..., None, :] * keys, axis=-1).astype(jnp.float32)
        weights = jax.nn.softmax(logits, axis=-1).astype(value.dtype)
        return jnp.sum(weights[..., None] * values, axis=-2)


def run_levels(
    levels: int,
    logits_of: Callable[[int, list[jax.Array]], jax.Array],
    draw: Callable[[int, jax.Array], jax.Array],
) -> jax.Array:
    """Codes int32[B, levels]: level by level `logits_of(level, codes so far)` → [B, n], `draw(level, logits)` → int32[B]."""
    codes: list[jax.Array] = []
    for level in range(levels):
        codes.append(draw(level, logits_of(level, codes)).astype(jnp.int32))
    return jnp.stack(codes, axis=-1)
