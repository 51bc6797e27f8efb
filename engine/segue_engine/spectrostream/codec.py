# SPDX-License-Identifier: Apache-2.0
"""The decoder as a codec that a frame model can be handed: one frame of codes in, 40 ms of stereo out."""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp

from segue_engine.contract import FRAME_SAMPLES
from segue_engine.layers.ring import select_rows
from segue_engine.spectrostream.config import SpectroStreamConfig
from segue_engine.spectrostream.decoder import DecoderState, advance, init_state
from segue_engine.spectrostream.parameters import CodecParams, DecoderParams
from segue_engine.spectrostream.precision import CodecPrecision, arithmetic
from segue_engine.spectrostream.rvq import dequantise

PCM_GAIN: Final = 0.5
"""What published players multiply the decoder's wave by: ±2 is full scale before it, ±1 after."""
MEMORY_FRAMES: Final = 16
"""A frame's audio and state depend on no codes further back: 4 frames through the unit's convolutions, 2 through
`decoder_0`, 1 through each stage after it, 2 through the last convolution and the overlap, 1 of lookahead."""


def pcm16(raw: jax.Array) -> jax.Array:
    """Raw wave → int16 as published: y = clip(0.5 x, -1, 1), then 32767.5 y - 0.5 rounded, halves to even."""
    y = jnp.clip(PCM_GAIN * jnp.asarray(raw, jnp.float32), -1.0, 1.0)
    return jnp.round(32767.5 * y - 0.5).astype(jnp.int16)


class SpectroStream:
    """A streaming decoder with its weights. Its audio lags the codes by one frame, and a fresh row begins with zeros.

    Methods other than the constructor are pure and meant to be traced; `params` is what to hand to them.
    """

    def __init__(
        self,
        config: SpectroStreamConfig,
        decoder: DecoderParams,
        codebooks: jax.Array,
        *,
        levels: int = 12,
        precision: CodecPrecision = "float32",
        fingerprint: str = "unnamed",
    ) -> None:
        """levels: codes per frame at most, of `load_codebooks`' tables; fingerprint identifies the weights.

        Raises ValueError naming the setting that is out of range.
        """
        if not 1 <= levels <= codebooks.shape[0]:
            raise ValueError(f"levels: expected 1..{codebooks.shape[0]}, got {levels}")
        self.config = config
        self.levels = levels
        self.precision: CodecPrecision = precision
        self._how = arithmetic(precision)
        self._fingerprint = fingerprint
        self._params = CodecParams(codebooks[:levels], _in_compute_dtype(decoder, self._how.dtype))

    @property
    def version(self) -> str:
        """Of weights and levels. Precision is no part of it: codes mean the same in all."""
        return f"spectrostream-{self.levels}+{self._fingerprint}"

    @property
    def delay(self) -> int:
        return 1

    @property
    def memory(self) -> int:
        return MEMORY_FRAMES

    @property
    def params(self) -> CodecParams:
        return self._params

    def init_state(self, rows: int) -> DecoderState:
        """State of `rows` fresh rows, all zeros."""
        return init_state(self.config, rows, self._how)

    def decode(
        self, params: CodecParams, state: DecoderState, codes: jax.Array, due: jax.Array
    ) -> tuple[DecoderState, jax.Array]:
        """codes int32[B, L], due bool[B] → float32[B, 1920, 2], ±1 being full scale; not clipped.

        Rows not due keep their state bit for bit; what they yield as audio means nothing. L may be less than `levels`:
        a frame's first L codes are a coarser picture of the same sound.
        """
        state, raw = self.decode_raw(params, state, codes, due)
        return state, PCM_GAIN * raw

    def decode_raw(
        self, params: CodecParams, state: DecoderState, codes: jax.Array, due: jax.Array
    ) -> tuple[DecoderState, jax.Array]:
        """As `decode`, without PCM_GAIN: the wave that published golden vectors and `pcm16` speak of."""
        embeddings = dequantise(params.codebooks, codes[:, None])
        new, raw = advance(self.config, params.network, state, embeddings, self._how)
        return jax.tree.map(lambda a, b: select_rows(due, a, b), new, state), raw

    def decode_whole(self, params: CodecParams, codes: jax.Array) -> jax.Array:
        """codes int32[B, T, L] of whole sequences → raw wave float32[B, 1920 (T - 1), 2], the silent frame cut off."""
        embeddings = dequantise(params.codebooks, codes)
        _, raw = advance(self.config, params.network, self.init_state(codes.shape[0]), embeddings, self._how)
        return raw[:, FRAME_SAMPLES:]


def _in_compute_dtype(decoder: DecoderParams, dtype: jax.typing.DTypeLike) -> DecoderParams:
    """Kernels cast but for the last one; biases are added to float32 sums."""

    def cast(leaf: jax.Array) -> jax.Array:
        return leaf.astype(dtype) if leaf.ndim > 1 else leaf

    narrowed: DecoderParams = jax.tree.map(cast, decoder)
    return narrowed._replace(output=decoder.output)
