# SPDX-License-Identifier: Apache-2.0
"""The published rules: top-k and its ties, the end of a chunk, overlap and crossfade."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mrt1_tiny import TINY, draw_weights
from safetensors.numpy import load_file

from segue_engine.models.magenta_rt_1 import depth, load_params, published_decode, sampling
from segue_engine.models.magenta_rt_1.published_sampling import decode
from segue_engine.models.magenta_rt_1.weights import LOGITS

MRT2 = Path(__file__).parents[2] / "vectors" / "mrt2"
kth_largest = jax.jit(sampling.kth_largest)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=12, max_size=12), st.integers(1, 12))
def test_the_kth_largest_is_found_exactly(values, k):
    values = np.asarray(values, np.float32).reshape(1, -1)
    assert kth_largest(values, np.int32(k))[0] == np.sort(values[0])[-k]


def test_ties_with_the_last_of_the_top_k_are_kept():
    logits = jnp.asarray([[3.0, 1.0, 3.0, 2.0, 2.0, -1.0]])
    kept = sampling.kept(logits, jnp.float32(0.5), jnp.int32(3))
    np.testing.assert_array_equal(kept, [[6.0, -1e7, 6.0, 4.0, 4.0, -1e7]])
    np.testing.assert_array_equal(sampling.kept(logits, jnp.float32(1), jnp.int32(0)), logits)


def test_no_temperature_takes_the_best_of_all():
    logits = jnp.asarray([[0.0, 5.0, 4.9], [9.0, 1.0, 8.0]])
    drawn = sampling.draw(jax.random.key(0), logits, jnp.float32(1e-5), jnp.int32(1))
    np.testing.assert_array_equal(drawn.ids, [1, 0])
    np.testing.assert_array_equal(drawn.log_probabilities, [0, 0])


@cache
def decoder():
    flat = draw_weights(TINY, 0)
    params = load_params(TINY, flat)
    return flat, params, jax.jit(partial(decode, TINY))


def decoded(kernel=None, weight=2.0, temperature=1.0, top_k=0, steps=15, seed=0):
    flat, params, run = decoder()
    kernel = jnp.asarray(flat[LOGITS] if kernel is None else kernel)
    source = np.random.default_rng(1).integers(1, 72, (2, TINY.source_length)).astype(np.int32)
    key = jax.random.key(seed, impl="threefry2x32")
    how = np.float32(weight), np.float32(temperature), np.int32(top_k), np.int32(steps)
    return run(params._replace(depth=depth.unrestricted(params.depth, kernel)), source, key, *how)


def test_guided_rows_are_one_and_unguided_rows_are_two():
    guided, apart = decoded(), decoded(weight=0.0)
    np.testing.assert_array_equal(guided.ids[0], guided.ids[1])
    assert guided.scores[0] != guided.scores[1]
    assert not np.array_equal(apart.ids[0], apart.ids[1])
    assert (np.asarray(apart.scores) < 0).all()


def test_fewer_steps_leave_zeros():
    whole, part = decoded(), decoded(steps=7)
    np.testing.assert_array_equal(part.ids[:, :7], whole.ids[:, :7])
    assert not np.asarray(part.ids[:, 7:]).any()
    assert (np.asarray(part.scores) > np.asarray(whole.scores)).all()


def test_id_one_ends_a_chunk():
    runs = [np.asarray(decoded(temperature=4.0, weight=0.0, seed=seed).ids) for seed in range(40)]
    rows = [row for ids in runs for row in ids if (row == 1).any()]
    assert rows
    for row in rows:
        assert not row[np.argmax(row == 1) + 1 :].any()


@pytest.mark.parametrize("samples", [1, 40, 1920])
def test_a_steady_sound_comes_through_a_crossfade_within_its_ramps(samples):
    wave = np.ones((6 * samples, 2), np.float32)
    sound, tail = published_decode.crossfaded(wave, np.ones((samples, 2), np.float32))
    assert sound.shape == (5 * samples, 2)
    assert tail.shape == (samples, 2)
    assert (sound[samples:] == 1).all()
    assert np.abs(sound[: samples - 1]).max(initial=0) <= np.sqrt(2) + 1e-6


def shout(codes):
    return np.repeat(codes[:, :2], 4, axis=0).astype(np.float32)


def test_chunks_overlap_by_a_frame_and_the_state_is_not_changed_in_place():
    state = published_decode.fresh(TINY, samples=4)
    ids = np.random.default_rng(0).integers(2, 32, (2, TINY.frames * TINY.levels))
    first = published_decode.finish(TINY, state, ids[0], shout)
    second = published_decode.finish(TINY, first.state, ids[1], shout)
    assert not first.codes[0].any()
    np.testing.assert_array_equal(second.codes[0], first.codes[-1])
    np.testing.assert_array_equal(second.state.context, np.concatenate([first.codes, second.codes[1:]])[-6:])
    assert (state.context == -1).all()
    assert (state.chunk, first.state.chunk, second.state.chunk) == (0, 1, 2)
    assert first.sound.shape == (20, 2)
    np.testing.assert_array_equal(first.state.tail, shout(first.codes)[-4:])
    again = published_decode.finish(TINY, first.state, ids[1], shout)
    np.testing.assert_array_equal(again.sound, second.sound)


def test_what_the_encoder_reads_has_no_style_in_its_second_row():
    state = published_decode.fresh(TINY, samples=4)
    rows = published_decode.encoder_rows(TINY, state, np.array([1, 2, 3, 4], np.int32))
    assert (rows[:, :12] == 1).all()
    np.testing.assert_array_equal(rows[:, 12:], [[43, 54, 65], [1, 1, 1]])
    np.testing.assert_array_equal(published_decode.encoder_rows(TINY, state, None)[0], rows[1])


def test_the_real_codec_decodes_a_chunk_that_stands_alone():
    from segue_engine.spectrostream import SpectroStream, config_of_vectors, load_codebooks, load_decoder

    config = config_of_vectors(json.loads((MRT2 / "meta.json").read_text())["config"])
    flat = load_file(MRT2 / "tiny_weights.safetensors")
    flat = {key: value for key, value in flat.items() if key.startswith("params/soundstream/")}
    codec = SpectroStream(config, load_decoder(config, flat), load_codebooks(config, flat), levels=3)
    codes = np.random.default_rng(0).integers(0, config.codebook, (4, 3)).astype(np.int32)
    wave = published_decode.whole_decoder(codec)(codes)
    assert wave.shape == (4 * 1920, 2)
    assert np.isfinite(wave).all()
    assert np.abs(wave).max() > 0
