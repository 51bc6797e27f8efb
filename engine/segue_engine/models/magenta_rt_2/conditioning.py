# SPDX-License-Identifier: Apache-2.0
"""The contract's conditioning as Magenta RT 2 reads it: 144 integer channels a frame.

Channels: 12 style codes, 128 notes, drums, then guidance as *tokens*: style and notes in steps of 0.2, drums in steps
of 1. Guidance costs no second pass. Every id is brought into its table on the device, whatever came in: an id outside
of the table would read NaN, and NaN in a key ring is heard for a whole window.
"""

from __future__ import annotations

from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import DRUMS_ON, MASKED, NOTE_ON, NOTES, STYLE_LEVELS
from segue_engine.models.magenta_rt_2.config import MagentaRT2Config

ID_OFFSET: Final = 7
"""Added to every channel's value, so that masked (-1) becomes id 6; ids 0..5 are reserved."""

CHANNELS: Final = STYLE_LEVELS + NOTES + 4
REGULAR_CHANNELS: Final = CHANNELS - STYLE_LEVELS

NOTE_ROWS: Final = 11
DRUM_ROWS: Final = 9
FINE_GUIDANCE_ROWS: Final = 47
DRUM_GUIDANCE_ROWS: Final = 15
REGULAR_ROWS: Final = 1536
"""NOTES · 11 + 9 + 47 + 47 + 15 = 1526, rounded up to a multiple of 128."""

MIN_SCALE: Final = -1.0
MAX_SCALE: Final = 7.0


def style_rows(config: MagentaRT2Config) -> int:
    """Table rows per style level: the codes, six reserved ids and the mask."""
    return config.style_codebook + ID_OFFSET


def regular_offsets() -> NDArray[np.int32]:
    """int32[132]: first table row of each channel after the style codes.

    The guidance channels have no row for the mask, yet their values are offset like all others, so a top bin reads the
    first row of the next block. The published model was trained so; the table's padding makes it harmless.
    """
    sizes = [NOTE_ROWS] * NOTES + [DRUM_ROWS, FINE_GUIDANCE_ROWS, FINE_GUIDANCE_ROWS, DRUM_GUIDANCE_ROWS]
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)


def scale_to_bin(scale: float, step: float) -> int:
    """Published rule on the host: bin = round_half_even((scale + 1) / step) in float64, scale clamped to -1..7."""
    return round((min(max(scale, MIN_SCALE), MAX_SCALE) - MIN_SCALE) / step)


def bin_thresholds(step: float) -> NDArray[np.float32]:
    """The float32 scale from which on each bin 1, 2, … applies, so that bin = how many thresholds are reached.

    Halfway scales such as 0.1 are what people type, and float64 rounds their quotients up or down case by case; a
    float32 division on the device would not agree. Thresholds do, exactly, for every decimal scale.
    """
    top = scale_to_bin(MAX_SCALE, step)
    thresholds = []
    for index in range(1, top + 1):
        halfway = round(MIN_SCALE + step * (index - 0.5), 6)
        at = np.float32(halfway)
        thresholds.append(at if scale_to_bin(halfway, step) >= index else np.nextafter(at, np.float32(np.inf)))
    return np.asarray(thresholds, np.float32)


_FINE: Final = bin_thresholds(0.2)
_COARSE: Final = bin_thresholds(1.0)


def conditioning_ids(
    config: MagentaRT2Config, style_codes: jax.Array, notes: jax.Array, drums: jax.Array, guidance: jax.Array
) -> jax.Array:
    """style_codes int32[B, 12], notes int8[B, 128], drums int32[B], guidance float32[B, 3] → ids int32[B, 144].

    Values out of range are clamped, NaN guidance counts as the lowest; levels past `style_levels_used` are masked.
    """
    style = jnp.clip(style_codes.astype(jnp.int32), MASKED, config.style_codebook - 1)
    heard = np.arange(STYLE_LEVELS) < config.style_levels_used
    style = jnp.where(heard, style, MASKED)
    values = jnp.concatenate(
        [
            style,
            jnp.clip(notes.astype(jnp.int32), MASKED, NOTE_ON),
            jnp.clip(drums.astype(jnp.int32), MASKED, DRUMS_ON)[:, None],
            _bins(guidance[:, 0:2], _FINE),
            _bins(guidance[:, 2:3], _COARSE),
        ],
        axis=1,
    )
    return values + ID_OFFSET


def _bins(scales: jax.Array, thresholds: NDArray[np.float32]) -> jax.Array:
    return jnp.sum(scales[..., None] >= thresholds, axis=-1, dtype=jnp.int32)
