# SPDX-License-Identifier: Apache-2.0
"""TinyModel with an encoder: what it hears of past and style before a chunk is a hash, and its frames know no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tiny_model import LEVELS, Reference, TinyModel, _mix, frame_codes, sounded

from segue_engine.contract import Conditioning
from segue_engine.frame_model import StepRows

FRAMES = 7
CONTEXT = 4
HEARD = 3
PIECES = 2


class TinyEncoder:
    """Work is a hash uint32[1] that every piece stirs. The first pass hears the past, the second the style too."""

    frames = FRAMES
    interval = 1
    passes = (False, True)
    pieces = PIECES

    def heard(self, conditioning: Conditioning) -> tuple[int, ...]:
        return conditioning.style_codes[:HEARD]

    def begin(self, params: Any, rings: Any, row: Any, frame: Any, style_codes: Any, number: Any) -> Any:
        length = rings["codes"].shape[1]
        state = params["salt"]
        for back in range(CONTEXT, 0, -1):
            past = rings["codes"][row, (frame - back) % length].astype(jnp.uint32)
            for level in range(LEVELS):
                state = jnp.where(frame >= back, _mix(state, past[level]), state)
        for level in range(HEARD):
            state = _mix(state, jnp.where(number == 1, style_codes[level], -1).astype(jnp.uint32))
        return state[None]

    def go_on(self, params: Any, work: Any, piece: Any) -> Any:
        return _mix(work, piece.astype(jnp.uint32) + np.uint32(5))

    def finish(self, params: Any, work: Any) -> Any:
        return (work % np.uint32(9999)).astype(jnp.int32)

    def land(self, rings: Any, row: Any, result: Any, number: Any) -> Any:
        return rings | {"heard": rings["heard"].at[row, number].set(result[0])}


class TinyChunks(TinyModel):
    """In chunks of seven frames; a frame knows its place in the chunk."""

    name = "tiny, chunks"
    encoder = TinyEncoder()  # type: ignore[assignment]

    def init_rings(self, rows: int, rewind: int) -> Any:
        rings = super().init_rings(rows, rewind + CONTEXT + FRAMES)
        return rings | {"heard": jnp.zeros((rows, 2), jnp.int32)}

    def extra(self, rings: Any, rows: StepRows) -> jax.Array:
        return jnp.concatenate([rings["heard"], (rows.frame - rows.begun)[:, None]], axis=1)


def hear(codes: list[list[int]], style: Sequence[int], number: int) -> int:
    """What a pass on these codes comes to."""
    state = np.uint32(17)
    for past in codes[-CONTEXT:]:
        for level in range(LEVELS):
            state = _mix(state, np.uint32(past[level]))
    for code in style if number else [-1] * HEARD:
        state = _mix(state, np.uint32(code & 0xFFFFFFFF))
    for piece in range(PIECES):
        state = _mix(state, np.uint32(piece + 5))
    return int(state % np.uint32(9999))


def reference(seed: int, conditioning: Sequence[Conditioning], history: np.ndarray | None = None) -> Reference:
    """The run whose frame f is under conditioning[f], after `history`."""
    past = np.zeros((0, LEVELS), np.int64) if history is None else history
    codes = [list(map(int, row)) for row in past]
    begun, style, heard = 0, None, [0, 0]
    with np.errstate(over="ignore"):
        for frame, held in enumerate(conditioning):
            wanted = held.style_codes[:HEARD]
            if style is None or frame - begun >= FRAMES or wanted != style:
                begun, style = frame, wanted
                heard = [hear(codes, style, number) for number in range(2)]
            number = frame + len(past)
            codes.append(frame_codes(seed, number, codes, held, [*heard, frame - begun]))
        return sounded(codes, conditioning, past)
