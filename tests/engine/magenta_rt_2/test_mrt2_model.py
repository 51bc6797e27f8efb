# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mrt2_reference import whole_sequence
from mrt2_tiny import TINY, draw_weights, make_tiny_model

from segue_engine.contract import Guidance, Sampling
from segue_engine.frame_model import FrameModel, StepRows
from segue_engine.models.magenta_rt_2 import depth, load_params, temporal
from segue_engine.models.magenta_rt_2.blocks import embed
from segue_engine.models.magenta_rt_2.conditioning import conditioning_ids
from segue_engine.models.magenta_rt_2.encoder import encode

FRAMES = 30  # more than three windows of 8, so that every ring turns
ROWS, REWIND = 4, 4  # one size nearly everywhere: compiling is what takes time here


@cache
def compiled():
    model = make_tiny_model(0)
    return model, jax.jit(model.step, static_argnames="guided"), jax.jit(model.force), jax.jit(model.decode)


def random_rows(frame, seed=0, temperature=1.0, top_k=0, count=ROWS):
    """Rows with all kinds of conditioning, the same for the same (seed, frame)."""
    rng = np.random.default_rng([seed, frame])
    return StepRows(
        due=jnp.ones(count, bool),
        frame=jnp.full(count, frame, jnp.int32),
        seed=jnp.asarray(np.random.default_rng(seed).integers(0, 2**32, (count, 2), np.uint32)),
        style_codes=jnp.asarray(rng.integers(-1, 1024, (count, 12)), jnp.int32),
        notes=jnp.asarray(rng.integers(-1, 4, (count, 128)), jnp.int8),
        drums=jnp.asarray(rng.integers(-1, 2, count), jnp.int32),
        guidance=jnp.asarray(rng.uniform(-1, 7, (count, 3)), jnp.float32),
        temperature=jnp.full(count, temperature, jnp.float32),
        top_k=jnp.full(count, top_k, jnp.int32),
        min_p=jnp.zeros(count, jnp.float32),
        begun=jnp.zeros(count, jnp.int32),
    )


def take(tree, index):
    return jax.tree.map(lambda leaf: leaf[jnp.asarray(index)], tree)


def ids_of(rows):
    return conditioning_ids(TINY, rows.style_codes, rows.notes, rows.drums, rows.guidance)


def first_codes(settings, params=None, draws=160):
    """Codes int[draws, rows] of a first frame's first level: one conditioning, `settings` per row, a seed per draw."""
    model, step, _, _ = compiled()
    rows = jax.tree.map(lambda leaf: jnp.repeat(leaf[:1], ROWS, axis=0), random_rows(0))._replace(**settings)
    rng, rings = np.random.default_rng(0), model.init_rings(ROWS, REWIND)
    drawn = []
    for _ in range(draws):
        seeded = rows._replace(seed=jnp.asarray(rng.integers(0, 2**32, (ROWS, 2), np.uint32)))
        drawn.append(step(params or model.params, rings, seeded, guided=False)[1][:, 0])
    return np.stack(drawn)


def same(left, right):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("rewind", [0, 30], ids=["tight ring", "window copied out"])
def test_frame_by_frame_equals_the_whole_sequence(rewind):
    flat, rows = draw_weights(TINY, 5), 2
    params = load_params(TINY, flat)
    codes = np.random.default_rng(1).integers(0, TINY.codebook, (rows, FRAMES, TINY.levels))

    @jax.jit
    def step(rings, last, ids, frame, forced):
        x = jnp.mean(embed(params.tokens, last), axis=1)
        source = encode(TINY, params.encoder, ids)
        at, due = jnp.full(rows, frame), jnp.ones(rows, bool)
        rings, out = temporal.step(TINY, params.temporal, rings, x, source, at, due)
        logits = []

        def draw(level, own):
            logits.append(own)
            return forced[:, level]

        depth.generate(TINY, params.depth, params.tokens, out, draw)
        return rings, out, jnp.stack(logits, axis=1)

    rings, last = temporal.init_rings(TINY, rows, rewind), jnp.zeros((rows, TINY.levels), jnp.int32)
    all_ids, outs, logits = [], [], []
    for frame in range(FRAMES):
        ids = ids_of(random_rows(frame, count=rows))
        rings, out, own = step(rings, last, ids, frame, jnp.asarray(codes[:, frame]))
        last = depth.token_ids(TINY, jnp.asarray(codes[:, frame]))
        all_ids.append(ids)
        outs.append(out)
        logits.append(own)
    for row in range(rows):
        ids = np.stack([np.asarray(i[row]) for i in all_ids])
        _, wanted_out, wanted_logits = whole_sequence(TINY, flat, ids, codes[row])
        np.testing.assert_allclose(np.stack([o[row] for o in outs]), wanted_out, atol=5e-5)
        np.testing.assert_allclose(np.stack([o[row] for o in logits]), wanted_logits, atol=5e-5)


