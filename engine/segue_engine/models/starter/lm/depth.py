# SPDX-License-Identifier: Apache-2.0
"""The depth transformer over the 12 codes of a frame: all positions at once (training) or one after another."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from segue_engine.layers.attention import attend_whole, default_scale
from segue_engine.layers.depth import Growing, run_levels
from segue_engine.layers.norms import rms_norm
from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.embeddings import Tables, look_up
from segue_engine.models.starter.lm.grammar import FORBIDDEN, Rules, forbidden
from segue_engine.models.starter.lm.heads import Roll, level_logits, read_roll, roll_vector
from segue_engine.models.starter.lm.inputs import FrameInputs
from segue_engine.models.starter.lm.params import Params
from segue_engine.models.starter.lm.temporal import finish, project


def frame_base(params: Params, state: jax.Array, style: jax.Array, drums: jax.Array) -> jax.Array:
    """What every position of a frame receives: temporal state and style vector [.., D] and the drum flag."""
    p, flags = params["depth"], params["drums"]["depth"]
    hot = (drums[..., None] == np.arange(len(flags))).astype(state.dtype)
    hot = jnp.broadcast_to(hot, (*state.shape[:-1], len(flags)))
    # one product, so that XLA:CPU does not compute the sum anew at every level
    base: jax.Array = jnp.concatenate([state, style, hot], axis=-1) @ jnp.concatenate([p["state"], p["style"], flags])
    return base


def all_logits(
    params: Params, config: LMConfig, tables: Tables, base: jax.Array, inputs: FrameInputs, codes: jax.Array
) -> list[jax.Array]:
    """Logits of all levels of frames [M] whose codes int32[M, 12] are known; base [M, depth width]."""
    p = params["depth"]
    before = [
        look_up(tables.depth[tokens.OFFSETS[q] : tokens.OFFSETS[q + 1]], codes[:, q, None], (0, tokens.SIZES[q]))
        for q in range(tokens.LEVELS - 1)
    ]
    x = base[:, None] + p["level"] + jnp.pad(jnp.stack(before, axis=1), ((0, 0), (1, 0), (0, 0)))
    roll = read_roll(inputs.notes, codes[:, tokens.KEY], codes[:, tokens.CHORD])
    x = x.at[:, tokens.LEAD].add(roll_vector(params, roll))
    for block in p["layers"]:
        q, k, v = project(block, x, config.depth_heads)
        x = finish(block, x, attend_whole(q, default_scale(q), k, v, tokens.LEVELS))
    x = rms_norm(x, p["norm"])
    known = [codes[:, q] for q in range(tokens.LEVELS)]
    return [
        level_logits(params, tables, q, x[:, q], inputs, known[:q], roll=roll if q == tokens.LEAD else None)
        for q in range(tokens.LEVELS)
    ]


def draw_codes(
    params: Params,
    config: LMConfig,
    tables: Tables,
    base: jax.Array,
    inputs: FrameInputs,
    gate_offset: jax.Array,
    strength: tuple[jax.Array, jax.Array],
    draw: Callable[[int, jax.Array], jax.Array],
    *,
    rules: Rules | None = None,
) -> jax.Array:
    """Codes int32[B, 12] of one frame; base [B, G, depth width], inputs [B, 1, ..]; `draw(level, logits [B, G, n])`.

    rules: what they forbid has a logit far down.
    """
    p = params["depth"]
    memory = [Growing() for _ in p["layers"]]
    roll: list[Roll] = []

    def logits_of(level: int, codes: list[jax.Array]) -> jax.Array:
        x = base + p["level"][level]
        if level:
            before = (codes[-1] + tokens.OFFSETS[level - 1]).astype(jnp.uint32)
            x = x + tables.depth.at[before].get(mode="promise_in_bounds")[:, None]
        if level == tokens.LEAD:
            roll.append(read_roll(inputs.notes, codes[tokens.KEY][:, None], codes[tokens.CHORD][:, None]))
            x = x + roll_vector(params, roll[0])
        for block, growing in zip(p["layers"], memory, strict=True):
            q, k, v = project(block, x, config.depth_heads)
            x = finish(block, x, growing.attend(default_scale(q), k, v))
        state = rms_norm(x, p["norm"])
        lower = [c[:, None] for c in codes]
        logits = level_logits(
            params, tables, level, state, inputs, lower,
            gate_offset=gate_offset, roll=roll[0] if roll else None, strength=strength,
        )  # fmt: skip
        asked = roll[0].present[:, 0] if roll else inputs.start[:, 0]
        previous = inputs.previous[:, 0, tokens.CLOCK]
        banned = None if rules is None else forbidden(rules, level, previous, inputs.start[:, 0], codes, asked)
        return logits if banned is None else jnp.where(banned[:, None], FORBIDDEN, logits)

    return run_levels(tokens.LEVELS, logits_of, draw)
