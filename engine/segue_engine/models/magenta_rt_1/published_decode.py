# SPDX-License-Identifier: Apache-2.0
"""The published chunk loop around model and codec: context, overlap by one frame, crossfade. For parity only.

Serving decodes frame by frame with the streaming codec, which needs neither overlap nor fades. Host code, numpy; a
state is never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1.chunk import branch_ids
from segue_engine.models.magenta_rt_1.config import MagentaRT1Config
from segue_engine.models.magenta_rt_1.vocabulary import folded_codes

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

ChunkDecoder = Callable[[Ints], Floats]
"""codes int32[F, levels] of F frames that stand alone → wave float32[F · samples, channels]."""

EMPTY = -1


@dataclass(frozen=True, slots=True)
class PublishedState:
    """context: codes int32[context_frames, levels], oldest first, -1 where there is nothing yet; tail: the wave of the
    last frame, float32[samples, channels], to be faded out of; chunk: how many chunks there have been."""

    context: Ints
    tail: Floats
    chunk: int = 0


@dataclass(frozen=True, slots=True)
class PublishedChunk:
    """What a chunk came to: codes int32[frames + 1, levels] that the codec was given, the wave it gave, and the sound
    float32[frames · samples, channels] that is played."""

    codes: Ints
    wave: Floats
    sound: Floats
    state: PublishedState


def fresh(config: MagentaRT1Config, samples: int, channels: int = 2) -> PublishedState:
    """A session's first state; samples: of one frame."""
    context = np.full((config.context_frames, config.levels), EMPTY, np.int32)
    return PublishedState(context, np.zeros((samples, channels), np.float32))


def encoder_rows(config: MagentaRT1Config, state: PublishedState, style_codes: Ints | None) -> Ints:
    """What the encoder reads: int32[2, S], with the style and without. style_codes int32[>= style_levels] or None."""
    style = np.full(config.style_levels, EMPTY, np.int32) if style_codes is None else style_codes
    ids = branch_ids(config, jnp.asarray(state.context)[None], jnp.asarray(style)[None])
    return np.asarray(ids[0])


def chunk_seed(seed: int, state: PublishedState) -> int:
    """The seed of the state's next chunk, so that seeds s and s + 1 share all keys but one."""
    return seed + state.chunk


def finish(
    config: MagentaRT1Config, state: PublishedState, ids: NDArray[np.integer], decode: ChunkDecoder
) -> PublishedChunk:
    """The chunk of token ids int[frames · levels]: its codes after one frame of overlap, decoded alone and faded in.

    The overlap of the very first chunk is code 0 at all levels, which is not silence.
    """
    new = np.asarray(folded_codes(config, jnp.asarray(ids, jnp.int32))).reshape(config.frames, config.levels)
    last = state.context[-1:] if state.chunk else np.zeros((1, config.levels), np.int32)
    codes = np.concatenate([last, new])
    wave = decode(codes)
    sound, tail = crossfaded(wave, state.tail)
    context = np.concatenate([state.context[config.frames :], new])[-config.context_frames :]
    return PublishedChunk(codes, wave, sound, PublishedState(context, tail, state.chunk + 1))


def crossfaded(wave: Floats, tail: Floats) -> tuple[Floats, Floats]:
    """wave [n + s, C] and the tail [s, C] before it → n samples of sound, the first s faded, and the next tail."""
    fade = len(tail)
    rising = equal_power_ramp(fade)[:, None]
    mixed = rising * wave[:fade] + rising[::-1] * tail
    return np.concatenate([mixed, wave[fade:-fade]]), wave[-fade:]


def equal_power_ramp(samples: int) -> Floats:
    """sin(π n / 2 samples): its reverse is one sample off a cosine, as published."""
    return np.sin(np.linspace(0.0, np.pi / 2, samples, endpoint=False, dtype=np.float32)).astype(np.float32)


def linear_ramp(samples: int) -> Floats:
    """n / samples."""
    return np.linspace(0.0, 1.0, samples, endpoint=False).astype(np.float32)


def whole_decoder(codec: Any) -> ChunkDecoder:
    """A `spectrostream.SpectroStream` as the published decoder: F frames to exactly F · 1,920 samples.

    The streaming decoder looks one frame ahead; the published one stops at the last, so here that is heard once more.
    What the published network pads its end with is not known; the crossfade hides most of it.
    """

    whole = jax.jit(codec.decode_whole)

    def decode(codes: Ints) -> Floats:
        ahead = np.concatenate([codes, codes[-1:]])
        return np.asarray(whole(codec.params, jnp.asarray(ahead)[None])[0])

    return decode
