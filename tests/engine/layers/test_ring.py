# SPDX-License-Identifier: Apache-2.0
"""Rings: entries by frame, rows that are not due, going back, and writing in place."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from segue_engine.layers import ring


def test_visible_entries_are_exactly_the_window() -> None:
    length, window = ring.ring_length(5, 3), 5
    assert length == 9
    for frame in (0, 2, 5, 8, 9, 30):
        seen = np.flatnonzero(ring.visible(jnp.array([frame], jnp.int32), length, window)[0])
        wanted = sorted({past % length for past in range(max(0, frame - window), frame)})
        assert seen.tolist() == wanted


def test_ages_count_back_from_the_frame() -> None:
    age = np.asarray(ring.ages(jnp.array([20], jnp.int32), 9))[0]
    for back in range(1, 10):
        assert age[(20 - back) % 9] == back


@pytest.mark.parametrize("axis", [1, 2])
def test_write_touches_only_due_rows_and_one_entry(axis: int) -> None:
    rng = np.random.default_rng(0)
    shape = (3, 7, 4) if axis == 1 else (3, 4, 7)
    old = jnp.asarray(rng.normal(size=shape), jnp.float32)
    value = jnp.asarray(rng.normal(size=(3, 4)), jnp.float32)
    frame, due = jnp.array([3, 9, 13], jnp.int32), jnp.array([True, False, True])
    new = np.asarray(ring.write(old, value, frame, due, axis))
    wanted = np.array(old)
    for row in (0, 2):
        index = (row, int(frame[row]) % 7) if axis == 1 else (row, slice(None), int(frame[row]) % 7)
        wanted[index] = value[row]
    np.testing.assert_array_equal(new, wanted)
    np.testing.assert_array_equal(ring.read(jnp.asarray(new), frame, axis)[0], value[0])


def test_a_row_that_goes_back_finds_its_window() -> None:
    window, rewind = 4, 6
    length = ring.ring_length(window, rewind)
    entries = jnp.zeros((1, length))
    due = jnp.array([True])
    for frame in range(25):
        entries = ring.write(entries, jnp.array([float(frame)]), jnp.array([frame], jnp.int32), due)
    back = jnp.array([25 - rewind], jnp.int32)
    past, valid = ring.read_window(entries, back, window)
    np.testing.assert_array_equal(past[0], np.arange(25 - rewind - window, 25 - rewind))
    assert valid.all()
    entries = ring.write(entries, jnp.array([-1.0]), back, due)  # the frame itself, before its window is read
    np.testing.assert_array_equal(ring.read_window(entries, back, window)[0], past)
    assert not ring.read_window(entries, jnp.array([2], jnp.int32), window)[1][0, :2].any()


def test_donated_ring_is_written_in_place_even_when_read_afterwards() -> None:
    """A copy of the whole ring every step would cost more than the step."""

    def step(entries: jax.Array, value: jax.Array, frame: jax.Array, due: jax.Array) -> tuple[jax.Array, jax.Array]:
        entries = ring.write(entries, value, frame, due, axis=2)
        return entries, jnp.einsum("bnh,bnlh->bnl", value, entries)

    entries, value = jnp.zeros((4, 2, 300, 16)), jnp.ones((4, 2, 16))
    frame, due = jnp.arange(4, dtype=jnp.int32), jnp.ones(4, bool)
    text = jax.jit(step, donate_argnums=0).lower(entries, value, frame, due).compile().as_text()
    assert text is not None
    copies = [line for line in text.splitlines() if " copy(" in line and "f32[4,2,300,16]" in line.split(" copy(")[0]]
    assert not copies


def test_lengths_are_checked() -> None:
    with pytest.raises(ValueError, match="window >= 1"):
        ring.ring_length(0, 3)


def test_select_rows_keeps_bits() -> None:
    old, new = jnp.array([[np.nan, 1.0], [2.0, 3.0]]), jnp.array([[5.0, 6.0], [7.0, 8.0]])
    out = np.asarray(ring.select_rows(jnp.array([False, True]), new, old))
    np.testing.assert_array_equal(out, [[np.nan, 1.0], [7.0, 8.0]])
