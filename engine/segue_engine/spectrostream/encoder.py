# SPDX-License-Identifier: Apache-2.0
"""The encoder's network: wave → embeddings, whole or in pieces of any whole number of frames.

After the spectrogram everything is causal, so that a piece needs what the layers read last and one hop of the samples
to come. Always float32: what it yields are codes, and a code is right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import elu
from jax.typing import ArrayLike

from segue_engine.contract import CHANNELS, FRAME_SAMPLES
from segue_engine.spectrostream.config import BINS, HOP, PARTS, SIDES, Level, SpectroStreamConfig
from segue_engine.spectrostream.convolution import convolve, follow, perceptron, project
from segue_engine.spectrostream.decoder import UnitMemory
from segue_engine.spectrostream.parameters import EncoderParams, EncodingParams, PlainUnitParams, ResamplingUnitParams
from segue_engine.spectrostream.precision import EXACT
from segue_engine.spectrostream.rvq import quantise
from segue_engine.spectrostream.stft import sides_apart, sides_together, spectrogram

_BASE_MEMORY = 6
_MEMORY = 2


class EncoderState(NamedTuple):
    """What each convolution read last; row axis first in every leaf, fresh rows are all zeros."""

    base: jax.Array
    """float32[B, 2, 6, 480, 2]."""
    units: tuple[UnitMemory, ...]
    plain: UnitMemory


CompiledPiece = Callable[[EncodingParams, EncoderState, ArrayLike, int], tuple[EncoderState, jax.Array]]


class SpectroStreamEncoder:
    """An encoder with its weights and codebooks. Methods are pure; `params` is what to hand to them.

    Waves are float32[B, n, 2] at 48 kHz; mono is given twice. Wholes are padded with zeros to whole frames, and take
    about 1.5 MB a frame and row while they are encoded: use pieces for more than seconds.
    """

    def __init__(self, config: SpectroStreamConfig, network: EncoderParams, codebooks: jax.Array) -> None:
        self.config = config
        self._params = EncodingParams(codebooks, network)

    @property
    def params(self) -> EncodingParams:
        return self._params

    def encode(self, params: EncodingParams, wave: jax.Array) -> jax.Array:
        """wave [B, n, 2] → embeddings float32[B, ceil(n / 1920), features]."""
        rows, samples = _checked(wave).shape[:2]
        padded = jnp.pad(wave, ((0, 0), (0, -samples % FRAME_SAMPLES + HOP), (0, 0)))
        return self.encode_piece(params, self.init_state(rows), padded)[1]

    def encode_codes(self, params: EncodingParams, wave: jax.Array, levels: int) -> jax.Array:
        """wave [B, n, 2] → int32[B, ceil(n / 1920), levels]."""
        return quantise(params.codebooks, self.encode(params, wave), levels)

    @cached_property
    def compiled_piece(self) -> CompiledPiece:
        """`encode_piece` down to codes, jitted once: (params, state, wave, levels) → state, int32[B, N, levels]."""

        def run(
            params: EncodingParams, state: EncoderState, wave: jax.Array, levels: int
        ) -> tuple[EncoderState, jax.Array]:
            state, embeddings = self.encode_piece(params, state, wave)
            return state, quantise(params.codebooks, embeddings, levels)

        return jax.jit(run, static_argnums=3)

    def init_state(self, rows: int) -> EncoderState:
        """State before the first sample of `rows` waves."""
        *outer, inner = self.config.down
        units = [_fresh_memory(rows, SIDES, _MEMORY, level.bands * level.stride[1], level.inputs) for level in outer]
        units.append(_fresh_memory(rows, _MEMORY, inner.bands * inner.stride[1], inner.inputs))
        return EncoderState(
            base=jnp.zeros((rows, SIDES, _BASE_MEMORY, BINS, PARTS), jnp.float32),
            units=tuple(units),
            plain=_fresh_memory(rows, _MEMORY, inner.bands, inner.outputs),
        )

    def encode_piece(
        self, params: EncodingParams, state: EncoderState, wave: jax.Array
    ) -> tuple[EncoderState, jax.Array]:
        """wave [B, 1920 N + 480, 2], its last 480 samples being the next piece's first → state, embeddings [B, N, D].

        Pieces in a row give what `encode` gives, to rounding. Raises ValueError for any other number of samples.
        """
        samples = _checked(wave).shape[1]
        if samples % FRAME_SAMPLES != HOP or samples == HOP:
            raise ValueError(f"wave: expected {FRAME_SAMPLES} N + {HOP} samples, got {samples}")
        network = params.network
        read, base = follow(sides_apart(state.base), spectrogram(wave))
        x = convolve(network.base, read, EXACT, (3, 3)) + network.base.bias
        *outer, inner = zip(self.config.down, network.units, state.units, strict=True)
        units = []
        for level, unit, memory in outer:
            memory, x = _down_unit(level, unit, UnitMemory(*map(sides_apart, memory)), x)
            units.append(UnitMemory(*map(sides_together, memory)))
        memory, x = _down_unit(*inner, _join_sides(x))
        units.append(memory)
        plain, x = _plain_unit(network.plain, state.plain, x)
        flat = x.reshape(*x.shape[:2], -1)
        return (
            EncoderState(sides_together(base), tuple(units), plain),
            perceptron(network.exit, flat, EXACT, activate=True),
        )


def _fresh_memory(*shape: int) -> UnitMemory:
    return UnitMemory(jnp.zeros(shape, jnp.float32), jnp.zeros(shape, jnp.float32))


def _checked(wave: jax.Array) -> jax.Array:
    if wave.ndim != 3 or wave.shape[-1] != CHANNELS or wave.shape[1] < 1:
        raise ValueError(f"wave: expected float32[B, n, {CHANNELS}] with n >= 1, got shape {list(wave.shape)}")
    return wave


def _down_unit(
    level: Level, params: ResamplingUnitParams, memory: UnitMemory, x: jax.Array
) -> tuple[UnitMemory, jax.Array]:
    (s_t, s_f), k_f = level.stride, level.kernel[1]
    read, first = follow(memory.first, elu(x))
    y = convolve(params.first, read, EXACT, (1, 1)) + params.first.bias
    read, second = follow(memory.second, elu(y))
    edge = max(k_f - s_f, 0)
    y = convolve(params.second, read, EXACT, (edge // 2, edge - edge // 2), level.stride) + params.second.bias
    rows, frames, bands, channels = x.shape
    pooled = x.reshape(rows, frames // s_t, s_t, bands // s_f, s_f, channels).mean(axis=(2, 4))
    shortcut = pooled if params.shortcut is None else project(params.shortcut, pooled, EXACT)
    return UnitMemory(first, second), y + shortcut


def _plain_unit(params: PlainUnitParams, memory: UnitMemory, x: jax.Array) -> tuple[UnitMemory, jax.Array]:
    read, first = follow(memory.first, elu(x))
    y = convolve(params.first, read, EXACT, (1, 1)) + params.first.bias
    read, second = follow(memory.second, elu(y))
    return UnitMemory(first, second), x + convolve(params.second, read, EXACT, (1, 1)) + params.second.bias


def _join_sides(x: jax.Array) -> jax.Array:
    """[2 B, T, F, C] → [B, T, F, 2 C], left first."""
    apart = jnp.moveaxis(sides_together(x), 1, 3)
    return apart.reshape(*apart.shape[:3], -1)
