# SPDX-License-Identifier: Apache-2.0
"""Embedding tables: a code's vector is a private one plus those of its factors (see `tokens.build_factors`).

Dense tables are built from both once for serving, and in every step of training, level by level because a level only
has a few factors of its own.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import TAP_BARS, TAP_LEVELS

_factors: Final = tokens.build_factors()
FACTORS: Final = _factors.count
TAP_SIZE: Final = sum(tokens.SIZES[q] for q in TAP_LEVELS)
TAP_OFFSETS: Final = tuple(
    int(x) for x in np.cumsum((0, *(tokens.SIZES[q] for _ in TAP_BARS for q in TAP_LEVELS)))
)  # of every lag and level in one joint table


def _membership(level: int) -> tuple[int, NDArray[np.float32]]:
    """First factor of the contiguous range that a level uses, and which of the range each code has, [size, k]."""
    rows = _factors.columns[tokens.OFFSETS[level] : tokens.OFFSETS[level + 1]]
    first, last = int(rows[rows >= 0].min()), int(rows.max())
    return first, (rows[:, :, None] == np.arange(first, last + 1)).sum(axis=1).astype(np.float32)


_MEMBERSHIP: Final = tuple(_membership(q) for q in range(tokens.LEVELS))


class Tables(NamedTuple):
    """Dense tables: input and depth by joint code (`tokens.OFFSETS`), taps by `TAP_OFFSETS`,
    head[level] float32[depth width, size] and its bias float32[size].
    """

    input: jax.Array
    depth: jax.Array
    taps: jax.Array
    head: tuple[jax.Array, ...]
    bias: tuple[jax.Array, ...]


def _dense(table: dict[str, jax.Array], levels: tuple[int, ...]) -> list[jax.Array]:
    out, begin = [], 0
    for level in levels:
        first, has = _MEMBERSHIP[level]
        own = table["factors"][first : first + has.shape[1]]
        out.append(table["private"][begin : begin + len(has)] + has @ own)
        begin += len(has)
    return out


def build_tables(params: dict[str, Any]) -> Tables:
    """Dense tables of the parameters' private and factor vectors."""
    tables, every = params["tables"], tuple(range(tokens.LEVELS))
    bias = tables["head"]["bias"]
    return Tables(
        jnp.concatenate(_dense(tables["input"], every)),
        jnp.concatenate(_dense(tables["depth"], every)),
        jnp.concatenate([part for t in tables["taps"] for part in _dense(t, TAP_LEVELS)]),
        tuple(t.T for t in _dense(tables["head"], every)),
        tuple(bias[tokens.OFFSETS[q] : tokens.OFFSETS[q + 1]] for q in every),
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def look_up(table: jax.Array, codes: jax.Array, offsets: tuple[int, ...]) -> jax.Array:
    """Sum over levels q of table[offsets[q] + codes[.., q]]: int32[.., Q] → [.., D]; a negative code adds nothing.

    offsets has Q + 1 entries. The gradient is a product with a many-hot matrix: scattering row by row is slow on a CPU.
    """
    rows = table[jnp.maximum(codes, 0) + np.array(offsets[:-1], np.int32)]
    return jnp.sum(jnp.where((codes >= 0)[..., None], rows, 0.0), axis=-2)


def _look_up_forward(table: jax.Array, codes: jax.Array, offsets: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    return look_up(table, codes, offsets), codes


def _look_up_backward(offsets: tuple[int, ...], codes: jax.Array, gradient: jax.Array) -> tuple[jax.Array, None]:
    flat = codes.reshape(-1, codes.shape[-1])
    hot = [
        (flat[:, q, None] == np.arange(offsets[q + 1] - offsets[q], dtype=np.int32)).astype(gradient.dtype)
        for q in range(flat.shape[1])
    ]
    along = gradient.reshape(-1, gradient.shape[-1])
    return jnp.concatenate([h.T @ along for h in hot]), None


look_up.defvjp(_look_up_forward, _look_up_backward)
