# SPDX-License-Identifier: Apache-2.0
"""History taken in as one sequence leaves the rings that frame by frame leaves, in pieces of any length."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mrt2_tiny import TINY, make_tiny_model

from segue_engine.frame_model import StepRows
from segue_engine.models.magenta_rt_2 import MagentaRT2

ROWS, FRAMES, MOST = 3, 37, 16


@cache
def compiled() -> tuple[MagentaRT2, Any, Any]:
    model = make_tiny_model()
    return model, jax.jit(model.force), jax.jit(model.absorb)


def rows_at(frame: int, due: tuple[bool, ...] = (True, True, True)) -> StepRows:
    random = np.random.default_rng(5)
    return StepRows(
        due=jnp.asarray(due),
        frame=jnp.asarray([frame, frame + 4, frame], jnp.int32),
        seed=jnp.zeros((ROWS, 2), jnp.uint32),
        style_codes=jnp.asarray(random.integers(-1, 1024, (ROWS, 12)), jnp.int32),
        notes=jnp.asarray(random.integers(-1, 4, (ROWS, 128)), jnp.int8),
        drums=jnp.asarray([-1, 0, 1], jnp.int32),
        guidance=jnp.ones((ROWS, 3), jnp.float32),
        temperature=jnp.ones(ROWS, jnp.float32),
        top_k=jnp.zeros(ROWS, jnp.int32),
        min_p=jnp.zeros(ROWS, jnp.float32),
    )


def history() -> np.ndarray:
    return np.random.default_rng(9).integers(0, TINY.codebook, (ROWS, FRAMES, TINY.levels)).astype(np.int32)


def one_by_one(rings: Any, first: int, codes: np.ndarray) -> Any:
    model, force, _ = compiled()
    for i in range(codes.shape[1]):
        rings = force(model.params, rings, rows_at(first + i), jnp.asarray(codes[:, i]))
    return rings


def in_pieces(rings: Any, first: int, codes: np.ndarray, pieces: list[int]) -> Any:
    model, _, absorb = compiled()
    at = 0
    for piece in pieces:
        given = np.full((ROWS, MOST, TINY.levels), 7, np.int32)  # what lies past the count is not looked at
        given[:, :piece] = codes[:, at : at + piece]
        count = jnp.full(ROWS, piece, jnp.int32)
        rings = absorb(model.params, rings, rows_at(first + at), jnp.asarray(given), count)
        at += piece
    assert at == codes.shape[1]
    return rings


def assert_close(a: Any, b: Any) -> None:
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(np.asarray(x, np.float32), np.asarray(y, np.float32), atol=2e-5)


@pytest.mark.parametrize("rewind", [0, 5, 40])
@pytest.mark.parametrize("pieces", [[16, 16, 5], [1, 2, 16, 3, 15], [9, 9, 9, 9, 1]])
def test_pieces_leave_the_rings_of_frame_by_frame(rewind: int, pieces: list[int]) -> None:
    model, force, _ = compiled()
    codes = history()
    # Row 1 has generated four frames before.
    fresh = model.init_rings(ROWS, rewind)
    for i in range(4):
        rows = rows_at(0, (False, True, False))._replace(frame=jnp.full(ROWS, i, jnp.int32))
        fresh = force(model.params, fresh, rows, jnp.full((ROWS, TINY.levels), i, jnp.int32))
    assert_close(in_pieces(fresh, 0, codes, pieces), one_by_one(fresh, 0, codes))


def test_rows_take_in_as_many_as_they_are_told() -> None:
    model, _, absorb = compiled()
    codes = history()[:, :MOST]
    fresh = model.init_rings(ROWS, 5)
    before = one_by_one(fresh, 0, history()[:, MOST : MOST + 3])
    told = absorb(
        model.params, before, rows_at(3, (True, False, True)), jnp.asarray(codes), jnp.asarray([2, 9, 0], jnp.int32)
    )
    for leaf, old in zip(jax.tree.leaves(told), jax.tree.leaves(before), strict=True):
        assert np.asarray(leaf)[1:].tobytes() == np.asarray(old)[1:].tobytes(), "not due, and a count of 0"
    whole = one_by_one(before, 3, codes[:, :2])
    assert_close(jax.tree.map(lambda leaf: leaf[:1], told), jax.tree.map(lambda leaf: leaf[:1], whole))
