# SPDX-License-Identifier: Apache-2.0
"""The starter's step taken apart for measuring, and what its rings come to by formula. Nothing serves through this."""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.frame_model import StepRows
from segue_engine.layers.ring import ring_length
from segue_engine.layers.sampler import Filters, draw_inverse, uniforms
from segue_engine.models.starter import tokens
from segue_engine.models.starter.lm import streaming
from segue_engine.models.starter.lm.config import DELTA_FRAMES, STYLE_WIDTH, TAP_REACH
from segue_engine.models.starter.lm.depth import draw_codes, frame_base
from segue_engine.models.starter.lm.inputs import FrameInputs
from segue_engine.models.starter.model import ModelParams, StarterModel


class Handed(NamedTuple):
    """What the depth transformer is given: temporal state and style [B, 1, D], the frame's inputs, gates float32[B]."""

    state: jax.Array
    style: jax.Array
    inputs: FrameInputs
    gate_offset: jax.Array


class StarterParts:
    """`begin`, then `finish`, makes the codes that the model's `step` makes without guidance."""

    names: Final = ("conditioning + temporal", "depth")

    def __init__(self, model: StarterModel) -> None:
        self._config = model.config

    def begin(self, params: ModelParams, rings: streaming.Rings, rows: StepRows) -> tuple[streaming.Rings, Handed]:
        """Rings with the frame in them, its codes aside, and what the depth transformer is given."""
        config, serving = self._config, params.lm
        frame = streaming._read_frame(config, serving, rings, rows)
        state, style, keys, values = streaming._advance(config, serving, rings, rows, frame, guided=False)
        gates = jnp.where(frame.moving & streaming._begins_beat(frame), config.gate_offset, 0.0)
        return streaming.Rings(keys, values, rings.codes, frame.styles), Handed(state, style, frame.inputs, gates)

    def finish(self, params: ModelParams, rows: StepRows, handed: Handed) -> jax.Array:
        """Codes int32[B, 12], drawn as in `step`."""
        config, serving = self._config, params.lm
        uniform = uniforms(rows.seed, rows.frame, tokens.LEVELS)

        def draw(level: int, logits: jax.Array) -> jax.Array:
            warmth = config.lead_temperature if level == tokens.LEAD else 1.0
            filters = Filters(rows.temperature * warmth, rows.top_k, rows.min_p)
            return draw_inverse(logits[:, 0], filters, uniform[:, level])

        base = frame_base(serving.params, handed.state, handed.style, handed.inputs.drums)
        strength = (rows.guidance[:, 1, None], rows.guidance[:, 2, None])
        gates = handed.gate_offset[:, None]
        rules = serving.rules if config.grammar else None
        return draw_codes(
            *(serving.params, config, serving.tables, base, handed.inputs, gates, strength, draw), rules=rules
        )

    def ring_bytes(self, rewind: int) -> dict[str, int]:
        """Bytes of one session's rings, by what they hold: formula → result."""
        config = self._config
        units, reach = config.width // config.heads, max(DELTA_FRAMES, *config.moving_lags)
        past, codes, styles = (ring_length(window, rewind) for window in (config.window, TAP_REACH, reach))
        of_past = (
            f"keys and values: 2 × {config.layers} layers × ({config.window} window + {rewind} rewind + 1) "
            f"× {config.heads} heads × {units} units × 4 bytes"
        )
        of_codes = f"codes: ({TAP_REACH} taps + {rewind} rewind + 1) × {tokens.LEVELS} levels × 4 bytes"
        of_styles = f"styles: ({reach} lag + {rewind} rewind + 1) × {STYLE_WIDTH + 1} × 4 bytes"
        return {
            of_past: 2 * config.layers * past * config.heads * units * 4,
            of_codes: codes * tokens.LEVELS * 4,
            of_styles: styles * (STYLE_WIDTH + 1) * 4,
        }

    def settings(self) -> dict[str, str]:
        """What it computes in."""
        return {"dtype": "float32", "codec": "float32"}
