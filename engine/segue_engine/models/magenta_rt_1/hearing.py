# SPDX-License-Identifier: Apache-2.0
"""The encoder as passes in pieces (`frame_model.ChunkEncoder`): the context and the style, heard before a chunk.

Two passes, one per branch of guidance. The negative one hears the context alone, so it runs first and the style may
still change meanwhile; a change after that costs the positive one only.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import jax
import jax.numpy as jnp

from segue_engine.contract import MASKED, Conditioning
from segue_engine.models.magenta_rt_1 import chunk, encoder, temporal
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.parameters import Params
from segue_engine.models.magenta_rt_1.rings import Rings, context_before
from segue_engine.models.magenta_rt_1.temporal import Layers

PIECE_LAYERS: Final = 3
"""Encoder layers of one piece: about as much work as `finish`, the keys and values of 20 blocks."""
_BRANCH_OF_FIRST_PASS: Final = 1


class Hearing:
    """See `frame_model.ChunkEncoder`. `work` is an activation [1, S, D]; a result is the source's [1, N, S, H]."""

    def __init__(self, config: MagentaRT1Config) -> None:
        self._config = config

    @property
    def frames(self) -> int:
        return self._config.frames

    @property
    def interval(self) -> int:
        """Half a chunk: at worst a fade doubles the passes."""
        return self._config.frames // 2

    @property
    def passes(self) -> tuple[bool, ...]:
        return (False, True)

    @property
    def pieces(self) -> int:
        return -(-self._config.encoder_layers // PIECE_LAYERS)

    def heard(self, conditioning: Conditioning) -> Hashable:
        """The style codes that the model knows, missing ones masked."""
        count = self._config.style_levels
        return (*conditioning.style_codes[:count], *(MASKED,) * (count - len(conditioning.style_codes)))

    def begin(
        self,
        params: Params,
        rings: Rings,
        row: jax.Array,
        frame: jax.Array,
        style_codes: jax.Array,
        number: jax.Array,
    ) -> jax.Array:
        context = context_before(self._config, rings, row, frame)
        both = chunk.branch_ids(self._config, context[None], style_codes[None])
        ids = jnp.take(both, _branch(number), axis=1, mode="clip")
        return encoder.enter(params.language.encoder, params.language.tokens, ids)

    def go_on(self, params: Params, work: jax.Array, piece: jax.Array) -> jax.Array:
        first = piece * PIECE_LAYERS
        stop = jnp.minimum(first + PIECE_LAYERS, self._config.encoder_layers)
        return encoder.go_on(self._config, params.language.encoder, work, first, stop)

    def finish(self, params: Params, work: jax.Array) -> Layers:
        return temporal.project(self._config, params.language.temporal, encoder.leave(params.language.encoder, work))

    def land(self, rings: Rings, row: jax.Array, result: Layers, number: jax.Array) -> Rings:
        return rings._replace(chunk=chunk.land_branch(rings.chunk, row, _branch(number), result))


def _branch(number: jax.Array) -> jax.Array:
    return _BRANCH_OF_FIRST_PASS - number
