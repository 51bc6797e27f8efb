# SPDX-License-Identifier: Apache-2.0
"""The decoder's network: embeddings → wave, any number of frames at a time, going on from explicit state.

All four STFT frames of a codec frame go through a layer at once, and so do left and right, as rows of the batch. A
layer remembers what it read (one or two frames before a convolution), never what it has yet to add: for transposed
convolutions that is at most as much. The last layer is the other way round, 2 channels instead of 64. So a row takes
2.7 MB in float32, where the published decoder keeps 4.6 MB.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import elu

from segue_engine.spectrostream.config import BANDS, BINS, HOP, PARTS, SIDES, STFT_FRAMES, Level, SpectroStreamConfig
from segue_engine.spectrostream.convolution import convolve, convolve_narrow, follow, perceptron, project
from segue_engine.spectrostream.parameters import Conv, DecoderParams, PlainUnitParams, ResamplingUnitParams
from segue_engine.spectrostream.phases import interleave
from segue_engine.spectrostream.precision import REDUCED, Arithmetic
from segue_engine.spectrostream.stft import overlap_add, sides_apart, sides_together

_OUTPUT_TAPS = 7


class UnitMemory(NamedTuple):
    """What each of a unit's two convolutions read last: [B, M, F, C], or [B, 2, M, F, C] where sides are apart."""

    first: jax.Array
    second: jax.Array


class DecoderState(NamedTuple):
    """Slot axis first in every leaf; fresh rows are all zeros."""

    begun: jax.Array
    """bool[B]: whether the row has had a frame; the first is looked ahead at only."""
    plain: UnitMemory
    units: tuple[UnitMemory, ...]
    pending: jax.Array
    """float32[B, 2, 6, 480, 2]: what the last convolution has yet to add to frames to come."""
    overlap: jax.Array
    """float32[B, 2, 480]: second half of the last STFT frame."""


def init_state(config: SpectroStreamConfig, rows: int, how: Arithmetic) -> DecoderState:
    """State of `rows` fresh rows."""
    inner = config.up[0].inputs
    plain = UnitMemory(*(jnp.zeros((rows, 2, BANDS, inner), how.dtype) for _ in range(2)))
    units = []
    for index, level in enumerate(config.up):
        lead = (rows,) if index == 0 else (rows, SIDES)
        reach = level.kernel[0] // level.stride[0] - 1
        units.append(
            UnitMemory(
                jnp.zeros((*lead, reach, level.bands, level.inputs), how.dtype),
                jnp.zeros((*lead, 2, level.bands * level.stride[1], level.outputs), how.dtype),
            )
        )
    return DecoderState(
        begun=jnp.zeros(rows, jnp.bool_),
        plain=plain,
        units=tuple(units),
        pending=jnp.zeros((rows, SIDES, _OUTPUT_TAPS - 1, BINS, PARTS), jnp.float32),
        overlap=jnp.zeros((rows, SIDES, HOP), jnp.float32),
    )


def advance(
    config: SpectroStreamConfig, params: DecoderParams, state: DecoderState, embeddings: jax.Array, how: Arithmetic
) -> tuple[DecoderState, jax.Array]:
    """embeddings [B, T, D] → state, raw wave float32[B, 1920 T, 2], one frame late: a fresh row begins with zeros."""
    x = perceptron(params.entry, embeddings, how, activate=False)
    x = x.reshape(*x.shape[:2], BANDS, config.up[0].inputs).astype(how.dtype)
    plain, x = _plain_unit(params.plain, state.plain, x, how)
    units = []
    for index, level in enumerate(config.up):
        memory = state.units[index]
        if index == 0:
            memory, x = _up_unit(level, params.units[index], memory, x, how)
            x = _split_sides(x)
        else:
            memory, x = _up_unit(level, params.units[index], UnitMemory(*map(sides_apart, memory)), x, how)
            memory = UnitMemory(*map(sides_together, memory))
        units.append(memory)
    pending, bins = _output(params.output, sides_apart(state.pending), x, how)
    begun = jnp.repeat(state.begun, SIDES)[:, None] | (jnp.arange(bins.shape[1]) >= STFT_FRAMES)
    bins = jnp.where(begun[..., None, None], bins, 0.0)
    overlap, wave = overlap_add(bins, sides_apart(state.overlap))
    new = DecoderState(
        begun=jnp.ones_like(state.begun),
        plain=plain,
        units=tuple(units),
        pending=sides_together(pending),
        overlap=sides_together(overlap),
    )
    return new, jnp.moveaxis(sides_together(wave), 1, -1)


