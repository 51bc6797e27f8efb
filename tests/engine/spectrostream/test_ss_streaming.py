# SPDX-License-Identifier: Apache-2.0
"""The laws of a codec in a batch of slots."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from ss_tiny import LEVELS, WHOLE, Streamer, random_codes

from segue_engine.spectrostream import DecoderState

FRAMES = 5


def leaves(state: DecoderState) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def test_streaming_is_the_whole_one_frame_late(tiny: Streamer):
    codes = random_codes(0, 2, WHOLE, LEVELS)
    _, wave = tiny.stream(codes)
    np.testing.assert_array_equal(wave[:, :1920], 0.0)
    np.testing.assert_allclose(wave[:, 1920:], tiny.whole(tiny.codec.params, codes), atol=2e-5)


def test_a_row_is_bit_for_bit_the_same_among_any_neighbours(tiny: Streamer):
    own = random_codes(1, 1, FRAMES, LEVELS)
    quiet = np.concatenate([own, np.zeros((1, FRAMES, LEVELS), np.int32)])
    noisy = np.concatenate([own, random_codes(2, 1, FRAMES, LEVELS)])
    garbage = jax.tree.map(
        lambda leaf: leaf.at[1].set(float("nan")) if leaf.ndim > 1 else leaf, tiny.codec.init_state(2)
    )
    _, expected = tiny.stream(quiet)
    for codes, state in ((noisy, None), (noisy, garbage)):
        _, wave = tiny.stream(codes, state=state)
        np.testing.assert_array_equal(wave[0], expected[0])


def test_rows_that_are_not_due_are_untouched_and_miss_nothing(tiny: Streamer):
    codes = random_codes(3, 2, FRAMES, LEVELS)
    _, expected = tiny.stream(codes)
    state, first = tiny.stream(codes[:, :2])
    idle, _ = tiny.stream(random_codes(4, 2, 3, LEVELS), due=np.array([[True] * 3, [False] * 3]), state=state)
    for before, after in zip(leaves(state), leaves(idle), strict=True):
        np.testing.assert_array_equal(after[1], before[1])
        assert before.ndim == 1 or not np.array_equal(after[0], before[0])
    _, rest = tiny.stream(codes[:, 2:], state=idle)
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1)[1], expected[1])


def test_a_fresh_row_that_was_not_due_is_still_fresh(tiny: Streamer):
    codes = random_codes(5, 2, 2, LEVELS)
    _, wave = tiny.stream(codes, due=np.array([[False, True], [True, True]]))
    assert not wave[0, 1920:].any()
    assert wave[1, 1920:].any()


def test_a_reused_row_remembers_nothing(tiny: Streamer):
    codes = random_codes(6, 2, FRAMES, LEVELS)
    _, expected = tiny.stream(codes)
    used, _ = tiny.stream(random_codes(7, 2, FRAMES, LEVELS))
    fresh = tiny.codec.init_state(2)
    reused = jax.tree.map(lambda old, new: old.at[1].set(new[1]), used, fresh)
    _, wave = tiny.stream(codes, state=reused)
    np.testing.assert_array_equal(wave[1], expected[1])
    assert wave[0, :1920].any()  # the row that was not reset goes on


def test_fresh_state_is_zeros_with_the_row_axis_first(tiny: Streamer):
    for leaf in leaves(tiny.codec.init_state(3)):
        assert leaf.shape[0] == 3
        assert not leaf.any()


def test_one_frame_is_heard_no_earlier_than_the_published_delay(tiny: Streamer):
    assert tiny.codec.delay == 1
    codes = random_codes(9, 1, WHOLE, LEVELS).repeat(2, axis=0)
    codes[1, 2] = (codes[1, 2] + 1) % 40
    wave = np.asarray(tiny.whole(tiny.codec.params, codes))
    changed = np.flatnonzero(np.any(wave[0] != wave[1], axis=-1))
    assert 1920 <= changed[0] < 2 * 1920


def test_a_prefix_of_the_codes_is_what_the_whole_is_without_the_other_levels(tiny: Streamer):
    params, codes = tiny.codec.params, random_codes(10, 2, WHOLE, LEVELS)
    silenced = params._replace(codebooks=params.codebooks.at[3:].set(0.0))
    np.testing.assert_allclose(tiny.whole(params, codes[..., :3]), tiny.whole(silenced, codes), atol=1e-5)


def test_more_codes_than_levels_are_refused(tiny: Streamer):
    with pytest.raises(ValueError, match=r"levels: expected 1\.\.6, got 7"):
        tiny.codec.decode_whole(tiny.codec.params, random_codes(0, 1, 2, LEVELS + 1))


def test_memory_is_as_long_as_stated(tiny: Streamer):
    memory = tiny.codec.memory
    codes = random_codes(11, 2, memory + 12, LEVELS)
    codes[1, 12:] = codes[0, 12:]
    state, wave = tiny.stream(codes)
    np.testing.assert_array_equal(wave[0, -1920:], wave[1, -1920:])
    for leaf in leaves(state):
        if leaf.ndim > 1:
            np.testing.assert_array_equal(leaf[0], leaf[1])
    _, recent = tiny.stream(np.repeat(codes[:1, -memory:], 2, axis=0))
    np.testing.assert_allclose(recent[0, -1920:], wave[0, -1920:], atol=1e-6)
    codes[1, 14] = (codes[1, 14] + 1) % 40
    _, changed = tiny.stream(codes)
    assert not np.array_equal(changed[0, -3 * 1920 :], changed[1, -3 * 1920 :]), "and not much longer than needed"
