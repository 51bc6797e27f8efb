# SPDX-License-Identifier: Apache-2.0
"""What the system vectors put in the place of codec and style encoder, to check the loop around the model.

The codec is a formula, the style encoder a stored embedding with small codebooks.
"""

from __future__ import annotations

from typing import Any, Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import STYLE_LEVELS
from segue_engine.models.magenta_rt_1.config import MASK, MagentaRT1Config
from segue_engine.models.magenta_rt_1.published_decode import ChunkDecoder, Floats, Ints
from segue_engine.spectrostream.rvq import quantise
from segue_engine.verify.vector_set import Arrays, VectorError

Array = NDArray[Any]

CODEBOOKS: Final = "style_codebooks_f16"
_CODE_TURNS: Final = 1024
CHANNELS: Final = 2


def formula_codec(samples: int) -> ChunkDecoder:
    """codes [F, levels] → [F · samples, 2]: a sine whose phase is the frame's codes, weighted by level."""

    def decode(codes: Ints) -> Floats:
        levels = np.arange(1, codes.shape[1] + 1)
        phase = (codes.astype(np.float64) * levels / _CODE_TURNS).sum(axis=1)
        turns = 0.1 * np.arange(1, samples + 1)[:, None] * np.arange(1, CHANNELS + 1)
        wave: Array = 0.5 * np.sin(turns + phase[:, None, None])
        return wave.astype(np.float32).reshape(-1, CHANNELS)

    return decode


def style_codes(arrays: Arrays, embeddings: Array) -> Ints:
    """Codes int32[n, levels] of embeddings [n, E] by the file's codebooks."""
    books = arrays.take(CODEBOOKS, "levels", "entries", embeddings.shape[-1]).astype(np.float32)
    return np.asarray(quantise(jnp.asarray(books), jnp.asarray(embeddings, jnp.float32), len(books)))


def codes_of_ids(config: MagentaRT1Config, ids: Array, file: str) -> Ints | None:
    """The style codes that ids int[style_levels] stand for; None where they are masked."""
    if (ids == MASK).all():
        return None
    codes = ids - config.first_style_id - config.codebook * np.arange(config.style_levels)
    if ((codes < 0) | (codes >= config.codebook)).any():
        raise VectorError(f"{file}: expected style ids of levels 0..{config.style_levels - 1}, got {ids.tolist()}")
    return codes.astype(np.int32)


def outline(
    file: str,
    *,
    levels: int,
    codebook: int,
    frames: int = 50,
    context_frames: int = 250,
    source: int = 1006,
) -> MagentaRT1Config:
    """A model of which only the tokens matter. Raises VectorError where they don't fit together."""
    context_levels, style_levels = divmod(source, context_frames)
    named = 2 + (levels + 1 + STYLE_LEVELS) * codebook
    try:
        return MagentaRT1Config(
            name="outline",
            width=2,
            hidden=1,
            heads=1,
            units=1,
            encoder_layers=1,
            temporal_layers=1,
            depth_layers=1,
            levels=levels,
            codebook=codebook,
            frames=frames,
            context_frames=context_frames,
            context_levels=context_levels,
            style_levels=style_levels,
            vocabulary=named,
        )
    except ValueError as error:
        raise VectorError(f"{file}: {error}") from None
