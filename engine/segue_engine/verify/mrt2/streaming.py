# SPDX-License-Identifier: Apache-2.0
"""The language model over given codes, one frame at a time as it is served: rings, start token, one row per session.

A session can stand alone in its batch or among strangers: rows with other conditioning, other codes, at other frames,
and not due every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.models.magenta_rt_2 import MagentaRT2Config, depth
from segue_engine.models.magenta_rt_2 import model as language_model
from segue_engine.models.magenta_rt_2.model import Advanced, Rings
from segue_engine.models.magenta_rt_2.parameters import DepthParams, ModelParams
from segue_engine.verify.mrt2.language import first_ids

Array = NDArray[Any]

LONGEST_SPAN: Final = 8


class Forced(NamedTuple):
    """Sessions with everything given: conditioning ids int32[B, T, 144] and codes int32[B, T, levels]."""

    ids: Array
    codes: Array


class Rows(NamedTuple):
    """One frame of a batch: ids [B, 144], codes [B, levels], frame [B], due [B]; `mine` are the rows that count."""

    ids: Array
    codes: Array
    frame: Array
    due: Array
    mine: Array


@cache
def _advance(config: MagentaRT2Config) -> Any:
    def step(
        params: ModelParams, rings: Rings, ids: jax.Array, codes: jax.Array, frame: jax.Array, due: jax.Array
    ) -> tuple[Rings, Advanced]:
        remembered, advanced = language_model.advance(config, params, rings, ids, frame, due)
        return language_model.remember(config, remembered, rings, codes, frame, due), advanced

    return jax.jit(step)


@cache
def _absorb(config: MagentaRT2Config) -> Any:
    return jax.jit(partial(language_model.absorb, config))


@cache
def _levels(config: MagentaRT2Config) -> Any:
    def levels(params: DepthParams, tokens: jax.Array, hidden: jax.Array, codes: jax.Array) -> jax.Array:
        raw: list[jax.Array] = []

        def draw(level: int, logits: jax.Array) -> jax.Array:
            raw.append(logits)
            return codes[:, level]

        depth.run(config, params, tokens, hidden, draw)
        return jnp.stack(raw, axis=1)

    return jax.jit(levels)


def alone(forced: Forced) -> Iterator[Rows]:
    """Only the given sessions, all at the same frame."""
    count, frames = forced.ids.shape[:2]
    for frame in range(frames):
        yield Rows(
            forced.ids[:, frame],
            forced.codes[:, frame],
            np.full(count, frame, np.int32),
            np.ones(count, bool),
            np.arange(count),
        )


def among_strangers(forced: Forced, config: MagentaRT2Config, seed: int = 0) -> Iterator[Rows]:
    """The given sessions in every second row; between and around them strangers, who rest every third frame."""
    count = forced.ids.shape[0]
    rng, mine = np.random.default_rng(seed), 2 * np.arange(count) + 1
    rows = 2 * count + 1
    for own in alone(forced):
        ids = rng.integers(6, 8, (rows, own.ids.shape[1]), np.int32)  # in range on every channel
        codes = rng.integers(0, config.codebook, (rows, own.codes.shape[1]), np.int32)
        frame = 5 + 3 * np.arange(rows, dtype=np.int32) + own.frame[0]
        due = (frame + np.arange(rows)) % 3 != 0
        ids[mine], codes[mine], frame[mine], due[mine] = own.ids, own.codes, own.frame, own.due
        yield Rows(ids, codes, frame, due, mine)


def stream(config: MagentaRT2Config, params: ModelParams, frames: Iterator[Rows]) -> Iterator[tuple[Rows, Advanced]]:
    """The temporal transformer over the frames; what it gave has all rows of the batch."""
    rings: Rings | None = None
    for rows in frames:
        if rings is None:
            rings = language_model.init_rings(config, len(rows.frame), rewind=2)
        rings, advanced = _advance(config)(params, rings, rows.ids, rows.codes, rows.frame, rows.due)
        yield rows, advanced


def spans(ids: Array, longest: int = LONGEST_SPAN) -> list[range]:
    """The frames of ids [B, T, 144] in order, in spans of one conditioning and at most `longest` frames."""
    found: list[range] = []
    for frame in range(ids.shape[1]):
        last = found[-1] if found else range(0)
        if last and len(last) < longest and np.array_equal(ids[:, frame], ids[:, frame - 1]):
            found[-1] = range(last.start, frame + 1)
        else:
            found.append(range(frame, frame + 1))
    return found


def prefilled(config: MagentaRT2Config, params: ModelParams, forced: Forced) -> Iterator[tuple[int, Array]]:
    """(frame, output [B, D]) of each span's last frame, the frames of the span before it taken in at once."""
    count = forced.ids.shape[0]
    rings, due = language_model.init_rings(config, count, rewind=0), np.ones(count, bool)
    for span in spans(forced.ids):
        ids, codes = forced.ids[:, span.start], forced.codes[:, span.start : span.stop - 1]
        taken = np.full(count, len(span) - 1, np.int32)
        padded = np.pad(codes, ((0, 0), (0, LONGEST_SPAN - 1 - codes.shape[1]), (0, 0)))
        rings = _absorb(config)(params, rings, ids, padded, np.full(count, span.start, np.int32), taken)
        last = np.full(count, span.stop - 1, np.int32)
        rings, advanced = _advance(config)(params, rings, ids, forced.codes[:, span.stop - 1], last, due)
        yield span.stop - 1, np.asarray(advanced.hidden).astype(np.float32)


def raw_logits(
    config: MagentaRT2Config, params: DepthParams, tokens: jax.Array, hidden: jax.Array, codes: Array
) -> jax.Array:
    """Logits [B, levels, n] before the cap, each level after the given codes [B, levels] of those before it."""
    logits: jax.Array = _levels(config)(params, tokens, hidden, codes)
    return logits


def capped(raw: jax.Array) -> jax.Array:
    """The logits that are drawn from."""
    return depth.cap(raw)


def own_columns(config: MagentaRT2Config, full: Array) -> Array:
    """[.., levels, ids] → [.., levels, codes]: of each level the columns of its own codes."""
    starts = first_ids(config)
    return np.stack([full[..., q, s : s + config.codebook] for q, s in enumerate(starts)], axis=-2)
