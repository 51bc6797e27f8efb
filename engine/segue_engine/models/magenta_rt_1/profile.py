# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1's step taken apart for measuring, and what its rings come to by formula. Nothing serves through this."""

from __future__ import annotations

from typing import Final

import jax

from segue_engine.frame_model import StepRows
from segue_engine.models.magenta_rt_1.chunk import BRANCHES
from segue_engine.models.magenta_rt_1.model import MagentaRT1
from segue_engine.models.magenta_rt_1.parameters import Params
from segue_engine.models.magenta_rt_1.rings import CODES_DTYPE, Rings


class MagentaRT1Parts:
    """`begin`, then `finish`, makes the codes that the model's `step` makes. The encoder's passes are no part of it."""

    names: Final = ("temporal", "depth")

    def __init__(self, model: MagentaRT1) -> None:
        self._model = model

    def begin(self, params: Params, rings: Rings, rows: StepRows) -> tuple[Rings, jax.Array]:
        """Rings with the frame in them, its codes aside, and the temporal output [2B, D] of both branches."""
        return self._model.advance(params, rings, rows)

    def finish(self, params: Params, rows: StepRows, handed: jax.Array) -> jax.Array:
        """Codes int32[B, levels], drawn under guidance as in `step`."""
        return self._model.draw(params, rows, handed)

    def ring_bytes(self, rewind: int) -> dict[str, int]:
        """Bytes of one session's rings, by what they hold: formula → result."""
        config = self._model.config
        size, stored = config.dtype.itemsize, CODES_DTYPE.dtype.itemsize

        def cache(what: str, length: str, entries: int) -> tuple[str, int]:
            text = (
                f"{what} keys and values: {BRANCHES} branches × 2 × {config.temporal_layers} layers × {length} "
                f"× {config.heads} heads × {config.units} units × {size} bytes"
            )
            return text, BRANCHES * 2 * config.temporal_layers * entries * config.heads * config.units * size

        frames, context = config.frames, config.context_frames
        codes = f"codes: ({context} context + {frames} frames + {rewind} rewind + 1) × {config.levels} levels"
        return dict(
            [
                cache("the source's", f"{config.source_length} tokens", config.source_length),
                cache("the chunk's own", f"({frames} frames + {rewind} rewind)", frames + rewind),
                (f"{codes} × {stored} bytes", (context + frames + rewind + 1) * config.levels * stored),
            ]
        )

    def settings(self) -> dict[str, str]:
        """What it computes in."""
        return {
            "dtype": self._model.config.compute_dtype,
            "codec": str(getattr(self._model._codec, "precision", "float32")),
        }
