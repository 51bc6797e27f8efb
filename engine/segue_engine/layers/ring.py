# SPDX-License-Identifier: Apache-2.0
"""Rings: memory of the last frames, one entry per frame, addressed by `frame mod length`.

A row's frame counter is owned by the caller, so going back is counting down: with length = window + rewind + 1, a row
that has gone on for at most `rewind` frames still finds its whole window. What lies at or after `frame` is stale and
masked.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def ring_length(window: int, rewind: int) -> int:
    """Entries needed to look back `window` frames after going back `rewind` frames, and one for the frame itself.

    The spare entry lets a frame be written before its window is read, which is how XLA:CPU does without copying rings.
    """
    if window < 1 or rewind < 0:
        raise ValueError(f"ring: expected window >= 1 and rewind >= 0, got {window} and {rewind}")
    return window + rewind + 1


def write(ring: jax.Array, value: jax.Array, frame: jax.Array, due: jax.Array, axis: int = 1) -> jax.Array:
    """Ring [B, .., L at `axis`, ..] with entry `frame mod L` of due rows replaced by value [B, ..] (without L).

    frame int32[B], due bool[B]. Rows not due come out bit-identical; with a donated ring only the entries are touched.
    """
    length = ring.shape[axis]
    place = jnp.where(due, frame % length, length)  # out of range is dropped, so that other rows are not even written
    index = (jnp.arange(ring.shape[0]), *(slice(None),) * (axis - 1), place)
    return ring.at[index].set(value.astype(ring.dtype), mode="drop", unique_indices=True)


def write_many(ring: jax.Array, values: jax.Array, frame: jax.Array, count: jax.Array, axis: int = 1) -> jax.Array:
    """Ring [B, .., L at `axis`, ..] with the entries of frames `frame` .. `frame + count − 1` replaced by values
    [B, T, ..]; frame and count int32[B], count at most T. Of more than L frames the last L stay."""
    length, steps = ring.shape[axis], jnp.arange(values.shape[1], dtype=jnp.int32)
    kept = (steps < count[:, None]) & (steps >= count[:, None] - length)
    place = jnp.where(kept, (frame[:, None] + steps) % length, length)  # out of range is dropped
    index = (jnp.arange(ring.shape[0])[:, None], *(slice(None),) * (axis - 1), place)
    return ring.at[index].set(values.astype(ring.dtype), mode="drop")


def ages(frame: jax.Array, length: int) -> jax.Array:
    """How many frames before `frame` each entry was written: int32[B, L] in 1..L."""
    return (frame[:, None] - 1 - jnp.arange(length, dtype=jnp.int32)) % length + 1


def visible(frame: jax.Array, length: int, window: int) -> jax.Array:
    """bool[B, L]: entries of the `window` frames before `frame`, none from before frame 0."""
    age = ages(frame, length)
    return age <= jnp.minimum(window, frame[:, None])


def read(ring: jax.Array, frame: jax.Array, axis: int = 1) -> jax.Array:
    """Entry of frame int32[B] from ring [B, .., L, ..]: [B, ..]. The caller knows that the ring still holds it."""
    place = frame % ring.shape[axis]
    return ring[(jnp.arange(ring.shape[0]), *(slice(None),) * (axis - 1), place)]


def read_window(ring: jax.Array, frame: jax.Array, count: int, axis: int = 1) -> tuple[jax.Array, jax.Array]:
    """The `count` entries before `frame`, oldest first, [B, .., count, ..], and bool[B, count] of those since frame 0.

    Copies the window: worth it where the ring is much longer than the window.
    """
    length = ring.shape[axis]
    past = frame[:, None] - count + jnp.arange(count, dtype=jnp.int32)
    rows = [jnp.take(ring[r], past[r] % length, axis=axis - 1) for r in range(ring.shape[0])]
    return jnp.stack(rows), past >= 0


def write_all(rings: object, values: object, frame: jax.Array, due: jax.Array, axis: int = 1) -> object:
    """`write` for every leaf of two pytrees of one structure."""
    return jax.tree.map(lambda ring, value: write(ring, value, frame, due, axis), rings, values)


def select_rows(due: jax.Array, new: jax.Array, old: jax.Array) -> jax.Array:
    """new where the row is due, old bit for bit where it is not; [B, ..]."""
    return lax.select(jnp.broadcast_to(due.reshape(-1, *(1,) * (new.ndim - 1)), new.shape), new, old)
