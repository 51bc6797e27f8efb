# SPDX-License-Identifier: Apache-2.0
"""A chunk of one session decoded as published: whole vocabulary, one key for both rows, an id that ends it. For parity.

Serving restricts each level to its own codes, which neither wanders into another level's ids nor ends.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from segue_engine.models.magenta_rt_1 import depth, temporal
from segue_engine.models.magenta_rt_1.config import MASK, PAD, MagentaRT1Config
from segue_engine.models.magenta_rt_1.encoder import encode
from segue_engine.models.magenta_rt_1.parameters import ModelParams
from segue_engine.models.magenta_rt_1.sampling import draw, guided

ROWS = 2


class Decoded(NamedTuple):
    """ids int32[2, frames · levels], frame by frame; scores float32[2]: summed log-probabilities of a row's draws."""

    ids: jax.Array
    scores: jax.Array


class _Progress(NamedTuple):
    own: temporal.Layers
    before: jax.Array
    key: jax.Array
    ended: jax.Array
    scores: jax.Array


def decode(
    config: MagentaRT1Config,
    params: ModelParams,
    source: jax.Array,
    key: jax.Array,
    weight: jax.Array,
    temperature: jax.Array,
    top_k: jax.Array,
    steps: jax.Array,
) -> Decoded:
    """Encoder ids int32[2, S] (positive row, negative row) → a chunk. params: `depth.unrestricted`.

    key: typed, threefry; weight, temperature, top_k, steps: scalars, steps of levels · frames tokens. With weight 0 the
    rows draw apart, else the second follows the first. Id 1 ends a row: what follows are zeros.
    """
    alike = weight != 0
    encoded = encode(config, params.encoder, params.tokens, source)
    heard = temporal.project(config, params.temporal, encoded)

    def one(progress: _Progress, frame: jax.Array) -> tuple[_Progress, jax.Array]:
        key, ended, scores = progress.key, progress.ended, progress.scores

        def next_ids(level: int, logits: jax.Array) -> jax.Array:
            nonlocal key, ended, scores
            mixed = guided(logits[:1], logits[1:], weight[None])
            offered = jnp.where(alike, jnp.broadcast_to(mixed, logits.shape), logits)
            own, key = jax.random.split(key)
            drawn = draw(own, offered, temperature, top_k)
            over = ended | (frame * config.levels + level >= steps)
            scores = scores + jnp.where(over, 0.0, drawn.log_probabilities)
            ids = jnp.where(over, PAD, drawn.ids)
            ended = ended | (~over & (ids == MASK))
            ids, ended = (jnp.where(alike, value[:1].repeat(ROWS), value) for value in (ids, ended))
            return ids

        at, due = jnp.full(ROWS, frame), jnp.ones(ROWS, bool)
        x = temporal.enter(params.tokens, progress.before, at)
        own, hidden = temporal.step(config, params.temporal, progress.own, heard, x, at, at, due)
        ids = depth.run(config, params.depth, params.tokens, hidden, next_ids)
        return _Progress(own, ids, key, ended, scores), ids

    start = _Progress(
        own=temporal.init_own(config, ROWS),
        before=jnp.zeros((ROWS, config.levels), jnp.int32),
        key=key,
        ended=jnp.zeros(ROWS, bool),
        scores=jnp.zeros(ROWS, jnp.float32),
    )
    last, ids = lax.scan(one, start, jnp.arange(config.frames, dtype=jnp.int32))
    return Decoded(jnp.swapaxes(ids, 0, 1).reshape(ROWS, -1), last.scores)
