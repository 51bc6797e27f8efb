# SPDX-License-Identifier: Apache-2.0
"""The training loss: the sum of twelve cross-entropies on the selected frames of whole sequences."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.depth import all_logits, frame_base
from segue_engine.models.starter.lm.embeddings import build_tables
from segue_engine.models.starter.lm.inputs import FrameInputs, style_vector, temporal_input
from segue_engine.models.starter.lm.params import Params
from segue_engine.models.starter.lm.temporal import temporal_whole


class Scores(NamedTuple):
    """Means over the selected frames, float32[12] per level: loss in nats and share of right guesses."""

    loss: jax.Array
    accuracy: jax.Array


def sequence_logits(
    params: Params, config: LMConfig, inputs: FrameInputs, codes: jax.Array, selected: jax.Array
) -> list[jax.Array]:
    """Teacher-forced logits [B · M, size] of all levels for the selected frames int32[B, M] of sequences [B, T]."""
    tables = build_tables(params)
    style = style_vector(params, inputs.style, inputs.known)
    state = temporal_whole(params, config, temporal_input(params, tables, inputs, style))

    hot = (selected[..., None] == jnp.arange(codes.shape[1])).astype(jnp.float32)

    def pick(x: jax.Array) -> jax.Array:
        if jnp.issubdtype(x.dtype, jnp.floating):  # as a product, because a gather's gradient is a slow scatter
            return (hot @ x).reshape(-1, x.shape[-1])
        chosen = jnp.take_along_axis(x, selected.reshape(*selected.shape, *(1,) * (x.ndim - 2)), axis=1)
        return chosen.reshape(-1, *x.shape[2:])

    picked = jax.tree.map(pick, inputs)
    base = frame_base(params, pick(state), pick(style), picked.drums)
    return all_logits(params, config, tables, base, picked, pick(codes))


def scores(
    params: Params, config: LMConfig, inputs: FrameInputs, codes: jax.Array, selected: jax.Array, trusted: jax.Array
) -> Scores:
    """Loss and accuracy of each level; plan levels count on trusted frames (bool[B, M]) only."""
    target = jnp.take_along_axis(codes, selected[..., None], axis=1).reshape(-1, tokens.LEVELS)
    planned = trusted.reshape(-1).astype(jnp.float32)
    losses, hits = [], []
    for level, logits in enumerate(sequence_logits(params, config, inputs, codes, selected)):
        wanted = target[:, level]
        weight = planned if level < tokens.PLAN_LEVELS else jnp.ones_like(planned)
        weight = weight / jnp.maximum(jnp.sum(weight), 1.0)
        right = jnp.sum(jnp.where(jnp.arange(logits.shape[-1]) == wanted[:, None], logits, 0.0), axis=-1)
        losses.append(jnp.sum(weight * (jax.nn.logsumexp(logits, axis=-1) - right)))
        hits.append(jnp.sum(weight * (jnp.argmax(logits, axis=-1) == wanted)))
    return Scores(jnp.stack(losses), jnp.stack(hits))


def total_loss(
    params: Params, config: LMConfig, inputs: FrameInputs, codes: jax.Array, selected: jax.Array, trusted: jax.Array
) -> tuple[jax.Array, Scores]:
    """Sum over levels of the mean cross-entropy, in nats a frame, and the scores."""
    result = scores(params, config, inputs, codes, selected, trusted)
    return jnp.sum(result.loss), result
