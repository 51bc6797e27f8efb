# SPDX-License-Identifier: Apache-2.0
"""The language model over given tokens: whole, and frame by frame as it is served.

A session can stand alone or among strangers: slots with other contexts, at other places of their chunks, that are not
due every time, and that its own source landed between.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1 import chunk, depth, encoder, temporal
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.parameters import ModelParams
from segue_engine.models.magenta_rt_1.vocabulary import first_ids
from segue_engine.verify.mrt1.language import Language

Array = NDArray[Any]


class Programs(NamedTuple):
    """Compiled once per size of model."""

    enter: Any
    go_on: Any
    leave: Any
    whole: Any
    project: Any
    step: Any
    served: Any
    land: Any


@cache
def programs(config: MagentaRT1Config) -> Programs:
    """The functions of the model that the checks here run."""

    def whole(params: ModelParams, source: temporal.Layers, ids: jax.Array) -> jax.Array:
        rows, frames = ids.shape[:2]
        before = jnp.concatenate([jnp.zeros_like(ids[:, :1]), ids[:, :-1]], axis=1)
        entered = jax.vmap(temporal.enter, (None, 1, 1), 1)(params.tokens, before, _places(rows, frames))
        hidden = temporal.whole(config, params.temporal, source, entered)
        flat = hidden.reshape(-1, hidden.shape[-1]), ids.reshape(-1, config.levels)
        logits = depth.forced_logits(config, params.depth, params.tokens, *flat)
        return logits.reshape(rows, frames * config.levels, -1)

    def step(
        params: ModelParams, own: temporal.Layers, source: temporal.Layers, ids: jax.Array, frame: jax.Array
    ) -> tuple[temporal.Layers, jax.Array]:
        rows = ids.shape[0]
        before = ids[:, jnp.maximum(frame - 1, 0)]
        at, due = jnp.full(rows, frame), jnp.ones(rows, bool)
        x = temporal.enter(params.tokens, before, at)
        own, hidden = temporal.step(config, params.temporal, own, source, x, at, at, due)
        return own, depth.forced_logits(config, params.depth, params.tokens, hidden, ids[:, frame])

    def served(
        params: ModelParams, state: chunk.ChunkState, codes: jax.Array, at: jax.Array, due: jax.Array
    ) -> tuple[chunk.ChunkState, jax.Array]:
        place = jnp.maximum(at - 1, 0)
        before = jnp.take_along_axis(codes, place[:, None, None], axis=1)[:, 0]
        now = jnp.take_along_axis(codes, at[:, None, None], axis=1)[:, 0] + first_ids(config)
        state, hidden = chunk.advance(config, params, state, before, at, at, due)
        both = jnp.repeat(now, chunk.BRANCHES, axis=0)
        return state, depth.forced_logits(config, params.depth, params.tokens, hidden, both)

    return Programs(
        enter=jax.jit(lambda params, ids: encoder.enter(params.encoder, params.tokens, ids)),
        go_on=jax.jit(lambda params, x, *part: encoder.go_on(config, params.encoder, x, *part)),
        leave=jax.jit(lambda params, x, seen: encoder.leave(params.encoder, x, seen)),
        whole=jax.jit(whole),
        project=jax.jit(lambda params, source: temporal.project(config, params.temporal, source)),
        step=jax.jit(step),
        served=jax.jit(served),
        land=jax.jit(chunk.land),
    )


def encoded(language: Language, ids: Array, piece: int, seen: Array) -> jax.Array:
    """Source [R, S, D] of ids [R, S], `piece` layers at a time; seen bool[R, S]."""
    run, params, layers = programs(language.config), language.params, language.config.encoder_layers
    x = run.enter(params, ids)
    for first in range(0, layers, piece):
        x = run.go_on(params, x, np.int32(first), np.int32(min(first + piece, layers)), seen)
    source: jax.Array = run.leave(params, x, seen)
    return source


def cached_logits(language: Language, source: temporal.Layers, ids: Array) -> Iterator[Array]:
    """Per frame: logits float32[R, levels, vocabulary] after ids [R, frames, levels], by the cached step."""
    run, config = programs(language.config), language.config
    own = temporal.init_own(config, len(ids))
    for frame in range(ids.shape[1]):
        own, logits = run.step(language.unrestricted, own, source, ids, np.int32(frame))
        yield np.asarray(logits)


def served_logits(language: Language, source: temporal.Layers, codes: Array) -> Iterator[Array]:
    """Per frame: logits float32[2, levels, codebook] of one slot of three, codes [frames, levels].

    source: [2, N, S, H] per block, which lands after the strangers have begun.
    """
    run, config, params = programs(language.config), language.config, language.params
    rng, mine, frames = np.random.default_rng(0), 1, codes.shape[0]
    given = rng.integers(0, config.codebook, (3, frames, config.levels)).astype(np.int32)
    given[mine] = codes
    state = chunk.init_state(config, 3)
    others = [jax.tree.map(lambda leaf, s=s: (leaf * s)[None], source) for s in (0.5, -1.0)]
    for slot, other in zip((0, 2), others, strict=True):
        state = run.land(state, np.array([slot], np.int32), other)
    for tick in range(-1, frames):
        if tick == 0:
            state = run.land(state, np.array([mine], np.int32), jax.tree.map(lambda leaf: leaf[None], source))
        at = np.array([(tick + 1) % frames, max(tick, 0), (tick * 3 + 4) % frames], np.int32)
        due = np.array([tick % 3 != 0, tick >= 0, tick % 2 == 0])
        state, logits = run.served(params, state, given, at, due)
        if tick >= 0:
            yield np.asarray(logits)[2 * mine : 2 * mine + 2]


def _places(rows: int, frames: int) -> jax.Array:
    return jnp.broadcast_to(jnp.arange(frames, dtype=jnp.int32), (rows, frames))
