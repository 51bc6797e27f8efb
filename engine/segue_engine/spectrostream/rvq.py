# SPDX-License-Identifier: Apache-2.0
"""The residual vector quantiser: each level's code names the row nearest to what the levels before it left over."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from segue_engine.spectrostream.precision import EXACT


def dequantise(codebooks: jax.Array, codes: jax.Array) -> jax.Array:
    """codebooks [levels, K, D], codes int32[.., L] with L <= levels → the sum of one row per level, float32[.., D].

    Levels past L are left out, so any prefix of a frame's codes can be heard. Codes are clamped to range. Raises
    ValueError where L is more than there are codebooks.
    """
    levels = codes.shape[-1]
    _check_levels(codebooks, levels)
    rows = [jnp.take(codebooks[level], codes[..., level], axis=0, mode="clip") for level in range(levels)]
    return sum(rows[1:], start=rows[0])


def quantise(codebooks: jax.Array, embeddings: jax.Array, levels: int) -> jax.Array:
    """embeddings [.., D] → int32[.., levels]: per level argmin of -2 r·c + |c|², the first of equals; then r -= c.

    A level does not depend on how many follow it. Raises ValueError where there are fewer codebooks.
    """
    _check_levels(codebooks, levels)

    def level(residual: jax.Array, codebook: jax.Array) -> tuple[jax.Array, jax.Array]:
        product = jnp.matmul(residual, codebook.T, precision=EXACT.products)
        code = jnp.argmin(jnp.sum(codebook**2, axis=-1) - 2.0 * product, axis=-1).astype(jnp.int32)
        return residual - codebook[code], code

    _, codes = lax.scan(level, embeddings.astype(jnp.float32), codebooks[:levels])
    return jnp.moveaxis(codes, 0, -1)


def _check_levels(codebooks: jax.Array, levels: int) -> None:
    if not 1 <= levels <= codebooks.shape[0]:
        raise ValueError(f"levels: expected 1..{codebooks.shape[0]}, got {levels}")
