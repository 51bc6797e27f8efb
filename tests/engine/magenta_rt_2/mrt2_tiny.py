# SPDX-License-Identifier: Apache-2.0
"""A Magenta RT 2 small enough for tests: random weights in the published layout, behind a codec that hums its codes."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES, SAMPLE_RATE
from segue_engine.layers.ring import select_rows
from segue_engine.models.magenta_rt_2 import (
    Codec,
    MagentaRT2,
    MagentaRT2Config,
    StackConfig,
    load_params,
    published_shapes,
)

TINY = MagentaRT2Config(
    name="mrt2_tiny",
    encoder_width=24,
    temporal=StackConfig(layers=2, width=32, hidden=64, heads=2, units=12),
    depth=StackConfig(layers=2, width=20, hidden=48, heads=2, units=8),
    self_window=8,
    cross_window=8,
    levels=4,
    codebook=40,
    style_width=16,
)


def draw_weights(config: MagentaRT2Config, seed: int) -> dict[str, NDArray[np.float32]]:
    """Random tensors under the published keys; nothing is 0 or 1 by chance of its meaning."""
    rng = np.random.default_rng(seed)
    flat = {}
    for key, shape in sorted(published_shapes(config).items()):
        leaf, noise = key.rsplit("/", 1)[1], rng.standard_normal(shape, dtype=np.float32)
        if leaf == "scale":
            flat[key] = 1.0 + 0.2 * noise
        elif leaf == "bias":
            flat[key] = 0.1 * noise
        elif leaf == "per_dim_scale":
            flat[key] = 0.5 * noise
        elif leaf.startswith("sink_"):
            flat[key] = noise
        elif leaf == "embedding":
            flat[key] = noise / np.float32(np.sqrt(shape[-1]))
        else:
            fan_in = int(np.prod(shape[1:])) if "output_projection" in key else shape[0]
            flat[key] = noise / np.float32(np.sqrt(fan_in))
    return flat


class HumState(NamedTuple):
    """pending int32[B, levels]: the codes heard next, -1 before the first; phase float32[B, levels] in turns."""

    pending: jax.Array
    phase: jax.Array


class TestCodec:
    """Each level is a sine whose pitch is its code; phases go on across frames. Audio lags the codes by one frame."""

    __test__ = False
    version = "hum"
    delay = 1
    memory = None

    def __init__(self, levels: int, codebook: int) -> None:
        self._levels = levels
        level, code = np.meshgrid(np.arange(levels), np.arange(codebook), indexing="ij")
        self._turns = jnp.asarray(110.0 * 2.0 ** (level / 2 + code / codebook) / SAMPLE_RATE, jnp.float32)

    @property
    def params(self) -> jax.Array:
        return self._turns

    def init_state(self, rows: int) -> HumState:
        shape = (rows, self._levels)
        return HumState(jnp.full(shape, -1, jnp.int32), jnp.zeros(shape, jnp.float32))

    def decode(self, params: Any, state: HumState, codes: jax.Array, due: jax.Array) -> tuple[HumState, jax.Array]:
        level = jnp.arange(self._levels)
        turns = params[level, jnp.maximum(state.pending, 0)]
        loud = jnp.where(state.pending >= 0, 0.5 / self._levels, 0.0)
        time = jnp.arange(FRAME_SAMPLES, dtype=jnp.float32)
        angle = 2 * jnp.pi * (state.phase[:, None] + time[:, None] * turns[:, None])
        voices = loud[:, None] * jnp.sin(angle)
        pan = (level + 1) / (self._levels + 1)
        audio = jnp.stack([jnp.sum(voices * pan, -1), jnp.sum(voices * (1 - pan), -1)], axis=-1)
        phase = (state.phase + FRAME_SAMPLES * turns) % 1.0
        new = HumState(codes.astype(jnp.int32), jnp.where(state.pending >= 0, phase, 0.0))
        return HumState(*(select_rows(due, a, b) for a, b in zip(new, state, strict=True))), audio


def make_tiny_model(seed: int = 0, config: MagentaRT2Config = TINY, codec: Codec | None = None) -> MagentaRT2:
    """A fresh tiny model; the same seed gives the same weights. Without a codec it hums."""
    params = load_params(config, draw_weights(config, seed))
    hum = TestCodec(config.levels, config.codebook)
    return MagentaRT2(config, params, hum if codec is None else codec, fingerprint=f"seed{seed}")