def test_greedy_codes_are_the_best_of_the_whole_sequence():
    model, step, _, _ = compiled()
    rings, codes, ids = model.init_rings(ROWS, REWIND), [], []
    for frame in range(12):
        rows = random_rows(frame, temperature=0.0, top_k=40)
        rings, made = step(model.params, rings, rows, guided=False)
        codes.append(np.asarray(made[0]))
        ids.append(np.asarray(ids_of(rows)[0]))
    _, _, logits = whole_sequence(TINY, draw_weights(TINY, 0), np.stack(ids), np.stack(codes))
    np.testing.assert_array_equal(np.argmax(logits, axis=-1), np.stack(codes))


def test_forcing_what_was_generated_leaves_the_same_rings():
    model, step, force, _ = compiled()
    generated = forced = model.init_rings(ROWS, REWIND)
    for frame in range(11):
        rows = random_rows(frame)
        generated, codes = step(model.params, generated, rows, guided=False)
        forced = force(model.params, forced, rows, codes)
    for a, b in zip(jax.tree.leaves(generated), jax.tree.leaves(forced), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)
    same(generated.codes, forced.codes)


def test_rows_are_not_a_function_of_their_neighbours():
    model, step, _, _ = compiled()
    one, two = model.init_rings(ROWS, REWIND), model.init_rings(ROWS, REWIND)
    for frame in range(14):
        mine, theirs = random_rows(frame, seed=1), random_rows(frame, seed=2, temperature=3.0)
        keep = jnp.arange(ROWS) == 2
        mixed = jax.tree.map(lambda a, b: jnp.where(keep.reshape(-1, *[1] * (a.ndim - 1)), a, b), mine, theirs)  # noqa: B023
        one, codes = step(model.params, one, mine, guided=False)
        two, others = step(model.params, two, mixed, guided=False)
        same(codes[2], others[2])
        assert not np.array_equal(codes[0], others[0])
    same(take(one, [2]), take(two, [2]))


def test_alone_agrees_with_the_batch_within_rounding():
    model, _, force, _ = compiled()
    batch, alone = model.init_rings(ROWS, REWIND), model.init_rings(1, REWIND)
    codes = np.random.default_rng(0).integers(0, TINY.codebook, (14, ROWS, TINY.levels))
    for frame in range(14):
        rows = random_rows(frame)
        batch = force(model.params, batch, rows, jnp.asarray(codes[frame]))
        alone = force(model.params, alone, take(rows, [3]), jnp.asarray(codes[frame, 3:4]))
    for a, b in zip(jax.tree.leaves(take(batch, [3])), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)


def test_rows_not_due_come_out_bit_identical():
    model, step, force, decode = compiled()
    rings, codec = model.init_rings(ROWS, REWIND), model.init_codec(ROWS)
    for frame in range(10):
        rings, codes = step(model.params, rings, random_rows(frame), guided=False)
        codec, _ = decode(model.params, codec, codes, jnp.ones(ROWS, bool))
    due = jnp.asarray([True, False, True, True])
    rows = random_rows(10)._replace(due=due)
    after, codes = step(model.params, rings, rows, guided=False)
    same(take(after, [1]), take(rings, [1]))
    assert not np.array_equal(after.temporal.own[0].keys[0], rings.temporal.own[0].keys[0])
    same(take(force(model.params, rings, rows, codes), [1]), take(rings, [1]))
    after_codec, _ = decode(model.params, codec, codes, due)
    same(take(after_codec, [1]), take(codec, [1]))
    assert not np.array_equal(after_codec.phase[2], codec.phase[2])


