# SPDX-License-Identifier: Apache-2.0
"""The sampler: distributions, filters per row, greedy rows, and keys that depend on (seed, frame, level) alone."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue_engine.layers.sampler import Filters, draw_gumbel, draw_inverse, filtered, frame_keys, kth_largest, uniforms

ROWS = 4000


def filters(count: int, temperature: float = 1.0, top_k: int = 0, min_p: float = 0.0) -> Filters:
    return Filters(
        jnp.full(count, temperature, jnp.float32),
        jnp.full(count, top_k, jnp.int32),
        jnp.full(count, min_p, jnp.float32),
    )


def keys(count: int) -> tuple[jax.Array, jax.Array]:
    return jnp.stack([jnp.arange(count, dtype=jnp.uint32), jnp.full(count, 9, jnp.uint32)], 1), jnp.zeros(
        count, jnp.int32
    )


def draws(way: str, logits: np.ndarray, by: Filters) -> np.ndarray:
    rows = jnp.broadcast_to(jnp.asarray(logits, jnp.float32), (ROWS, len(logits)))
    if way == "inverse":
        return np.asarray(jax.jit(draw_inverse)(rows, by, uniforms(*keys(ROWS), 1)[:, 0]))
    return np.asarray(jax.jit(draw_gumbel)(rows, by, frame_keys(*keys(ROWS), 1)[:, 0]))


@pytest.mark.parametrize("way", ["inverse", "gumbel"])
def test_draws_follow_the_tempered_distribution(way: str) -> None:
    logits = np.random.default_rng(0).normal(0, 1.5, 70)
    found = np.bincount(draws(way, logits, filters(ROWS, 0.7)), minlength=70) / ROWS
    wanted = np.exp(logits / 0.7 - np.logaddexp.reduce(logits / 0.7))
    assert np.abs(found - wanted).max() < 5 * np.sqrt(wanted.max() / ROWS)
    assert np.abs(found - wanted).sum() < 0.15


@pytest.mark.parametrize("way", ["inverse", "gumbel"])
def test_filters_remove_codes(way: str) -> None:
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.06, 0.04]))
    assert set(draws(way, logits, filters(ROWS, top_k=2))) == {0, 1}
    assert set(draws(way, logits, filters(ROWS, min_p=0.4))) == {0, 1, 2}
    assert set(draws(way, logits, filters(ROWS, temperature=0.0))) == {0}
    assert set(draws(way, logits, filters(ROWS))) == {0, 1, 2, 3, 4}


def test_each_row_has_its_own_filters() -> None:
    logits = jnp.log(jnp.array([[0.1, 0.2, 0.3, 0.4]] * 4))
    by = Filters(jnp.array([1.0, 1.0, 0.0, 1.0]), jnp.array([0, 2, 0, 0]), jnp.array([0.0, 0.0, 0.0, 0.6]))
    kept = np.isfinite(np.asarray(filtered(logits, by)))
    assert kept.tolist() == [[True] * 4, [False, False, True, True], [False] * 3 + [True], [False, False, True, True]]


def test_top_k_of_other_rows_changes_nothing() -> None:
    logits = jnp.asarray(np.random.default_rng(1).normal(size=(3, 50)), jnp.float32)
    none, some = filters(3), filters(3)._replace(top_k=jnp.array([0, 5, 0]))
    a, b = np.asarray(filtered(logits, none)), np.asarray(filtered(logits, some))
    np.testing.assert_array_equal(a[::2], b[::2])
    assert np.isfinite(b[1]).sum() == 5


@pytest.mark.parametrize("uniform", [0.0, 0.5, float(np.nextafter(np.float32(1), np.float32(0)))])
@pytest.mark.parametrize("size", [5, 32, 1024])
def test_inverse_never_draws_a_removed_code(uniform: float, size: int) -> None:
    rng = np.random.default_rng(size)
    logits = jnp.asarray(rng.normal(0, 8, (200, size)), jnp.float32)
    by = filters(200, min_p=0.05)
    codes = np.asarray(draw_inverse(logits, by, jnp.full(200, uniform)))
    assert np.isfinite(np.asarray(filtered(logits, by))[np.arange(200), codes]).all()


def test_uniforms_depend_on_seed_frame_and_level_alone() -> None:
    seed = jnp.array([[1, 2], [3, 4], [1, 2]], jnp.uint32)
    frame = jnp.array([7, 7, 8], jnp.int32)
    u = np.asarray(uniforms(seed, frame, 12))
    np.testing.assert_array_equal(u[1], np.asarray(uniforms(seed[1:2], frame[1:2], 12))[0])
    np.testing.assert_array_equal(u[:, :5], np.asarray(uniforms(seed, frame, 5)))
    assert len(np.unique(u)) == u.size
    assert ((u >= 0) & (u < 1)).all()


@settings(deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, width=32), min_size=24, max_size=24),
    st.integers(1, 24),
)
def test_kth_largest_is_exact(values: list[float], k: int) -> None:
    row = np.asarray(values, np.float32)
    rows = np.stack([row, row[::-1], -row])
    found = np.asarray(_kth(rows, np.full(3, k, np.int32)))
    np.testing.assert_array_equal(found, -np.sort(-rows, axis=1)[:, k - 1])


_kth = jax.jit(kth_largest)
