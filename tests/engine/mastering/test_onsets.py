# SPDX-License-Identifier: Apache-2.0
"""Onset strength: where things begin, whatever the level; nothing where nothing begins; rows are their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import FRAME_SAMPLES, ONSET_DELAY_SECONDS, ONSETS
from segue_engine.mastering import Mastering, MasteringState
from segue_engine.mastering.onsets import HOP, HOPS

RATE = 48_000
FRAMES = 75
Audio = NDArray[np.float32]


@cache
def chain() -> tuple[Mastering, Callable[..., tuple[MasteringState, jax.Array]]]:
    mastering = Mastering(onsets=True)

    def step(state: MasteringState, audio: jax.Array, due: jax.Array) -> tuple[MasteringState, jax.Array]:
        levels = jnp.tile(jnp.asarray([0.0, -1.0]), (audio.shape[0], 1))
        state, _ = mastering.apply(state, audio, levels, due)
        return state, mastering.vitals(state)

    return mastering, jax.jit(step)


def strengths(rows: Audio) -> NDArray[np.float64]:
    """Audio [4, FRAMES · 1920] → onset strengths [4, FRAMES · 4]."""
    mastering, step = chain()
    state, due, heard = mastering.init(4), np.ones(4, np.bool_), []
    for frame in np.split(np.repeat(rows[..., None], 2, axis=2), FRAMES, axis=1):
        state, vitals = step(state, frame, due)
        heard.append(np.asarray(vitals)[:, ONSETS : ONSETS + HOPS])
    return np.concatenate(heard, axis=1) / 1000.0


def notes(begins: NDArray[np.int64], level: float = 0.2) -> Audio:
    """Plucked notes that begin at these samples."""
    time = np.arange(RATE // 4) / RATE
    note = level * np.exp(-time / 0.06) * sum(np.sin(2 * np.pi * pitch * time) for pitch in (110, 330, 1250, 5200))
    sound = np.zeros(FRAMES * FRAME_SAMPLES + len(time), np.float32)
    for begin in begins:
        sound[begin : begin + len(time)] += note
    return sound[: FRAMES * FRAME_SAMPLES]


def test_what_begins_is_found_where_it_is_told_to_be_at_any_level() -> None:
    random = np.random.default_rng(2)
    begins = (np.arange(6) + 1) * 20_000 + random.integers(0, 5_000, 6)
    loud = notes(begins)
    found = strengths(np.stack([loud, loud * 0.05, notes(begins[:0]), loud]))
    late = []
    for begin in begins:
        near = np.arange(begin // HOP - 6, begin // HOP + 8)
        weights = np.where(found[0, near] > 0.05, found[0, near], 0.0)
        late.append(float((weights * near).sum() / weights.sum()) * HOP - begin)
        assert found[0, near].max() > 0.3
    assert abs(np.mean(late) / RATE - ONSET_DELAY_SECONDS) < 0.005
    np.testing.assert_allclose(found[1, 2 * RATE // HOP :], found[0, 2 * RATE // HOP :], rtol=0.1, atol=0.03)
    assert not found[2].any()
    away = np.abs(np.arange(found.shape[1])[:, None] * HOP - begins).min(axis=1) > 8 * HOP
    assert found[0, away].max() < 0.05


def test_partials_that_beat_begin_nothing() -> None:
    time = np.arange(FRAMES * FRAME_SAMPLES) / RATE
    pairs = ((220.0, 221.5), (330.0, 332.2), (880.0, 883.0))
    partials = np.array([pitch for pair in pairs for pitch in pair])
    drone = (0.05 * np.sin(2 * np.pi * partials[:, None] * time).sum(axis=0)).astype(np.float32)
    random = np.random.default_rng(3)
    noise = (0.1 * random.normal(size=time.size)).astype(np.float32)
    struck = notes(np.arange(1, 6) * 24_000)
    found = strengths(np.stack([drone, noise, struck, struck + 0.2 * drone]))[:, 4 * HOPS :]
    assert found[0].max() < 0.1 * found[2].max()
    assert np.percentile(found[1], 99) < 0.25 * found[2].max()
    assert found[3].max() > 0.3


def test_a_row_is_its_own_and_rests_while_it_is_not_due() -> None:
    mastering, step = chain()
    random = np.random.default_rng(4)
    blocks = (0.1 * random.normal(size=(6, 4, FRAME_SAMPLES, 2))).astype(np.float32)
    strangers = blocks.copy()
    strangers[:, [0, 1, 3]] *= 7.0
    states = [mastering.init(4), mastering.init(4)]
    for mine, theirs in zip(blocks, strangers, strict=True):
        states = [step(state, one, np.ones(4, np.bool_))[0] for state, one in zip(states, (mine, theirs), strict=True)]
    for ours, others in zip(*(jax.tree.leaves(state.onsets) for state in states), strict=True):
        np.testing.assert_array_equal(ours[2], others[2])
    rested, _ = step(states[0], strangers[0], np.array([True, False, True, False]))
    changed = False
    for before, after in zip(jax.tree.leaves(states[0].onsets), jax.tree.leaves(rested.onsets), strict=True):
        np.testing.assert_array_equal(before[1::2], after[1::2])
        changed |= not np.array_equal(before[::2], after[::2])
    assert changed


def test_without_them_nothing_is_carried() -> None:
    plain = Mastering()
    assert plain.init(1).onsets is None
    assert not np.asarray(plain.vitals(plain.init(2)))[:, ONSETS:].any()
    assert chain()[0].bytes_per_row > plain.bytes_per_row
