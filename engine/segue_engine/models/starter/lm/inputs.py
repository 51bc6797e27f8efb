# SPDX-License-Identifier: Apache-2.0
"""What the model is told about a frame before it makes it, and how that becomes the temporal transformer's input."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.embeddings import TAP_OFFSETS, Tables, look_up
from segue_engine.models.starter.lm.params import Params


class FrameInputs(NamedTuple):
    """Inputs of frames with any leading axes: whole sequences [B, T] or one frame [B, G]."""

    previous: jax.Array
    """int32[.., 12]: codes of the frame before; anything in range where `start`."""
    start: jax.Array
    """bool[..]: there is no frame before."""
    taps: jax.Array
    """int32[.., 3, 7]: codes of TAP_LEVELS exactly TAP_BARS bars before this frame."""
    tapped: jax.Array
    """bool[.., 3]: whether that frame exists and has the clock that is expected of this one."""
    style: jax.Array
    """float32[.., 34]."""
    known: jax.Array
    """bool[..]: False where the style is masked."""
    delta: jax.Array
    """float32[.., 34]: style minus the style of 24 frames ago, 0 where either is masked."""
    drums: jax.Array
    """int32[..]: -1 masked, 0 off, 1 on."""
    notes: jax.Array
    """int8[.., 128], see StepRows."""


def style_vector(params: Params, style: jax.Array, known: jax.Array) -> jax.Array:
    """[.., D] of styles [.., 34], the learned null style where masked."""
    p = params["style"]
    vector = jax.nn.silu(style @ p["w1"] + p["b1"]) @ p["w2"]
    return jnp.where(known[..., None], vector, p["null"])


def flag_vector(table: jax.Array, flag: jax.Array) -> jax.Array:
    """Row of table [2, D] for flags 0 and 1, zero where masked (-1)."""
    return jnp.where((flag >= 0)[..., None], jnp.where((flag == 1)[..., None], table[1], table[0]), 0.0)


def temporal_input(params: Params, tables: Tables, inputs: FrameInputs, style: jax.Array) -> jax.Array:
    """[.., D] for the temporal transformer; style is `style_vector`'s."""
    x = look_up(tables.input, jnp.where(inputs.start[..., None], -1, inputs.previous), tokens.OFFSETS)
    x = x + jnp.where(inputs.start[..., None], params["start"], 0.0)
    taps = jnp.where(inputs.tapped[..., None], inputs.taps, -1)
    x = x + look_up(tables.taps, taps.reshape(*taps.shape[:-2], -1), TAP_OFFSETS)
    delta = jax.nn.silu(inputs.delta @ params["delta"]["w1"]) @ params["delta"]["w2"]
    x = x + style + jnp.asarray(delta)
    return x + flag_vector(params["drums"]["temporal"], inputs.drums)
