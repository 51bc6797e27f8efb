# SPDX-License-Identifier: Apache-2.0
"""Magenta RT 1 as the engine drives it: what its passes hear, what they leave alone, what guidance means."""

from __future__ import annotations

import dataclasses
import sys
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from mrt1_tiny import TINY, make_tiny_model

from segue_engine.contract import Conditioning, Guidance
from segue_engine.frame_model import StepRows
from segue_engine.models.magenta_rt_1 import BASE, LARGE, chunk, preset
from segue_engine.models.magenta_rt_1.hearing import Hearing
from segue_engine.models.magenta_rt_1.rings import context_before

sys.path.insert(0, str(Path(__file__).parents[1] / "magenta_rt_2"))

from mrt2_tiny import TestCodec

ROWS, REWIND = 3, 4


@cache
def model():
    return make_tiny_model(TestCodec)


@cache
def program(name):
    return jax.jit(getattr(model().encoder, name))


def scalar(value):
    return np.int32(value)


def rings_with(frames, seed=0):
    """Rings of rows that have played so many frames, and the codes [ROWS, frames, levels]."""
    codes = np.random.default_rng(seed).integers(0, TINY.codebook, (ROWS, frames, TINY.levels)).astype(np.int32)
    rings = model().init_rings(ROWS, REWIND)
    rows = rows_at(np.zeros(ROWS))
    return model().absorb(model().params, rings, rows, jnp.asarray(codes), jnp.full(ROWS, frames)), codes


def rows_at(frame, style=1.0, due=(True,) * ROWS, begun=None, temperature=0.0):
    zeros = jnp.zeros(ROWS, jnp.int32)
    return StepRows(
        due=jnp.asarray(due),
        frame=jnp.asarray(frame, jnp.int32),
        seed=jnp.arange(2 * ROWS, dtype=jnp.uint32).reshape(ROWS, 2),
        style_codes=jnp.zeros((ROWS, 12), jnp.int32),
        notes=jnp.zeros((ROWS, 128), jnp.int8),
        drums=zeros,
        guidance=jnp.full((ROWS, 3), style, jnp.float32),
        temperature=jnp.full(ROWS, temperature, jnp.float32),
        top_k=zeros,
        min_p=jnp.zeros(ROWS, jnp.float32),
        begun=jnp.asarray(frame if begun is None else begun, jnp.int32),
    )


def passed(rings, row, frame, style_codes, number):
    """What a pass comes to, piece by piece."""
    encoder, params = model().encoder, model().params
    work = program("begin")(params, rings, scalar(row), scalar(frame), np.asarray(style_codes, np.int32), number)
    for piece in range(encoder.pieces):
        work = program("go_on")(params, work, scalar(piece))
    return program("finish")(params, work)


def heard(rings, row, frame, style_codes):
    """The rings after both passes of a row's chunk."""
    for number in range(2):
        result = passed(rings, row, frame, style_codes, scalar(number))
        rings = program("land")(rings, scalar(row), result, scalar(number))
    return rings


def ready(frames, styles, seed=0):
    rings, codes = rings_with(frames, seed)
    for row, style in enumerate(styles):
        rings = heard(rings, row, frames, style)
    return rings, codes


def same(left, right):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


STYLES = np.random.default_rng(7).integers(0, TINY.codebook, (ROWS, 12)).astype(np.int32)


@pytest.mark.parametrize("frames", [0, 2, TINY.context_frames, 2 * TINY.context_frames + 9])
def test_passes_in_pieces_hear_what_the_whole_encoder_hears(frames):
    """The last frames before the chunk, with nothing where there was nothing yet, and the style or no style."""
    rings, codes = rings_with(frames)
    context = np.full((ROWS, TINY.context_frames, TINY.levels), -1)
    known = codes[:, -TINY.context_frames :]
    context[:, TINY.context_frames - known.shape[1] :] = known
    ids = chunk.branch_ids(TINY, jnp.asarray(context), jnp.asarray(STYLES))
    whole = jax.jit(partial(chunk.hear, TINY))(model().params.language, ids)
    for number, branch in ((0, 1), (1, 0)):
        result = passed(rings, 1, frames, STYLES[1], scalar(number))
        for got, want in zip(jax.tree.leaves(result), jax.tree.leaves(whole), strict=True):
            np.testing.assert_allclose(got[0], want[1, branch], atol=1e-5)


def test_the_context_outlives_a_rewind_of_full_reach():
    """At the end of a chunk the engine may go back REWIND frames, to a chunk that began almost a chunk before."""
    played = 40
    rings, codes = rings_with(played)
    begun = played - REWIND - (TINY.frames - 1)
    got = context_before(TINY, rings, scalar(2), scalar(begun))
    np.testing.assert_array_equal(got, codes[2, begun - TINY.context_frames : begun])


def test_landing_is_one_rows_business_and_one_branchs():
    rings, _ = ready(7, STYLES)
    other = passed(rings, 1, 7, STYLES[2], scalar(1))
    landed = program("land")(rings, scalar(1), other, scalar(1))
    for before, after in zip(jax.tree.leaves(rings.chunk.source), jax.tree.leaves(landed.chunk.source), strict=True):
        changed = np.asarray(before != after).any(axis=(2, 3, 4))
        np.testing.assert_array_equal(changed, [[False, False], [True, False], [False, False]])
    same(rings._replace(chunk=rings.chunk.own), landed._replace(chunk=landed.chunk.own))


