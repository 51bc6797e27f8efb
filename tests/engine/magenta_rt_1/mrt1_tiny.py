# SPDX-License-Identifier: Apache-2.0
"""A Magenta RT 1 small enough for tests: random weights in the published layout, heads wider than the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_1 import MagentaRT1, MagentaRT1Config, load_params, published_shapes

TINY = MagentaRT1Config(
    name="mrt1_tiny",
    width=12,
    hidden=20,
    heads=2,
    units=8,
    encoder_layers=3,
    temporal_layers=2,
    depth_layers=2,
    levels=3,
    codebook=10,
    frames=5,
    context_frames=6,
    context_levels=2,
    style_levels=3,
    vocabulary=128,
    bias_buckets=6,
    bias_distance=8,
)


def draw_weights(config: MagentaRT1Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Random tensors under the published keys; nothing is 0 or 1 by chance of its meaning."""
    rng = np.random.default_rng(seed)
    flat = {}
    for key, shape in sorted(published_shapes(config).items()):
        leaf, noise = key.rsplit("/", 1)[1], rng.standard_normal(shape, dtype=np.float32)
        if leaf == "scale":
            flat[key] = 1.0 + 0.2 * noise
        elif leaf == "kernel":
            flat[key] = noise / np.float32(np.sqrt(shape[0]))
        else:
            flat[key] = noise
    return flat


def random_context(config: MagentaRT1Config, seed: int, rows: int, missing: int = 0) -> tuple[Any, Any]:
    """Codes int32[rows, context_frames, levels], the oldest `missing` frames empty, and style codes int32[rows, 12]."""
    rng = np.random.default_rng(seed)
    context = rng.integers(0, config.codebook, (rows, config.context_frames, config.levels), np.int32)
    context[:, :missing] = -1
    return context, rng.integers(0, config.codebook, (rows, 12), np.int32)


def make_tiny_model(codec: Any, seed: int = 5) -> MagentaRT1:
    """The tiny model behind codec(levels, codebook)."""
    params = load_params(TINY, draw_weights(TINY, seed))
    return MagentaRT1(TINY, params, codec(TINY.levels, TINY.codebook), "0" * 8)
