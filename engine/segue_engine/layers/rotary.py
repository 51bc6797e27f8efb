# SPDX-License-Identifier: Apache-2.0
"""Rotary positions that never lose precision: every frequency is a whole number of turns in 4,096 frames.

The phase is computed from int32 `frame mod 4096`, so a stream may run for ever and a rewind lands on the same bits.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

PERIOD: Final = 4096


@cache
def frequencies(width: int, base: float = 1000.0) -> NDArray[np.int32]:
    """Turns in 4,096 frames of each pair of a head of `width` dimensions, int32[width / 2], at least 1 each."""
    if width % 2:
        raise ValueError(f"rotary width: expected an even number, got {width}")
    turns = PERIOD / (2 * math.pi) * base ** (-np.arange(width // 2) / (width // 2))
    return np.maximum(1, np.round(turns)).astype(np.int32)


def phases(frame: jax.Array, width: int, base: float = 1000.0) -> tuple[jax.Array, jax.Array]:
    """cos and sin float32[.., width / 2] of frame int32[..], exact for any frame."""
    turns = (frame[..., None] % PERIOD) * frequencies(width, base) % PERIOD
    angle = turns.astype(jnp.float32) * np.float32(2 * math.pi / PERIOD)
    return jnp.cos(angle), jnp.sin(angle)


def rotate(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Rotate x[.., N, width] by cos, sin [.., width / 2] (same for all N heads); halves are paired, not neighbours."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    cos, sin = cos[..., None, :].astype(x.dtype), sin[..., None, :].astype(x.dtype)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
