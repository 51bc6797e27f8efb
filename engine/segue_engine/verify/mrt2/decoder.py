# SPDX-License-Identifier: Apache-2.0
"""Files iv and viii: SpectroStream's decoder, whole, frame by frame, and frame by frame among strangers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES
from segue_engine.spectrostream import SpectroStreamConfig, dequantise, pcm16
from segue_engine.verify.checks import Plan, Produced, Tick
from segue_engine.verify.mrt2.codec import Decoder, codes_of, config_of, decoder_of
from segue_engine.verify.vector_set import Arrays, VectorSet

Array = NDArray[Any]


def plan(vectors: VectorSet, file: str) -> Plan:
    """codes [B, T, L] → embeddings, wave_layer (whole), wave_step, pcm_int16_step, step_mask_per_frame."""
    arrays = vectors.arrays(file)
    codes = checked_codes(arrays, config_of(vectors))
    decoder = decoder_of(vectors, codes.shape[-1])
    return Plan(steps=steps(codes), run=lambda tick: decoded(decoder, codes, tick))


def checked_codes(arrays: Arrays, config: SpectroStreamConfig) -> Array:
    """The file's codes; all that follows from them is checked for its shape."""
    codes = codes_of(arrays, "codes", config, "B", "T", "L")
    batch, frames, _ = codes.shape
    arrays.check("embeddings", batch, frames, config.features)
    arrays.check("wave_layer", batch, FRAME_SAMPLES * (frames - 1), 2)
    arrays.check("wave_step", batch, FRAME_SAMPLES * frames, 2)
    arrays.check("pcm_int16_step", batch, FRAME_SAMPLES * frames, 2, kind="i")
    arrays.check("step_mask_per_frame", batch, frames, kind="b")
    return codes


def steps(codes: Array) -> int:
    """Ticks of `decoded`."""
    return int(codes.shape[1]) * (3 if len(codes) > 1 else 1) + 1


def decoded(decoder: Decoder, codes: Array, tick: Tick) -> Iterator[Produced]:
    """Everything that follows from codes [B, T, L]."""
    yield Produced("embeddings", np.asarray(dequantise(decoder.codebooks, jnp.asarray(codes))))
    yield Produced("wave_layer", decoder.whole(codes), "whole")
    tick()
    yield from _stepped(decoder.streamed(codes, tick), "streamed")
    if len(codes) > 1:
        yield from _stepped(decoder.among_strangers(codes, tick), "among strangers")
    heard = np.arange(codes.shape[1]) >= decoder.codec.delay
    yield Produced("step_mask_per_frame", np.broadcast_to(heard, codes.shape[:2]))


def _stepped(wave: Array, way: str) -> Iterator[Produced]:
    yield Produced("wave_step", wave, way)
    yield Produced("pcm_int16_step", np.asarray(pcm16(jnp.asarray(wave))), way)
