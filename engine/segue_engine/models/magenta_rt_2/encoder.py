# SPDX-License-Identifier: Apache-2.0
"""The conditioning encoder: 144 ids → one source vector a frame. No state, no positions, no body."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.contract import STYLE_LEVELS
from segue_engine.layers.norms import layer_norm
from segue_engine.models.magenta_rt_2.conditioning import regular_offsets, style_rows
from segue_engine.models.magenta_rt_2.config import MagentaRT2Config
from segue_engine.models.magenta_rt_2.parameters import EncoderParams


def encode(config: MagentaRT2Config, params: EncoderParams, ids: jax.Array) -> jax.Array:
    """ids int32[B, 144] → source [B, E]: half the projected sum of style rows, half the mean of all other rows."""
    style_at = ids[:, :STYLE_LEVELS] + np.arange(STYLE_LEVELS, dtype=np.int32) * style_rows(config)
    style = jnp.sum(jnp.take(params.style_table, style_at, axis=0, mode="clip"), axis=1)
    regular_at = ids[:, STYLE_LEVELS:] + regular_offsets()
    regular = jnp.mean(jnp.take(params.regular_table, regular_at, axis=0, mode="clip"), axis=1)
    source = (style @ params.style_adapter + regular) / 2
    return layer_norm(source, params.norm.scale, params.norm.bias)
