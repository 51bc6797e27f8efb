# SPDX-License-Identifier: Apache-2.0
"""The network against a plain one in float64; whole = in pieces = cached; what is another row's business stays so."""

from __future__ import annotations

import dataclasses
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mrt1_reference import encode as encode_plainly
from mrt1_reference import teacher_forced
from mrt1_tiny import TINY, draw_weights, random_context

from segue_engine.layers.sampler import Filters, draw_gumbel, frame_keys
from segue_engine.models.magenta_rt_1 import chunk, depth, encoder, load_params, temporal
from segue_engine.models.magenta_rt_1.vocabulary import first_ids
from segue_engine.models.magenta_rt_1.weights import LOGITS

ROWS, ODD = 3, 1


@cache
def weights():
    flat = draw_weights(TINY, 5)
    return flat, load_params(TINY, flat)


@cache
def programs(config=TINY):
    def frame(params, state, before, at, due, weight, seed, temperature):
        rows = at.shape[0]
        filters = Filters(temperature, jnp.zeros(rows, jnp.int32), jnp.zeros(rows))
        keys = frame_keys(seed, at, config.levels)

        def draw(level, logits):
            return draw_gumbel(logits, filters, keys[:, level])

        return chunk.step(config, params, state, before, at, at, due, weight, draw)

    return {
        "hear": jax.jit(partial(chunk.hear, config)),
        "frame": jax.jit(frame),
        "land": jax.jit(chunk.land),
        "go_on": jax.jit(lambda params, x, *part: encoder.go_on(config, params.encoder, x, *part)),
    }


def same(left, right):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def take(tree, row):
    return jax.tree.map(lambda leaf: leaf[row], tree)


def begun(rows=ROWS, seed=0):
    """A state in which every slot has heard its own context and style."""
    _, params = weights()
    ids = chunk.branch_ids(TINY, *(jnp.asarray(each) for each in random_context(TINY, seed, rows, missing=2)))
    state = chunk.init_state(TINY, rows)
    return programs()["land"](state, np.arange(rows, dtype=np.int32), programs()["hear"](params, ids)), ids


def land_odd(state, other):
    """The state with what slot ODD of another one has heard."""
    source = jax.tree.map(lambda leaf: leaf[ODD][None], other.source)
    return programs()["land"](state, np.array([ODD], np.int32), source)


def inputs(tick, rows=ROWS, seed=0, at=None):
    """before, at, due, weight, seed, temperature of a frame; the same for the same (seed, tick)."""
    rng = np.random.default_rng([seed, tick])
    return {
        "before": rng.integers(0, TINY.codebook, (rows, TINY.levels), np.int32),
        "at": np.full(rows, tick, np.int32) if at is None else np.asarray(at, np.int32),
        "due": np.ones(rows, bool),
        "weight": rng.uniform(0, 5, rows).astype(np.float32),
        "seed": rng.integers(0, 2**32, (rows, 2), np.uint32),
        "temperature": np.ones(rows, np.float32),
    }


def step(state, given):
    return programs()["frame"](weights()[1], state, *given.values())


def test_the_encoder_is_the_plain_one_padding_and_all():
    flat, params = weights()
    ids = np.random.default_rng(0).integers(1, 72, (2, TINY.source_length))
    ids[1, [0, 4, 14]] = 0
    x = encoder.enter(params.encoder, params.tokens, jnp.asarray(ids))
    seen = ids != 0
    x = programs()["go_on"](params, x, 0, 3, seen)
    got = encoder.leave(params.encoder, x, jnp.asarray(seen))
    np.testing.assert_allclose(got, [encode_plainly(TINY, flat, row) for row in ids], atol=2e-5)


def test_a_pass_in_pieces_is_the_pass_bit_for_bit():
    _, params = weights()
    x = encoder.enter(params.encoder, params.tokens, begun()[1].reshape(-1, TINY.source_length))
    go_on = programs()["go_on"]
    whole = go_on(params, x, np.int32(0), np.int32(3))
    pieces = go_on(params, go_on(params, x, np.int32(0), np.int32(2)), np.int32(2), np.int32(3))
    same(pieces, whole)


