# SPDX-License-Identifier: Apache-2.0
"""The learned numbers: a nested dict of float32 arrays, and how it starts."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import (
    LEAD_PITCHES,
    STYLE_WIDTH,
    TAP_BARS,
    TAP_FEATURES,
    TAP_LEVELS,
    LMConfig,
)
from segue_engine.models.starter.lm.embeddings import FACTORS, TAP_SIZE

Params = dict[str, Any]


class _Init:
    """Draws initial values one after another from one seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def normal(self, *shape: int, scale: float) -> jax.Array:
        return jnp.asarray(scale * self._rng.standard_normal(shape), jnp.float32)

    def matrix(self, inputs: int, outputs: int, gain: float = 1.0) -> jax.Array:
        return self.normal(inputs, outputs, scale=gain * inputs**-0.5)


def _block(init: _Init, width: int, hidden: int, layers: int) -> Params:
    return {
        "norm1": jnp.ones(width),
        "qkv": init.matrix(width, 3 * width),
        "out": init.matrix(width, width, (2 * layers) ** -0.5),
        "norm2": jnp.ones(width),
        "up": init.matrix(width, 2 * hidden),
        "down": init.matrix(hidden, width, (2 * layers) ** -0.5),
    }


def _table(init: _Init, rows: int, width: int, scale: float) -> Params:
    return {"private": init.normal(rows, width, scale=0.4 * scale), "factors": init.normal(FACTORS, width, scale=scale)}


def init_params(config: LMConfig, seed: int) -> Params:
    """Fresh parameters. Copy gates start at 3, so that an untrained model already holds its plan."""
    init, d, dd = _Init(seed), config.width, config.depth_width
    codes = tokens.OFFSETS[-1]
    return {
        "tables": {
            "input": _table(init, codes, d, 0.05),
            "depth": _table(init, codes, dd, 0.05),
            "head": {**_table(init, codes, dd, 0.03), "bias": jnp.zeros(codes)},
            "taps": [_table(init, TAP_SIZE, d, 0.05) for _ in TAP_BARS],
        },
        "start": init.normal(d, scale=0.3),
        "style": {
            "w1": init.matrix(STYLE_WIDTH, config.style_hidden, 3.0),
            "b1": jnp.zeros(config.style_hidden),
            "w2": init.matrix(config.style_hidden, d),
            "null": init.normal(d, scale=0.3),
        },
        "delta": {
            "w1": init.matrix(STYLE_WIDTH, config.delta_hidden, 3.0),
            "w2": init.matrix(config.delta_hidden, d),
        },
        "drums": {"temporal": init.normal(2, d, scale=0.3), "depth": init.normal(2, dd, scale=0.3)},
        "roll": {
            "onset": init.normal(LEAD_PITCHES, dd, scale=0.3),
            "held": init.normal(LEAD_PITCHES, dd, scale=0.3),
            "present": init.normal(dd, scale=0.3),
            "silent": init.normal(dd, scale=0.3),
        },
        "temporal": [_block(init, d, config.hidden, config.layers) for _ in range(config.layers)],
        "norm": jnp.ones(d),
        "depth": {
            "state": init.matrix(d, dd),
            "style": init.matrix(d, dd),
            "level": init.normal(tokens.LEVELS, dd, scale=0.5),
            "layers": [_block(init, dd, config.depth_hidden, config.depth_layers) for _ in range(config.depth_layers)],
            "norm": jnp.ones(dd),
        },
        "gates": {
            "copy_w": jnp.zeros((tokens.PLAN_LEVELS, dd)),
            "copy_b": jnp.full(tokens.PLAN_LEVELS, 3.0),
            "tap_w": jnp.zeros((len(TAP_LEVELS), dd, len(TAP_BARS))),
            "tap_f": jnp.full((len(TAP_LEVELS), TAP_FEATURES, len(TAP_BARS)), 0.3),
            "roll_w": jnp.zeros((dd, 3)),
            "roll_b": jnp.full(3, 1.0),
            "drums_w": jnp.zeros((2, dd)),
        },
    }


def count(params: Params) -> int:
    """How many numbers there are."""
    return sum(int(leaf.size) for leaf in jax.tree.leaves(params))
