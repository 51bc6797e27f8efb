# SPDX-License-Identifier: Apache-2.0
"""Guidance, and the published rule of drawing: temperature, top-k with ties, Gumbel noise.

Served rows draw by `layers.sampler`, which is the same rule with a key per row and level and over a level's own codes.
What is here beyond `guided` draws as published: all rows from one key, over the whole vocabulary.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

REMOVED: Final = -1e7
"""Logit of an id that top-k removes."""
COLDEST: Final = 1e-4
"""Temperatures up to here take the best id."""


def guided(positive: jax.Array, negative: jax.Array, weight: jax.Array) -> jax.Array:
    """(1 + w) positive − w negative, float32[B, n], with weight float32[B]: 0 is no guidance at all."""
    scale = jnp.asarray(weight, jnp.float32)[..., None]
    return (1.0 + scale) * positive - scale * negative


def kept(logits: jax.Array, temperature: jax.Array, top_k: jax.Array) -> jax.Array:
    """float32[R, n] over temperature, REMOVED below the k-th largest of a row; ties with it stay, k = 0 keeps all."""
    scaled = logits.astype(jnp.float32) / jnp.maximum(temperature, COLDEST)
    kth = kth_largest(scaled, jnp.maximum(top_k, 1))
    return jnp.where((scaled >= kth[:, None]) | (top_k <= 0), scaled, REMOVED)


def kth_largest(values: jax.Array, k: jax.Array) -> jax.Array:
    """float32[R]: the k-th largest of float32[R, n], exactly, by bisection over the order of float32 bit patterns.

    A sort of 30,000 logits per token would cost more than the model.
    """
    bits = lax.bitcast_convert_type(values, jnp.uint32)
    order = jnp.where(bits >> 31 != 0, ~bits, bits | jnp.uint32(1 << 31))  # rises as the floats do

    def halve(i: jax.Array, found: jax.Array) -> jax.Array:
        tried = found | (jnp.uint32(1) << (31 - i).astype(jnp.uint32))
        enough = jnp.sum(order >= tried[:, None], axis=-1) >= k
        return jnp.where(enough, tried, found)

    found: jax.Array = lax.fori_loop(0, 32, halve, jnp.zeros(values.shape[0], jnp.uint32))
    return lax.bitcast_convert_type(jnp.where(found >> 31 != 0, found ^ jnp.uint32(1 << 31), ~found), jnp.float32)


class Drawn(NamedTuple):
    """ids int32[R], log_probabilities float32[R] after temperature and top-k (0 where the best id is taken)."""

    ids: jax.Array
    log_probabilities: jax.Array


def draw(key: jax.Array, logits: jax.Array, temperature: jax.Array, top_k: jax.Array) -> Drawn:
    """One id for each row of logits float32[R, n]; noise is drawn for all rows at once, so rows depend on R."""
    scores = kept(logits, temperature, top_k)
    sampled = jnp.argmax(scores + jax.random.gumbel(key, scores.shape, jnp.float32), axis=-1)
    cold = temperature <= COLDEST
    ids = jnp.where(cold, jnp.argmax(logits, axis=-1), sampled).astype(jnp.int32)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), ids[:, None], axis=-1)[:, 0]
    return Drawn(ids, jnp.where(cold, 0.0, chosen))