@pytest.mark.parametrize("rewind", [REWIND, 40], ids=["ring", "window copied out"])
def test_counting_back_and_going_on_gives_the_same_bits(rewind):
    model, _, force, _ = compiled()
    codes = jnp.asarray(np.random.default_rng(0).integers(0, TINY.codebook, (20, ROWS, TINY.levels)))

    def go_on(rings, first, seed):
        remembered = []
        for frame in range(first, 20):
            rings = force(model.params, rings, random_rows(frame, seed), codes[frame])
            past = rings.temporal.own[-1].values  # of the last block: a function of all that is remembered
            remembered.append(past[:, :, frame % past.shape[2]])
        return rings, np.stack(remembered)

    rings, history = go_on(model.init_rings(ROWS, rewind), 0, seed=0)
    rings, other_take = go_on(rings, 20 - REWIND, seed=9)
    assert not np.array_equal(other_take[-1], history[-1])
    _, again = go_on(rings, 20 - REWIND, seed=0)
    np.testing.assert_array_equal(again, history[-REWIND:])


def test_a_fresh_row_does_not_see_what_its_ring_held():
    model, step, _, _ = compiled()
    fresh, used = model.init_rings(ROWS, REWIND), model.init_rings(ROWS, REWIND)
    for frame in range(25):
        used, _ = step(model.params, used, random_rows(frame, seed=4), guided=False)
    for frame in range(12):
        rows = random_rows(frame)
        fresh, codes = step(model.params, fresh, rows, guided=False)
        used, again = step(model.params, used, rows, guided=False)
        same(codes, again)


def test_each_row_draws_by_its_own_settings():
    settings = {"temperature": jnp.asarray([0.0, 1.5, 1.5, 0.2]), "top_k": jnp.asarray([0, 2, 0, 0], jnp.int32)}
    greedy, two, free, cool = (set(drawn.tolist()) for drawn in first_codes(settings).T)
    assert len(greedy) == 1
    assert greedy < two
    assert len(two) == 2
    assert len(free) > 2 * len(cool)


def test_a_code_that_ties_with_the_last_of_the_top_k_is_kept():
    flat = draw_weights(TINY, 0)
    key = "params/depthformer/decoder/depth_body/to_logits/"
    flat[key + "kernel"] = np.zeros_like(flat[key + "kernel"])
    bias = np.zeros_like(flat[key + "bias"])
    bias[6:46:4] = 3.0  # ten codes of the first level tie for the best
    flat[key + "bias"] = bias
    params = make_tiny_model(0).params._replace(language=load_params(TINY, flat))
    drawn = first_codes({"top_k": jnp.full(ROWS, 3, jnp.int32)}, params, draws=50)
    assert set(drawn.ravel().tolist()) == set(range(0, 40, 4))


def test_same_seed_and_frame_draw_the_same_and_others_do_not():
    model, step, _, _ = compiled()
    rows = jax.tree.map(lambda leaf: jnp.repeat(leaf[:1], ROWS, axis=0), random_rows(0, temperature=2.0))
    rings = model.init_rings(ROWS, REWIND)
    _, codes = step(model.params, rings, rows, guided=False)
    same(codes[0], codes[1])
    _, codes = step(model.params, rings, rows._replace(seed=rows.seed.at[1, 0].add(1)), guided=False)
    assert not np.array_equal(codes[0], codes[1])


