# SPDX-License-Identifier: Apache-2.0
"""Who plays under evaluation: the composer, or a frame model that is stepped in batches of streams.

Both are given the same style trajectories and drum flags and give back tokens; nothing else of them is known here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import MASKED, NOTES, Sampling
from segue_engine.frame_model import FrameModel, StepRows
from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import Composer
from segue_engine.styles.rvq import ResidualQuantiser

Advance = Callable[[int], None]
"""Told how many frames have been made since the last call."""

REFRESH_FRAMES: Final = 5
"""Style codes follow a fade at most this often, as in the service."""
_JUMP_COSINE: Final = 0.99
_SEED_STRIDE: Final = 0x9E37_79B9_7F4A_7C15


class Performer(Protocol):
    """Plays n pieces of T frames. The same arguments give the same tokens."""

    @property
    def name(self) -> str: ...

    def perform(
        self,
        styles: NDArray[np.float32],
        drums_flag: NDArray[np.int8],
        seeds: NDArray[np.int64],
        advance: Advance | None = None,
    ) -> NDArray[np.int16]:
        """styles f32[n, T, 34], drums_flag i8[n, T] (-1 free, 0 off, 1 on), seeds i64[n] → tokens int16[n, T, 12]."""
        ...


class ComposerPerformer:
    """The composer without augmentation: what the model is meant to learn."""

    name: str = "composer"

    def perform(
        self,
        styles: NDArray[np.float32],
        drums_flag: NDArray[np.int8],
        seeds: NDArray[np.int64],
        advance: Advance | None = None,
    ) -> NDArray[np.int16]:
        check_trajectories(styles, drums_flag, seeds)
        pieces, frames, _ = styles.shape
        out = np.empty((pieces, frames, tk.LEVELS), np.int16)
        for i in range(pieces):
            out[i] = Composer(int(seeds[i])).run(styles[i], drums_flag[i])
            if advance is not None:
                advance(frames)
        return out


@dataclass(frozen=True)
class Draw:
    """How a model's codes are drawn: None leaves a setting to the model's default; guidance 1 is plain sampling."""

    temperature: float | None = None
    min_p: float | None = None
    guidance: float = 1.0

    def __post_init__(self) -> None:
        Sampling(temperature=self.temperature, min_p=self.min_p).validate()
        if not -1.0 <= self.guidance <= 7.0:
            raise ValueError(f"guidance: expected -1..7, got {self.guidance}")


class ModelPerformer:
    """A frame model, `rows` streams at a time, `chunk` frames per compiled call; rows left over play along unheard."""

    def __init__(
        self,
        model: FrameModel,
        quantiser: ResidualQuantiser,
        name: str = "model",
        draw: Draw = Draw(),
        rows: int = 16,
        chunk: int = 125,
    ) -> None:
        if model.levels != tk.LEVELS:
            raise ValueError(f"model {model.name}: expected {tk.LEVELS} levels, got {model.levels}")
        if rows < 1 or chunk < 1:
            raise ValueError(f"expected rows >= 1 and chunk >= 1, got {rows} and {chunk}")
        self.name = name
        self._model, self._quantiser, self._draw = model, quantiser, draw
        self._rows, self._chunk = rows, chunk
        guided = draw.guidance != 1.0 and model.two_pass_guidance
        self._run = jax.jit(partial(_play, model, guided), donate_argnums=1)

    def perform(
        self,
        styles: NDArray[np.float32],
        drums_flag: NDArray[np.int8],
        seeds: NDArray[np.int64],
        advance: Advance | None = None,
    ) -> NDArray[np.int16]:
        check_trajectories(styles, drums_flag, seeds)
        out = np.empty((*styles.shape[:2], tk.LEVELS), np.int16)
        for first in range(0, len(styles), self._rows):
            part = slice(first, min(first + self._rows, len(styles)))
            self._perform_rows(styles[part], drums_flag[part], seeds[part], out[part], advance)
        return out

    def _perform_rows(
        self,
        styles: NDArray[np.float32],
        flags: NDArray[np.int8],
        seeds: NDArray[np.int64],
        out: NDArray[np.int16],
        advance: Advance | None,
    ) -> None:
        count, frames = flags.shape
        padded = -(-frames // self._chunk) * self._chunk
        codes = np.zeros((padded, self._rows, self._quantiser.codebooks.shape[0]), np.int32)
        codes[:frames, :count] = np.stack([style_codes(self._quantiser, s) for s in styles], axis=1)
        drums = np.full((padded, self._rows), MASKED, np.int32)
        drums[:frames, :count] = flags.T
        due = np.zeros((padded, self._rows), np.bool_)
        due[:frames, :count] = True
        rings = self._model.init_rings(self._rows, 0)
        fixed = self._fixed(seeds)
        for begin in range(0, frames, self._chunk):
            span = slice(begin, begin + self._chunk)
            moving = (jnp.asarray(due[span]), jnp.arange(begin, begin + self._chunk, dtype=jnp.int32),
                      jnp.asarray(codes[span]), jnp.asarray(drums[span]))  # fmt: skip
            rings, made = self._run(self._model.params, rings, fixed, moving)
            took = min(self._chunk, frames - begin)
            out[:, begin : begin + took] = np.asarray(made).swapaxes(0, 1)[:count, :took]
            if advance is not None:
                advance(took * count)

    def _fixed(self, seeds: NDArray[np.int64]) -> dict[str, jax.Array]:
        """Inputs that stay the same for all frames of a piece; seeds are split as the slot engine splits them."""
        rows, draw, default = self._rows, self._draw, self._model.default_sampling
        words = np.zeros((rows, 2), np.uint32)
        wide = seeds.astype(np.uint64)
        words[: len(seeds), 0] = wide >> np.uint64(32)
        words[: len(seeds), 1] = wide & np.uint64(0xFFFF_FFFF)

        def full(value: float, kind: Any) -> jax.Array:
            return jnp.full((rows,), value, kind)

        return {
            "seed": jnp.asarray(words),
            "notes": jnp.full((rows, NOTES), MASKED, jnp.int8),
            "guidance": jnp.asarray(np.tile(np.array([draw.guidance, 1.0, 1.0], np.float32), (rows, 1))),
            "temperature": full(_first(draw.temperature, default.temperature, 1.0), jnp.float32),
            "top_k": full(_first(default.top_k, 0), jnp.int32),
            "min_p": full(_first(draw.min_p, default.min_p, 0.0), jnp.float32),
        }


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _play(
    model: FrameModel, guided: bool, params: Any, rings: Any, fixed: dict[str, jax.Array], moving: tuple[jax.Array, ...]
) -> tuple[Any, jax.Array]:
    """One chunk: rings and codes int16[chunk, rows, 12]."""

    def frame(carry: Any, inputs: tuple[jax.Array, ...]) -> tuple[Any, jax.Array]:
        due, index, codes, drums = inputs
        rows = StepRows(due=due, frame=jnp.broadcast_to(index, due.shape), style_codes=codes, drums=drums, **fixed)
        after, made = model.step(params, carry, rows, guided=guided)
        return after, made.astype(jnp.int16)

    return jax.lax.scan(frame, rings, moving)


def style_codes(quantiser: ResidualQuantiser, style: NDArray[np.float32]) -> NDArray[np.int32]:
    """Codes i32[T, 12] of a trajectory f32[T, 34]: at once after a jump, else every 5 frames while it moves."""
    unit = style / np.maximum(np.linalg.norm(style, axis=1, keepdims=True), 1e-6)
    time = np.arange(len(unit))
    jumps = np.einsum("td,td->t", unit[1:], unit[:-1]) < _JUMP_COSINE
    fresh = (time % REFRESH_FRAMES == 0) | np.concatenate([[True], jumps])
    distinct, which = np.unique(unit[np.maximum.accumulate(np.where(fresh, time, 0))], axis=0, return_inverse=True)
    return quantiser.encode(distinct)[which.reshape(-1)]


def constant(style: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """A trajectory f32[..., frames, 34] that stays at the styles f32[..., 34]."""
    return np.repeat(style[..., None, :], frames, axis=-2)


def free_flags(pieces: int, frames: int) -> NDArray[np.int8]:
    """Drum flags i8[pieces, frames] that leave everything to the player."""
    return np.full((pieces, frames), -1, np.int8)


def piece_seeds(seed: int, stage: int, pieces: int) -> NDArray[np.int64]:
    """Seeds i64[pieces] of a stage's pieces: distinct, not negative, and the same for every performer."""
    start = (seed * 1_000_003 + stage * 7_919 + 1) % (1 << 32)
    steps = [((start + i) * _SEED_STRIDE) % (1 << 63) for i in range(pieces)]
    return np.array(steps, np.int64)


def check_trajectories(styles: NDArray[np.float32], flags: NDArray[np.int8], seeds: NDArray[np.int64]) -> None:
    """Raises ValueError naming the argument whose shape does not fit."""
    if styles.ndim != 3 or styles.shape[2] != 34 or not styles.shape[1]:
        raise ValueError(f"styles: expected [n, T >= 1, 34], got {list(styles.shape)}")
    if flags.shape != styles.shape[:2]:
        raise ValueError(f"drums_flag: expected {list(styles.shape[:2])}, got {list(flags.shape)}")
    if seeds.shape != styles.shape[:1]:
        raise ValueError(f"seeds: expected [{len(styles)}], got {list(seeds.shape)}")
