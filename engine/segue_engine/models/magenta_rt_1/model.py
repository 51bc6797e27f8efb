# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1 as a `FrameModel`: chunks begun by the encoder, their frames by the decoder, a codec it is given."""

from __future__ import annotations

from typing import Any, Final

import jax
import jax.numpy as jnp

from segue_engine.codec import Codec
from segue_engine.contract import Capabilities, Guidance, Sampling
from segue_engine.frame_model import MEMORY, StepRows
from segue_engine.layers import ring
from segue_engine.layers.sampler import Filters, draw_gumbel, frame_keys
from segue_engine.models.magenta_rt_1 import chunk
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.hearing import Hearing
from segue_engine.models.magenta_rt_1.parameters import ModelParams, Params
from segue_engine.models.magenta_rt_1.rings import Rings, in_range, init_rings

PyTree = Any

GUIDANCE_WEIGHT: Final = 5.0
"""The published default w of (1 + w) positive − w negative; as a scale of the contract it is 1 + w."""


class MagentaRT1:
    """A frame model in chunks. Both branches of guidance run in every frame, so its scale may change at any.

    Codes are drawn from their own level's 1,024; the published sampler's whole vocabulary is for parity only. Forced
    codes are history for the encoder: they come before a chunk, whose decoder never looks back further than its first
    frame.
    """

    capabilities = Capabilities(notes=False, drums=False, guidance=True, clock=False)
    default_sampling = Sampling(temperature=1.1, top_k=40, min_p=0.0)
    default_guidance = Guidance(style=1.0 + GUIDANCE_WEIGHT)
    clock = None
    two_pass_guidance = False

    def __init__(self, config: MagentaRT1Config, params: ModelParams, codec: Codec, fingerprint: str) -> None:
        """fingerprint identifies the weights; with the codec's version it makes up `version`."""
        self.config = config
        self._codec = codec
        self._params = Params(params, codec.params)
        self._version = f"{config.name}+{fingerprint}+{codec.version}"
        self._encoder = Hearing(config)

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def version(self) -> str:
        return self._version

    @property
    def levels(self) -> int:
        return self.config.levels

    @property
    def encoder(self) -> Hearing:
        return self._encoder

    @property
    def codec_delay(self) -> int:
        return self._codec.delay

    @property
    def memory(self) -> int:
        """See FrameModel: what its encoder hears, and the codec."""
        return max(self.config.context_frames, MEMORY if self.codec_memory is None else self.codec_memory)

    @property
    def codec_memory(self) -> int | None:
        return self._codec.memory

    @property
    def params(self) -> Params:
        return self._params

    def init_rings(self, rows: int, rewind: int) -> Rings:
        """Rings of `rows` fresh rows; every leaf is [rows, …]."""
        return init_rings(self.config, rows, rewind)

    def init_codec(self, rows: int) -> PyTree:
        return self._codec.init_state(rows)

    def step(self, params: Params, rings: Rings, rows: StepRows, *, guided: bool) -> tuple[Rings, jax.Array]:
        """One frame of due rows: rings and codes int32[B, levels]. `guided` changes nothing here."""
        advanced, hidden = self.advance(params, rings, rows)
        codes = self.draw(params, rows, hidden)
        return self.remember(advanced, rows, codes), codes

    def advance(self, params: Params, rings: Rings, rows: StepRows) -> tuple[Rings, jax.Array]:
        """Rings after the temporal step, without the frame's codes, and its output [2B, D]."""
        before = ring.read(rings.codes, rows.frame - 1).astype(jnp.int32)
        at = jnp.clip(rows.frame - rows.begun, 0, self.config.frames - 1)
        state, hidden = chunk.advance(self.config, params.language, rings.chunk, before, rows.frame, at, rows.due)
        return rings._replace(chunk=state), hidden

    def draw(self, params: Params, rows: StepRows, hidden: jax.Array) -> jax.Array:
        """hidden [2B, D] → codes int32[B, levels] under the rows' sampling and guidance."""
        filters = Filters(rows.temperature, rows.top_k, rows.min_p)
        keys = frame_keys(rows.seed, rows.frame, self.levels)

        def draw_code(level: int, logits: jax.Array) -> jax.Array:
            return draw_gumbel(logits, filters, keys[:, level])

        return chunk.generate(self.config, params.language, hidden, rows.guidance[:, 0] - 1.0, draw_code)

    def remember(self, rings: Rings, rows: StepRows, codes: jax.Array) -> Rings:
        """Rings with the due rows' codes int32[B, levels], clamped to range."""
        return rings._replace(codes=ring.write(rings.codes, in_range(self.config, codes), rows.frame, rows.due))

    def force(self, params: Params, rings: Rings, rows: StepRows, codes: jax.Array) -> Rings:
        """The frame's codes int32[B, levels] as history: what a chunk that begins after it hears."""
        return self.remember(rings, rows, codes)

    def absorb(self, params: Params, rings: Rings, rows: StepRows, codes: jax.Array, count: jax.Array) -> Rings:
        """`force` of frames codes int32[B, T, levels], the first count[b] of each row."""
        known = in_range(self.config, codes)
        wanted = jnp.where(rows.due, count, 0)
        return rings._replace(codes=ring.write_many(rings.codes, known, rows.frame, wanted))

    def decode(self, params: Params, codec: PyTree, codes: jax.Array, due: jax.Array) -> tuple[PyTree, jax.Array]:
        """codes int32[B, levels] → codec state, float32[B, 1920, 2]; codes are clamped to range."""
        return self._codec.decode(params.codec, codec, in_range(self.config, codes), due)
