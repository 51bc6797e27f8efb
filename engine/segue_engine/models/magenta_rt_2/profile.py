# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 2's step taken apart for measuring, and what its rings come to by formula. Nothing serves through this."""

from __future__ import annotations

from typing import Final

import jax

from segue_engine.frame_model import StepRows
from segue_engine.layers.ring import ring_length
from segue_engine.layers.sampler import Filters, draw_gumbel, frame_keys
from segue_engine.models.magenta_rt_2 import depth
from segue_engine.models.magenta_rt_2.model import CODES_DTYPE, MagentaRT2, Params, Rings


class MagentaRT2Parts:
    """`begin`, then `finish`, makes the codes that the model's `step` makes."""

    names: Final = ("conditioning + temporal", "depth")

    def __init__(self, model: MagentaRT2) -> None:
        self._model = model

    def begin(self, params: Params, rings: Rings, rows: StepRows) -> tuple[Rings, jax.Array]:
        """Rings with the frame in them, its codes aside, and the temporal output [B, D]."""
        remembered, hidden = self._model._advance(params, rings, rows)
        return Rings(rings.codes, remembered), hidden

    def finish(self, params: Params, rows: StepRows, handed: jax.Array) -> jax.Array:
        """Codes int32[B, levels], drawn from the temporal output as in `step`."""
        config = self._model.config
        filters = Filters(rows.temperature, rows.top_k, rows.min_p)
        keys = frame_keys(rows.seed, rows.frame, config.levels)

        def draw(level: int, logits: jax.Array) -> jax.Array:
            return draw_gumbel(logits, filters, keys[:, level])

        return depth.generate(config, params.language.depth, params.language.tokens, handed, draw)

    def ring_bytes(self, rewind: int) -> dict[str, int]:
        """Bytes of one session's rings, by what they hold: formula → result."""
        config, stack = self._model.config, self._model.config.temporal

        def cache(what: str, window: int) -> tuple[str, int]:
            length, size = ring_length(window, rewind), config.dtype.itemsize
            text = (
                f"{what} keys and values: 2 × {stack.layers} layers × ({window} window + {rewind} rewind + 1) "
                f"× {stack.heads} heads × {stack.units} units × {size} bytes"
            )
            return text, 2 * stack.layers * length * stack.heads * stack.units * size

        length = ring_length(1, rewind)
        codes = f"codes: (1 + {rewind} rewind + 1) × {config.levels} levels × {CODES_DTYPE.dtype.itemsize} bytes"
        return dict(
            [
                cache("self-attention", config.self_window),
                cache("cross-attention", config.cross_window),
                (codes, length * config.levels * CODES_DTYPE.dtype.itemsize),
            ]
        )

    def settings(self) -> dict[str, str]:
        """What it computes in."""
        return {
            "dtype": self._model.config.compute_dtype,
            "codec": str(getattr(self._model._codec, "precision", "float32")),
        }
