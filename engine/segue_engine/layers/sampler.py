# SPDX-License-Identifier: Apache-2.0
"""Drawing one code per row by its own temperature, top-k and min-p, with keys folded from (seed, frame, level).

Nothing is carried, so a rewind draws the same numbers again. Two ways to draw: `draw_inverse` needs one uniform number
per row and level; `draw_gumbel` needs one per code (the way the published Magenta RT models do it).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

_BLOCK: Final = 32
_OFF: Final = -jnp.inf


class Filters(NamedTuple):
    """How a row draws: temperature float32[B] (0 = greedy), top_k int32[B] (0 = off), min_p float32[B] (0 = off)."""

    temperature: jax.Array
    top_k: jax.Array
    min_p: jax.Array


def frame_keys(seed: jax.Array, frame: jax.Array, levels: int) -> jax.Array:
    """Threefry keys [B, levels] of seed uint32[B, 2] and frame int32[B]."""
    keys = jax.vmap(jax.random.fold_in)(jax.random.wrap_key_data(seed, impl="threefry2x32"), frame)
    level = jnp.arange(levels, dtype=jnp.int32)
    return jax.vmap(lambda key: jax.vmap(lambda i: jax.random.fold_in(key, i))(level))(keys)


def uniforms(seed: jax.Array, frame: jax.Array, levels: int) -> jax.Array:
    """float32[B, levels] in [0, 1), one per level."""
    return jax.vmap(jax.vmap(lambda key: jax.random.uniform(key, (), jnp.float32)))(frame_keys(seed, frame, levels))


def kth_largest(values: jax.Array, k: jax.Array) -> jax.Array:
    """The k[b]-th largest of float32[B, n] without NaN, k int32[B] in 1..n: float32[B], exactly."""
    found: jax.Array = lax.platform_dependent(values, k, cpu=_kth_by_bits, default=_kth_by_sort)
    return found


def _kth_by_sort(values: jax.Array, k: jax.Array) -> jax.Array:
    return jnp.take_along_axis(-jnp.sort(-values, axis=-1), (k - 1)[:, None], axis=-1)[:, 0]


def _kth_by_bits(values: jax.Array, k: jax.Array) -> jax.Array:
    """Floats are ordered like integers once the sign is taken care of, so the answer's bits are found from the top, two
    at a time: the largest digit for which at least k values are no smaller. Sixteen counting passes, which on XLA:CPU
    take a seventh to a tenth of its sort's time. An accelerator would rather have one kernel than many."""
    bits = lax.bitcast_convert_type(values, jnp.int32)
    flipped = jnp.where(bits < 0, ~bits, bits | np.int32(-(2**31)))
    ordered = lax.bitcast_convert_type(flipped, jnp.uint32)
    found = jnp.zeros(values.shape[0], jnp.uint32)
    for shift in range(30, -1, -2):
        tried = found[:, None] | (np.arange(1, 4, dtype=np.uint32) << np.uint32(shift))
        count = jnp.sum((ordered[:, None, :] >= tried[:, :, None]).astype(jnp.float32), axis=-1)
        found = found | (jnp.sum(count >= k[:, None], axis=1, dtype=jnp.uint32) << np.uint32(shift))
    signed = lax.bitcast_convert_type(found, jnp.int32)
    return lax.bitcast_convert_type(jnp.where(signed < 0, signed & np.int32(2**31 - 1), ~signed), jnp.float32)


def filtered(logits: jax.Array, filters: Filters, *, branch: bool = True) -> jax.Array:
    """float32[B, n] logits over temperature, −inf where a filter removes the code; the best code always stays.

    Greedy rows keep their best codes only. min-p compares with the best probability after the temperature. The top-k
    threshold is computed only where some row uses it, or always without `branch`: an accelerator runs straight-line
    code as one recorded graph, which a branch would break.
    """
    logits = logits.astype(jnp.float32)
    greedy = filters.temperature <= 0
    scaled = logits * (1.0 / jnp.where(greedy, 1.0, filters.temperature))[:, None]
    top = jnp.max(scaled, axis=-1)
    threshold = jnp.where(greedy, top, top + jnp.log(filters.min_p))

    def by_rank(_: None) -> jax.Array:
        kth = kth_largest(scaled, jnp.clip(filters.top_k, 1, scaled.shape[-1]))
        return jnp.where(filters.top_k > 0, kth, _OFF)

    if branch:
        kth = lax.cond(jnp.any(filters.top_k > 0), by_rank, lambda _: jnp.full_like(top, _OFF), None)
    else:
        kth = by_rank(None)
    # By place, not by value: a compiler may compute the logits twice, and then the best need not equal its own maximum.
    best = jnp.arange(scaled.shape[-1]) == jnp.argmax(scaled, axis=-1)[:, None]
    return jnp.where((scaled >= jnp.maximum(threshold, kth)[:, None]) | best, scaled, _OFF)


def draw_inverse(logits: jax.Array, filters: Filters, uniform: jax.Array) -> jax.Array:
    """int32[B]: the code where the cumulative probability passes uniform float32[B]; greedy rows take their best."""
    kept = filtered(logits, filters)
    rows, count = kept.shape
    weights = jnp.exp(kept - jnp.max(kept, axis=-1, keepdims=True))
    blocks = -(-count // _BLOCK)
    grid = jnp.pad(weights, ((0, 0), (0, blocks * _BLOCK - count))).reshape(rows, blocks, _BLOCK)
    # prefix sums as two small products with triangles: a scan would be many tiny operations
    inside = grid @ np.triu(np.ones((_BLOCK, _BLOCK), np.float32))
    before = inside[:, :, -1] @ np.triu(np.ones((blocks, blocks), np.float32), 1)
    cumulative = inside + before[:, :, None]
    # a hair below the total, so that with any rounding some code with a weight passes
    target = jnp.where(filters.temperature <= 0, 0.0, uniform * (1 - 1e-5)) * cumulative[:, -1, -1]
    passed = (cumulative > target[:, None, None]) & (grid > 0)
    index = np.arange(blocks * _BLOCK, dtype=np.int32).reshape(blocks, _BLOCK)
    return jnp.min(jnp.where(passed, index, count - 1), axis=(1, 2))


def draw_gumbel(logits: jax.Array, filters: Filters, keys: jax.Array) -> jax.Array:
    """int32[B]: argmax of filtered logits plus Gumbel noise from keys [B], branch-free; greedy rows take their best."""
    kept = filtered(logits, filters, branch=False)
    noise = jax.vmap(lambda key: jax.random.gumbel(key, kept.shape[1:], jnp.float32))(keys)
    noise = jnp.where((filters.temperature <= 0)[:, None], 0.0, noise)
    return jnp.argmax(kept + noise, axis=-1).astype(jnp.int32)