def test_whole_and_cached_are_the_plain_model():
    flat, params = weights()
    full = depth.unrestricted(params.depth, jnp.asarray(flat[LOGITS]))
    rng = np.random.default_rng(2)
    source = rng.integers(1, 72, (2, TINY.source_length))
    ids = rng.integers(0, TINY.vocabulary, (2, TINY.frames, TINY.levels))
    wanted = [teacher_forced(TINY, flat, *row) for row in zip(source, ids, strict=True)]
    heard = temporal.project(
        TINY, params.temporal, encoder.encode(TINY, params.encoder, params.tokens, jnp.asarray(source))
    )
    before = np.concatenate([np.zeros_like(ids[:, :1]), ids[:, :-1]], axis=1)
    entered = [temporal.enter(params.tokens, jnp.asarray(before[:, t]), jnp.full(2, t)) for t in range(TINY.frames)]
    whole = temporal.whole(TINY, params.temporal, heard, jnp.stack(entered, axis=1))
    np.testing.assert_allclose(whole, [hidden for hidden, _ in wanted], atol=5e-5)
    own, cached, step = temporal.init_own(TINY, 2), [], jax.jit(partial(temporal.step, TINY))
    for t in range(TINY.frames):
        own, hidden = step(params.temporal, own, heard, entered[t], jnp.full(2, t), jnp.full(2, t), jnp.ones(2, bool))
        cached.append(hidden)
    np.testing.assert_allclose(np.stack(cached, axis=1), whole, atol=5e-6)
    flat_hidden = whole.reshape(-1, TINY.width), jnp.asarray(ids.reshape(-1, TINY.levels))
    logits = depth.forced_logits(TINY, full, params.tokens, *flat_hidden)
    logits = logits.reshape(2, TINY.frames, TINY.levels, -1)
    np.testing.assert_allclose(logits, [logits for _, logits in wanted], atol=1e-4)


def test_a_slot_among_strangers_is_the_slot_alone_bit_for_bit():
    lone, ids = begun()
    crowd, other = begun(seed=1)
    crowd = programs()["land"](
        crowd, np.array([ODD], np.int32), jax.tree.map(lambda leaf: leaf[ODD][None], lone.source)
    )
    assert not np.array_equal(ids[0], other[0])
    for tick in range(TINY.frames):
        mine, strangers = inputs(tick), inputs(tick, seed=9, at=[(tick + 2) % 5, tick, 4 - tick])
        strangers["due"][2] = tick % 2
        for name, value in strangers.items():
            value[ODD] = mine[name][ODD]
        lone, codes = step(lone, mine)
        crowd, again = step(crowd, strangers)
        same(codes[ODD], again[ODD])
        same(take(lone, ODD), take(crowd, ODD))


def test_who_is_not_due_keeps_everything():
    state, _ = begun()
    for tick in range(3):
        given = inputs(tick)
        given["due"][ODD] = False
        after, _ = step(state, given)
        same(take(after, ODD), take(state, ODD))
        assert not np.array_equal(after.own[0].keys[0], state.own[0].keys[0])
        state = after


def test_landing_touches_one_slot_and_what_was_there_is_forgotten():
    state, _ = begun()
    for tick in range(TINY.frames):
        state, _ = step(state, inputs(tick, seed=3))
    fresh, _ = begun(seed=7)
    landed = programs()["land"](
        state, np.array([ODD], np.int32), jax.tree.map(lambda leaf: leaf[ODD][None], fresh.source)
    )
    for row in (0, 2):
        same(take(landed, row), take(state, row))
    for tick in range(TINY.frames):
        landed, codes = step(landed, inputs(tick))
        fresh, wanted = step(fresh, inputs(tick))
        same(codes[ODD], wanted[ODD])


