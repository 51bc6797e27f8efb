# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 2 as a `FrameModel`: conditioning encoder, temporal and depth transformer, and the codec it is given."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.codec import Codec
from segue_engine.contract import Capabilities, Guidance, Sampling
from segue_engine.frame_model import MEMORY, StepRows
from segue_engine.layers import ring
from segue_engine.layers.sampler import Filters, draw_gumbel, frame_keys
from segue_engine.models.magenta_rt_2 import depth, prefill, temporal
from segue_engine.models.magenta_rt_2.blocks import embed
from segue_engine.models.magenta_rt_2.conditioning import conditioning_ids
from segue_engine.models.magenta_rt_2.config import MagentaRT2Config
from segue_engine.models.magenta_rt_2.encoder import encode
from segue_engine.models.magenta_rt_2.parameters import ModelParams

PyTree = Any

START_ID: Final = 0
CODES_DTYPE: Final = jnp.int16


class Params(NamedTuple):
    """Everything handed to the compiled programs."""

    language: ModelParams
    codec: PyTree


class Rings(NamedTuple):
    """codes int16[B, L, levels] of past frames, and what the temporal transformer remembers of them."""

    codes: jax.Array
    temporal: temporal.TemporalRings


class Advanced(NamedTuple):
    """What the temporal transformer read and gave at one frame: source [B, E], its input and its output [B, D] each."""

    source: jax.Array
    entered: jax.Array
    hidden: jax.Array


def init_rings(config: MagentaRT2Config, rows: int, rewind: int) -> Rings:
    """Rings of `rows` fresh rows that can go back `rewind` frames; every leaf is [rows, …]."""
    codes = jnp.zeros((rows, ring.ring_length(1, rewind), config.levels), CODES_DTYPE)
    return Rings(codes=codes, temporal=temporal.init_rings(config, rows, rewind))


def advance(
    config: MagentaRT2Config, params: ModelParams, rings: Rings, ids: jax.Array, frame: jax.Array, due: jax.Array
) -> tuple[temporal.TemporalRings, Advanced]:
    """The temporal step of due rows: on the codes before `frame` (the start token at frame 0) and ids int32[B, 144]."""
    last = depth.token_ids(config, ring.read(rings.codes, frame - 1))
    last = jnp.where((frame == 0)[:, None], START_ID, last)
    entered = jnp.mean(embed(params.tokens, last), axis=1)
    source = encode(config, params.encoder, ids)
    remembered, hidden = temporal.step(config, params.temporal, rings.temporal, entered, source, frame, due)
    return remembered, Advanced(source, entered, hidden)


def remember(
    config: MagentaRT2Config,
    remembered: temporal.TemporalRings,
    rings: Rings,
    codes: jax.Array,
    frame: jax.Array,
    due: jax.Array,
) -> Rings:
    """The rings after a frame whose codes int32[B, levels] are these; codes are clamped to range."""
    return Rings(codes=ring.write(rings.codes, in_range(config, codes), frame, due), temporal=remembered)


def absorb(
    config: MagentaRT2Config,
    params: ModelParams,
    rings: Rings,
    ids: jax.Array,
    codes: jax.Array,
    frame: jax.Array,
    count: jax.Array,
) -> Rings:
    """The rings after the first count[b] frames of codes int32[B, T, levels], as one sequence under ids [B, 144]."""
    codes = in_range(config, codes)
    before = depth.token_ids(config, ring.read(rings.codes, frame - 1))
    before = jnp.where((frame == 0)[:, None], START_ID, before)
    last = jnp.concatenate([before[:, None], depth.token_ids(config, codes[:, :-1])], axis=1)
    entered = jnp.mean(embed(params.tokens, last), axis=2)
    source = encode(config, params.encoder, ids)
    remembered = prefill.absorb(config, params.temporal, rings.temporal, entered, source, frame, count)
    return Rings(codes=ring.write_many(rings.codes, codes, frame, count), temporal=remembered)


def in_range(config: MagentaRT2Config, codes: jax.Array) -> jax.Array:
    """Codes as int32, clamped to the codebook."""
    return jnp.clip(codes.astype(jnp.int32), 0, config.codebook - 1)


class MagentaRT2:
    """A frame model whose guidance is conditioning: one pass, whatever the scales.

    The first frame follows a start token; forced codes are heard after it, exactly as if they had been generated.
    """

    capabilities = Capabilities(notes=True, drums=True, guidance=True, clock=False)
    default_sampling = Sampling(temperature=1.3, top_k=40, min_p=0.0)
    default_guidance = Guidance(style=3.0, notes=1.0, drums=1.0)
    encoder = None
    clock = None
    two_pass_guidance = False

    def __init__(self, config: MagentaRT2Config, params: ModelParams, codec: Codec, fingerprint: str) -> None:
        """fingerprint identifies the weights; with the codec's version it makes up `version`."""
        self.config = config
        self._codec = codec
        self._params = Params(params, codec.params)
        self._version = f"{config.name}+{fingerprint}+{codec.version}"

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
    def codec_delay(self) -> int:
        return self._codec.delay

    @property
    def memory(self) -> int:
        """See FrameModel: as far as the temporal transformer's layers reach, one after the other, but 20 s at most."""
        reach = min(MEMORY, self.config.temporal.layers * self.config.self_window)
        return max(reach, MEMORY if self.codec_memory is None else self.codec_memory)

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
        filters = Filters(rows.temperature, rows.top_k, rows.min_p)
        keys = frame_keys(rows.seed, rows.frame, self.levels)

        def draw(level: int, logits: jax.Array) -> jax.Array:
            return draw_gumbel(logits, filters, keys[:, level])

        remembered, hidden = self._advance(params, rings, rows)
        codes = depth.generate(self.config, params.language.depth, params.language.tokens, hidden, draw)
        return self._remember(remembered, rings, rows, codes), codes

    def force(self, params: Params, rings: Rings, rows: StepRows, codes: jax.Array) -> Rings:
        """As `step` with codes int32[B, levels] given, so without the depth transformer; codes are clamped to range."""
        remembered, _ = self._advance(params, rings, rows)
        return self._remember(remembered, rings, rows, codes)

    def absorb(self, params: Params, rings: Rings, rows: StepRows, codes: jax.Array, count: jax.Array) -> Rings:
        """`force` of frames codes int32[B, T, levels], the first count[b] of each row, as one sequence."""
        ids = conditioning_ids(self.config, rows.style_codes, rows.notes, rows.drums, rows.guidance)
        return absorb(self.config, params.language, rings, ids, codes, rows.frame, jnp.where(rows.due, count, 0))

    def decode(self, params: Params, codec: PyTree, codes: jax.Array, due: jax.Array) -> tuple[PyTree, jax.Array]:
        """codes int32[B, levels] → codec state, float32[B, 1920, 2]; codes are clamped to range."""
        return self._codec.decode(params.codec, codec, in_range(self.config, codes), due)

    def _advance(self, params: Params, rings: Rings, rows: StepRows) -> tuple[temporal.TemporalRings, jax.Array]:
        ids = conditioning_ids(self.config, rows.style_codes, rows.notes, rows.drums, rows.guidance)
        remembered, advanced = advance(self.config, params.language, rings, ids, rows.frame, rows.due)
        return remembered, advanced.hidden

    def _remember(self, remembered: temporal.TemporalRings, rings: Rings, rows: StepRows, codes: jax.Array) -> Rings:
        return remember(self.config, remembered, rings, codes, rows.frame, rows.due)
