# SPDX-License-Identifier: Apache-2.0
"""Normalisations over the last axis; reductions run in `dtype` (None: the input's), scaling in the input's."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike


def rms_norm(x: jax.Array, scale: jax.Array, eps: float = 1e-6, dtype: DTypeLike | None = None) -> jax.Array:
    """x · rsqrt(mean(x²) + eps) · scale; gives x's dtype."""
    y = x if dtype is None else x.astype(dtype)
    y = y * lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + jnp.asarray(eps, y.dtype))
    return y.astype(x.dtype) * scale.astype(x.dtype)


def layer_norm(
    x: jax.Array, scale: jax.Array, bias: jax.Array, eps: float = 1e-6, dtype: DTypeLike | None = jnp.float32
) -> jax.Array:
    """(x − mean) · rsqrt(var + eps) · scale + bias; gives x's dtype."""
    y = x if dtype is None else x.astype(dtype)
    y = y - jnp.mean(y, axis=-1, keepdims=True)
    y = y * lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + jnp.asarray(eps, y.dtype))
    return y.astype(x.dtype) * scale.astype(x.dtype) + bias.astype(x.dtype)