def test_nothing_out_of_range_poisons_a_row():
    model, step, force, decode = compiled()
    rings = model.init_rings(ROWS, REWIND)
    wild = random_rows(0)._replace(
        style_codes=jnp.full((ROWS, 12), 2**30, jnp.int32),
        notes=jnp.full((ROWS, 128), 127, jnp.int8),
        drums=jnp.asarray([-(2**30), 2**30] * 2, jnp.int32),
        guidance=jnp.asarray([[jnp.nan, jnp.inf, -jnp.inf], [1e30, -1e30, 8.0]] * 2, jnp.float32),
    )
    rings = force(model.params, rings, wild, jnp.asarray([[-5] * TINY.levels, [10**6] * TINY.levels] * 2, jnp.int32))
    rings, _ = step(model.params, rings, wild._replace(frame=jnp.ones(ROWS, jnp.int32)), guided=False)
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(rings))
    assert int(rings.codes.min()) >= 0
    assert int(rings.codes.max()) < TINY.codebook
    _, audio = decode(
        model.params, model.init_codec(ROWS), jnp.full((ROWS, TINY.levels), 10**6, jnp.int32), jnp.ones(ROWS, bool)
    )
    assert np.isfinite(np.asarray(audio)).all()


@pytest.mark.parametrize("field", ["style_codes", "notes", "drums", "guidance"])
def test_every_conditioning_field_is_heard(field):
    model, _, force, _ = compiled()
    rows = random_rows(0)
    other = getattr(random_rows(1, seed=8), field)
    rings, codes = model.init_rings(ROWS, REWIND), jnp.zeros((ROWS, TINY.levels), jnp.int32)
    plain = force(model.params, rings, rows, codes)
    changed = force(model.params, rings, rows._replace(**{field: other}), codes)
    assert not np.array_equal(plain.temporal.source[0].keys, changed.temporal.source[0].keys)


def test_bfloat16_stays_close_to_float32():
    config = dataclasses.replace(TINY, compute_dtype="bfloat16")
    (full, _, one, _), half = compiled(), make_tiny_model(0, config)
    a, b = full.init_rings(ROWS, REWIND), half.init_rings(ROWS, REWIND)
    assert b.temporal.own[0].keys.dtype == jnp.bfloat16
    codes = np.random.default_rng(0).integers(0, TINY.codebook, (12, ROWS, TINY.levels))
    two = jax.jit(half.force)
    for frame in range(12):
        rows = random_rows(frame)
        a = one(full.params, a, rows, jnp.asarray(codes[frame]))
        b = two(half.params, b, rows, jnp.asarray(codes[frame]))
    exact = np.asarray(a.temporal.own[-1].values)
    error = np.asarray(b.temporal.own[-1].values, np.float32) - exact
    assert np.sqrt(np.mean(error**2)) < 0.03 * np.sqrt(np.mean(exact**2))


def test_it_says_what_it_is():
    model: FrameModel = make_tiny_model(7)
    assert model.version == "mrt2_tiny+seed7+hum"
    assert (model.capabilities.notes, model.capabilities.drums, model.capabilities.guidance) == (True, True, True)
    assert model.capabilities.clock is False
    assert model.clock is None
    assert model.two_pass_guidance is False
    assert model.default_sampling == Sampling(temperature=1.3, top_k=40, min_p=0.0)
    assert model.default_guidance == Guidance(style=3.0, notes=1.0, drums=1.0)
    assert model.codec_delay == 1
    assert all(leaf.shape[0] == 3 for leaf in jax.tree.leaves((model.init_rings(3, 2), model.init_codec(3))))


def test_the_test_codec_is_silent_first_and_goes_on_without_a_click():
    model, _, _, decode = compiled()
    state, due = model.init_codec(ROWS), jnp.ones(ROWS, bool)
    audio = []
    for code in (3, 3, 9, 9):
        state, frame = decode(model.params, state, jnp.full((ROWS, TINY.levels), code, jnp.int32), due)
        audio.append(np.asarray(frame[0]))
    assert audio[0].shape == (1920, 2)
    assert not audio[0].any()
    assert np.abs(np.concatenate(audio[1:])).max() > 0.1
    steps = np.abs(np.diff(np.concatenate(audio[1:]), axis=0)).max(axis=1)
    assert steps[1919] <= 1.2 * steps.max(initial=0, where=np.arange(len(steps)) != 1919)