def _plain_unit(
    params: PlainUnitParams, memory: UnitMemory, x: jax.Array, how: Arithmetic
) -> tuple[UnitMemory, jax.Array]:
    read, first = follow(memory.first, elu(x))
    y = convolve_narrow(params.first, read, how, (1, 1)) + params.first.bias
    read, second = follow(memory.second, elu(y))
    y = convolve_narrow(params.second, read, how, (1, 1)) + params.second.bias
    return UnitMemory(first, second), (x + y).astype(how.dtype)


def _up_unit(
    level: Level, params: ResamplingUnitParams, memory: UnitMemory, x: jax.Array, how: Arithmetic
) -> tuple[UnitMemory, jax.Array]:
    conv = convolve_narrow if level.bands * level.stride[1] == BANDS else convolve
    read, first = follow(memory.first, elu(x))
    y = interleave(conv(params.first, read, how, (1, 1)), level.kernel, level.stride) + params.first.bias
    read, second = follow(memory.second, elu(y))
    y = conv(params.second, read, how, (1, 1)) + params.second.bias
    shortcut = x if params.shortcut is None else project(params.shortcut, x, how)
    return UnitMemory(first, second), (y + _repeat(shortcut, level)).astype(how.dtype)


def _repeat(x: jax.Array, level: Level) -> jax.Array:
    """Each point as often as the unit makes points of it."""
    (s_t, s_f), (rows, frames, bands, channels) = level.stride, x.shape
    spread = jnp.broadcast_to(x[:, :, None, :, None], (rows, frames, s_t, bands, s_f, channels))
    return spread.reshape(rows, frames * s_t, bands * s_f, channels)


def _split_sides(x: jax.Array) -> jax.Array:
    """[B, T, F, 2 C] → [2 B, T, F, C]."""
    apart = x.reshape(*x.shape[:-1], SIDES, x.shape[-1] // SIDES)
    return sides_apart(jnp.moveaxis(apart, 3, 1))


def _output(conv: Conv, pending: jax.Array, x: jax.Array, how: Arithmetic) -> tuple[jax.Array, jax.Array]:
    """The 7 × 7 convolution to real and imaginary parts, float32[2 B, T, 480, 2].

    A convolution over frequency alone yields what each frame adds to itself and to the six after it; these are then
    summed. Its 14 output channels also suit vector units better than 2 do. In bfloat16 it runs as in tf32: it is 1 % of
    the work, and its rounding would be heard directly.
    """
    if how.dtype != jnp.float32:
        how = REDUCED
    rows, frames = x.shape[:2]
    edge = _OUTPUT_TAPS // 2
    parts = convolve(conv, elu(x.astype(jnp.float32)), how, (edge, edge))
    parts = parts.reshape(rows, frames, BINS, _OUTPUT_TAPS, PARTS)
    total = jnp.pad(pending, ((0, 0), (0, frames), (0, 0), (0, 0)))
    for tap in range(_OUTPUT_TAPS):  # the last tap reads the frame itself, tap 0 the one six before
        later = _OUTPUT_TAPS - 1 - tap
        total += jnp.pad(parts[:, :, :, tap], ((0, 0), (later, tap), (0, 0), (0, 0)))
    return total[:, frames:], total[:, :frames] + conv.bias