def test_the_first_pass_is_deaf_to_the_style():
    rings, _ = rings_with(7)
    same(passed(rings, 0, 7, STYLES[0], scalar(0)), passed(rings, 0, 7, STYLES[1], scalar(0)))
    apart = passed(rings, 0, 7, STYLES[0], scalar(1)), passed(rings, 0, 7, STYLES[1], scalar(1))
    assert not np.array_equal(apart[0][0].keys, apart[1][0].keys)


def test_what_is_heard_of_a_conditioning_is_the_style_levels_it_knows():
    hearing = Hearing(TINY)
    assert hearing.heard(Conditioning(style_codes=(1, 2, 3, 4, 5))) == (1, 2, 3)
    assert hearing.heard(Conditioning(style_codes=(1,), guidance=Guidance(style=3.0))) == (1, -1, -1)
    assert hearing.heard(Conditioning()) == (-1, -1, -1)


@cache
def stepper():
    return jax.jit(partial(model().step, guided=False))


def step(rings, rows):
    return stepper()(model().params, rings, rows)


def test_a_scale_of_one_is_the_positive_branch_and_more_is_the_published_weight_and_one():
    rings, _ = ready(7, STYLES)
    rows = rows_at(np.full(ROWS, 7))
    _, hidden = model().advance(model().params, rings, rows)
    language = model().params.language
    logits = []

    def keep(level, guided):
        logits.append(guided)
        return jnp.argmax(guided, axis=-1)

    for scale in (1.0, 6.0):
        logits.clear()
        codes = chunk.generate(TINY, language, hidden, jnp.full(ROWS, scale - 1), keep)
        np.testing.assert_array_equal(codes, model().draw(model().params, rows_at([7] * ROWS, style=scale), hidden))
    negative = jnp.repeat(hidden[1::2], 2, axis=0), jnp.repeat(hidden[::2], 2, axis=0)
    alone = [chunk.generate(TINY, language, both, jnp.zeros(ROWS), lambda _, x: jnp.argmax(x, -1)) for both in negative]
    np.testing.assert_array_equal(alone[1], model().draw(model().params, rows, hidden))
    assert not np.array_equal(alone[0], alone[1])
    assert model().default_guidance.style == 6.0


def test_codes_are_remembered_and_in_range():
    rings, _ = ready(7, STYLES)
    rings, codes = step(rings, rows_at([7] * ROWS, due=(True, False, True), temperature=1.0))
    assert 0 <= int(codes.min()) <= int(codes.max()) < TINY.codebook
    got = np.asarray(rings.codes[:, 7 % rings.codes.shape[1]])
    np.testing.assert_array_equal(got[[0, 2]], np.asarray(codes)[[0, 2]])
    assert not got[1].any()


def test_a_chunk_does_not_look_back_further_than_its_first_frame():
    """A row that went on for a while and begins a chunk plays what a row that was given those codes plays."""
    rings, codes = ready(7, STYLES)
    for frame in (7, 8, 9):
        rings, made = step(rings, rows_at([frame] * ROWS, begun=[7] * ROWS, temperature=1.0))
        codes = np.concatenate([codes, np.asarray(made)[:, None]], axis=1)
    given = model().absorb(
        model().params,
        model().init_rings(ROWS, REWIND),
        rows_at(np.zeros(ROWS)),
        jnp.asarray(codes),
        jnp.full(ROWS, 10),
    )
    outputs = []
    for each in (rings, given):
        led = each
        for row, style in enumerate(STYLES[::-1]):
            led = heard(led, row, 10, style)
        for frame in (10, 11):
            led, made = step(led, rows_at([frame] * ROWS, begun=[10] * ROWS, temperature=1.0))
        outputs.append(np.asarray(made))
    np.testing.assert_array_equal(*outputs)


def test_wild_history_poisons_nothing():
    rings = model().init_rings(ROWS, REWIND)
    wild = jnp.full((ROWS, 5, TINY.levels), 2**30)
    rings = model().absorb(model().params, rings, rows_at(np.zeros(ROWS)), wild, jnp.full(ROWS, 5))
    for row in range(ROWS):
        rings = heard(rings, row, 5, np.full(12, 2**31 - 1))
    rings, _ = step(rings, rows_at([5] * ROWS))
    assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(rings))


@pytest.mark.parametrize("config", [BASE, LARGE])
def test_published_sizes_in_pieces(config):
    hearing = Hearing(config)
    assert (hearing.frames, hearing.interval, hearing.passes) == (50, 25, (False, True))
    assert hearing.pieces * 3 == config.encoder_layers
    assert preset(config.name) == config


def test_a_session_of_published_size_takes_what_the_docs_say():
    sizes = {}
    for config in (BASE, LARGE):
        half = dataclasses.replace(config, compute_dtype="bfloat16")
        state = jax.eval_shape(lambda half=half: chunk.init_state(half, 1))
        sizes[config.name] = [
            sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(part)) / 1e6
            for part in (state.source, state.own)
        ]
    np.testing.assert_allclose(sizes["mrt1_base"], [123.6, 6.1], atol=0.05)
    np.testing.assert_allclose(sizes["mrt1_large"], [164.8, 8.2], atol=0.05)