def test_counting_back_and_going_on_gives_the_same_bits():
    state, _ = begun()
    taken = []
    for tick in range(TINY.frames):
        state, codes = step(state, inputs(tick))
        taken.append((state, codes))
    other = state
    for tick in range(2, TINY.frames):
        other, codes = step(other, inputs(tick, seed=8))
    assert not np.array_equal(codes, taken[-1][1])
    for tick in range(2, TINY.frames):
        other, codes = step(other, inputs(tick))
        same(codes, taken[tick][1])
    same(other, taken[-1][0])


def test_guidance_of_nothing_is_the_positive_branch_alone():
    state, ids = begun()
    deaf = programs()["land"](
        state, np.arange(ROWS, dtype=np.int32), programs()["hear"](weights()[1], ids.at[:, 1].set(ids[::-1, 0]))
    )
    given = inputs(0)
    given["weight"][:] = 0
    same(step(state, given)[1], step(deaf, given)[1])
    given["weight"][:] = 4
    given["temperature"][:] = 0
    assert not np.array_equal(step(state, given)[1], step(deaf, given)[1])


def test_guided_greedy_codes_are_the_best_of_both_branches():
    flat, _ = weights()
    state, ids = begun()
    codes, starts = np.zeros((ROWS, TINY.frames, TINY.levels), np.int32), first_ids(TINY)
    before = np.zeros((ROWS, TINY.levels), np.int32)
    for tick in range(TINY.frames):
        given = inputs(tick) | {"before": before, "weight": np.full(ROWS, 2.5, np.float32)}
        given["temperature"] = np.zeros(ROWS, np.float32)
        state, drawn = step(state, given)
        codes[:, tick] = before = np.asarray(drawn)
    for row in range(ROWS):
        logits = [teacher_forced(TINY, flat, np.asarray(ids[row, b]), codes[row] + starts)[1] for b in range(2)]
        mixed = 3.5 * logits[0] - 2.5 * logits[1]
        best = np.stack([mixed[:, q, s : s + TINY.codebook].argmax(-1) for q, s in enumerate(starts)], axis=1)
        np.testing.assert_array_equal(codes[row], best)


def test_nothing_out_of_range_poisons_a_slot():
    _, params = weights()
    wild = jnp.full((ROWS, TINY.context_frames, TINY.levels), 2**30), jnp.full((ROWS, 12), 2**31 - 1)
    source = programs()["hear"](params, chunk.branch_ids(TINY, *wild))
    state = programs()["land"](chunk.init_state(TINY, ROWS), np.arange(ROWS, dtype=np.int32), source)
    given = inputs(1)
    given["before"][:] = [-7, 10**9, 2**31 - 1]
    state, codes = step(state, given)
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state))
    assert 0 <= int(codes.min()) <= int(codes.max()) < TINY.codebook


def test_bfloat16_stays_close_to_float32():
    flat, params = weights()
    config = dataclasses.replace(TINY, compute_dtype="bfloat16")
    half = load_params(config, flat)
    ids = begun()[1]
    exact = programs()["hear"](params, ids)[-1].values
    near = programs(config)["hear"](half, ids)[-1].values
    assert near.dtype == jnp.bfloat16
    error = np.asarray(near, np.float32) - np.asarray(exact)
    assert np.sqrt(np.mean(error**2)) < 0.03 * np.sqrt(np.mean(np.square(exact)))


@pytest.mark.parametrize("part", ["context", "style"])
def test_the_negative_branch_hears_the_context_and_not_the_style(part):
    context, style = random_context(TINY, 0, 1)
    ids = chunk.branch_ids(TINY, jnp.asarray(context), jnp.asarray(style))
    changed = (context + 1) % TINY.codebook if part == "context" else context, (style + 1) % TINY.codebook
    others = chunk.branch_ids(TINY, jnp.asarray(changed[0]), jnp.asarray(changed[1]))
    assert np.array_equal(ids[0, 1], others[0, 1]) == (part == "style")
    assert not np.array_equal(ids[0, 0], others[0, 0])
