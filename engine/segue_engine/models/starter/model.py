# SPDX-License-Identifier: Apache-2.0
"""The starter as the engine sees it: language model and synthesiser behind `FrameModel`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp

from segue_engine.contract import Capabilities, Guidance, Sampling
from segue_engine.frame_model import PyTree, StepRows, absorb_one_by_one
from segue_engine.layers.ring import select_rows
from segue_engine.models.starter import synth, tokens
from segue_engine.models.starter.clock import StarterClock
from segue_engine.models.starter.lm import streaming
from segue_engine.models.starter.lm.config import LMConfig
from segue_engine.models.starter.lm.params import Params
from segue_engine.models.starter.weights import bundled_folder, load_weights
from segue_engine.styles.rvq import ResidualQuantiser

LAYOUT: Final = 1
"""Counts changes of the token layout or of what the network computes: codes of another layout can't be continued."""


class ModelParams(NamedTuple):
    """Everything on the device that a step or a decode reads."""

    lm: streaming.Serving
    synth: synth.Tables


class StarterModel:
    """Fulfils `frame_model.FrameModel`. Immutable; methods are pure and traced inside the engine's programs."""

    name = "starter"
    levels = tokens.LEVELS
    capabilities = Capabilities(notes=True, drums=True, guidance=True, clock=True)
    codec_delay = 0
    default_guidance = Guidance()
    memory = 160  # the window and a bar: more would be a longer wait, and little else
    codec_memory = None  # tails ring and notes are held for as long as they like
    two_pass_guidance = True
    encoder = None

    def __init__(self, params: Params, config: LMConfig, quantiser: ResidualQuantiser, digest: str) -> None:
        self.config = config
        self.version = f"starter-{LAYOUT}+{digest[:8]}"
        self.default_sampling = Sampling(temperature=config.temperature, top_k=0, min_p=config.min_p)
        self.clock = StarterClock()
        self.params = ModelParams(streaming.serving_params(params, quantiser.codebooks), synth.load_tables())

    @classmethod
    def bundled(cls, folder: Path | None = None) -> StarterModel:
        """The model with the weights of the package or of a folder. Raises WeightsError if missing or damaged."""
        folder = folder or bundled_folder()
        params, config, digest = load_weights(folder)
        return cls(params, config, ResidualQuantiser.load(bundled_folder() / "style_rvq.safetensors"), digest)

    def init_rings(self, rows: int, rewind: int) -> streaming.Rings:
        """See FrameModel."""
        return streaming.init_rings(self.config, rows, rewind)

    def init_codec(self, rows: int) -> synth.SynthState:
        """See FrameModel."""
        return synth.init_state(rows)

    def step(
        self, params: ModelParams, rings: streaming.Rings, rows: StepRows, *, guided: bool
    ) -> tuple[streaming.Rings, jax.Array]:
        """See FrameModel. Style guidance needs guided=True; guidance of notes and drums scales their gates in both."""
        return streaming.step(self.config, params.lm, rings, rows, guided=guided)

    def force(self, params: ModelParams, rings: streaming.Rings, rows: StepRows, codes: jax.Array) -> streaming.Rings:
        """See FrameModel; codes out of range are clamped."""
        limit = jnp.asarray(tokens.SIZES, jnp.int32) - 1
        return streaming.force(self.config, params.lm, rings, rows, jnp.clip(codes, 0, limit))

    def absorb(
        self, params: ModelParams, rings: streaming.Rings, rows: StepRows, codes: jax.Array, count: jax.Array
    ) -> PyTree:
        """See FrameModel."""
        return absorb_one_by_one(partial(self.force, params), rings, rows, codes, count)

    def decode(
        self, params: ModelParams, codec: synth.SynthState, codes: jax.Array, due: jax.Array
    ) -> tuple[PyTree, jax.Array]:
        """See FrameModel."""
        state, audio = synth.decode(params.synth, codec, codes)
        return jax.tree.map(lambda new, old: select_rows(due, new, old), state, codec), audio
