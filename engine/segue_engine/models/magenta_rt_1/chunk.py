# SPDX-License-Identifier: Apache-2.0
"""What a slot holds while it decodes a chunk, and one frame of it: rows at different places of different chunks.

Every leaf has the slot axis first and the two branches of guidance second: the positive one hears the style, the
negative one does not. Both always run, so guidance may change from frame to frame. A slot's branches never meet another
slot's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from segue_engine.models.magenta_rt_1 import depth, temporal
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.encoder import encode
from segue_engine.models.magenta_rt_1.parameters import ModelParams
from segue_engine.models.magenta_rt_1.sampling import guided
from segue_engine.models.magenta_rt_1.temporal import Layers
from segue_engine.models.magenta_rt_1.vocabulary import code_ids, first_ids, negative_ids, source_ids

BRANCHES: Final = 2

DrawCode = Callable[[int, jax.Array], jax.Array]
"""level, guided logits float32[B, codebook] → codes int32[B]."""


class ChunkState(NamedTuple):
    """own: keys and values of the last frames, rings [B, 2, N, L, H] per block; source: of what the encoder heard when
    the chunk began, [B, 2, N, S, H] per block."""

    own: Layers
    source: Layers


def init_state(config: MagentaRT1Config, rows: int, rewind: int = 0) -> ChunkState:
    """State of `rows` slots, contents data-independent; a slot can decode once its source has landed."""
    return ChunkState(
        temporal.init_own(config, rows, BRANCHES, rewind=rewind),
        temporal.init_source(config, rows, BRANCHES),
    )


def branch_ids(config: MagentaRT1Config, context: jax.Array, style_codes: jax.Array) -> jax.Array:
    """context int32[B, context_frames, levels] and style codes int32[B, >= style_levels] → ids int32[B, 2, S]."""
    positive = source_ids(config, context, style_codes)
    return jnp.stack([positive, negative_ids(config, positive)], axis=1)


def hear(config: MagentaRT1Config, params: ModelParams, ids: jax.Array) -> Layers:
    """The whole pass at once: ids int32[B, 2, S] → keys and values of the source, [B, 2, N, S, H] per block."""
    source = encode(config, params.encoder, params.tokens, ids.reshape(-1, ids.shape[-1]))
    return apart(temporal.project(config, params.temporal, source))


def land(state: ChunkState, slot: jax.Array, source: Layers) -> ChunkState:
    """The state with the source of slots int32[b], [b, 2, N, S, H] per block, in place of what they heard before.

    Other slots come out bit-identical; with a donated state only these rows are written.
    """
    landed: Layers = jax.tree.map(lambda old, new: old.at[slot].set(new.astype(old.dtype)), state.source, source)
    return state._replace(source=landed)


def land_branch(state: ChunkState, slot: jax.Array, branch: jax.Array, source: Layers) -> ChunkState:
    """As `land` for one branch of one slot, int32 each: source [1, N, S, H] per block."""

    def write(old: jax.Array, new: jax.Array) -> jax.Array:
        place = (slot, branch, *(jnp.zeros((), slot.dtype),) * (old.ndim - 2))
        return lax.dynamic_update_slice(old, new[None].astype(old.dtype), place)

    landed: Layers = jax.tree.map(write, state.source, source)
    return state._replace(source=landed)


def advance(
    config: MagentaRT1Config,
    params: ModelParams,
    state: ChunkState,
    before: jax.Array,
    frame: jax.Array,
    at: jax.Array,
    due: jax.Array,
) -> tuple[ChunkState, jax.Array]:
    """The temporal step of due slots: frame[B], at place at[B] of their chunks, after codes before[B, levels] → hidden
    [2B, D].

    Rows 2b and 2b + 1 of the output are slot b's branches. at is 0 .. frames − 1; the codes before a chunk's first
    frame are not read. Slots that are not due keep their state bit for bit.
    """
    both = [jnp.repeat(value, BRANCHES, axis=0) for value in (code_ids(config, before), frame, at, due)]
    ids, numbers, places, wanted = both
    own, hidden = temporal.step(
        config,
        params.temporal,
        together(state.own),
        together(state.source),
        temporal.enter(params.tokens, ids, places),
        numbers,
        places,
        wanted,
    )
    return state._replace(own=apart(own)), hidden


def step(
    config: MagentaRT1Config,
    params: ModelParams,
    state: ChunkState,
    before: jax.Array,
    frame: jax.Array,
    at: jax.Array,
    due: jax.Array,
    weight: jax.Array,
    draw: DrawCode,
) -> tuple[ChunkState, jax.Array]:
    """One frame of due slots: as `advance`, then codes int32[B, levels], drawn under guidance weight float32[B]."""
    state, hidden = advance(config, params, state, before, frame, at, due)
    return state, generate(config, params, hidden, weight, draw)


def generate(
    config: MagentaRT1Config, params: ModelParams, hidden: jax.Array, weight: jax.Array, draw: DrawCode
) -> jax.Array:
    """hidden [2B, D] → codes int32[B, levels]. Both branches follow the code that is drawn for their slot."""
    starts = first_ids(config)

    def draw_ids(level: int, logits: jax.Array) -> jax.Array:
        positive, negative = jnp.unstack(logits.reshape(-1, BRANCHES, logits.shape[-1]), axis=1)
        codes = draw(level, guided(positive, negative, weight))
        return jnp.repeat(codes + starts[level], BRANCHES, axis=0)

    ids = depth.run(config, params.depth, params.tokens, hidden, draw_ids)
    return ids[::BRANCHES] - np.asarray(starts)


def together(layers: Layers) -> Layers:
    """[B, 2, …] → [2B, …] in every leaf, which moves nothing."""
    joined: Layers = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), layers)
    return joined


def apart(layers: Layers) -> Layers:
    """[2B, …] → [B, 2, …] in every leaf."""
    split: Layers = jax.tree.map(lambda leaf: leaf.reshape(-1, BRANCHES, *leaf.shape[1:]), layers)
    return split
