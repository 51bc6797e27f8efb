# SPDX-License-Identifier: Apache-2.0
"""The map between codes and token ids: one block of ids per level, styles in blocks of their own.

Whatever comes in leaves in range: an id outside of the table would read NaN, and NaN in the context is heard for ever.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import MASKED
from segue_engine.models.magenta_rt_1.config import MASK, RESERVED_IDS, MagentaRT1Config


def first_ids(config: MagentaRT1Config) -> NDArray[np.int32]:
    """int32[levels]: the id of each level's code 0."""
    return RESERVED_IDS + config.codebook * np.arange(config.levels, dtype=np.int32)


def code_ids(config: MagentaRT1Config, codes: jax.Array) -> jax.Array:
    """Codes int32[.., L] of a frame's first L levels, -1 where there is none → ids int32[.., L]."""
    return _ids(config, codes, RESERVED_IDS)


def style_ids(config: MagentaRT1Config, style_codes: jax.Array) -> jax.Array:
    """Style codes int32[.., >= style_levels], -1 masked → ids int32[.., style_levels]."""
    return _ids(config, style_codes[..., : config.style_levels], config.first_style_id)


def source_ids(config: MagentaRT1Config, context: jax.Array, style_codes: jax.Array) -> jax.Array:
    """What the encoder reads: context int32[B, context_frames, >= context_levels], oldest first, and style → [B, S]."""
    heard = code_ids(config, context[..., : config.context_levels])
    return jnp.concatenate([heard.reshape(heard.shape[0], -1), style_ids(config, style_codes)], axis=1)


def negative_ids(config: MagentaRT1Config, ids: jax.Array) -> jax.Array:
    """The source [B, S] that guidance leads away from: the same context, the style masked."""
    return ids.at[:, -config.style_levels :].set(MASK)


def folded_codes(config: MagentaRT1Config, ids: jax.Array) -> jax.Array:
    """Ids of any kind → codes, as published: max(id − 2, 0) mod codebook, whatever level the id belongs to."""
    return jnp.maximum(ids - RESERVED_IDS, 0) % config.codebook


def _ids(config: MagentaRT1Config, codes: jax.Array, first: int) -> jax.Array:
    starts = first + config.codebook * np.arange(codes.shape[-1], dtype=np.int32)
    known = jnp.clip(codes.astype(jnp.int32), 0, config.codebook - 1) + starts
    return jnp.where(codes <= MASKED, MASK, known)
