# SPDX-License-Identifier: Apache-2.0
"""The grammar is the composer's own, and nothing that it forbids is drawn, whatever the weights."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from segue_engine.frame_model import StepRows
from segue_engine.models.starter import tokens
from segue_engine.models.starter.composer import compose_batch
from segue_engine.models.starter.evaluation.music import mean_figures, measure
from segue_engine.models.starter.lm import streaming
from segue_engine.models.starter.lm.config import STYLE_WIDTH, LMConfig
from segue_engine.models.starter.lm.grammar import forbidden, load_rules
from segue_engine.models.starter.lm.params import init_params

ROWS, FRAMES = 8, 160
TINY = LMConfig(
    width=24, layers=1, heads=2, hidden=32, window=8, depth_width=16, depth_layers=1, depth_heads=2, depth_hidden=24,
    style_hidden=16, delta_hidden=8,
)  # fmt: skip


@pytest.mark.parametrize(("level", "share"), [(level, 0.001 if level == tokens.BASS else 0.0) for level in range(12)])
def test_the_composer_keeps_to_it(level: int, share: float) -> None:
    codes, previous = composed()
    lower = [jnp.asarray(codes[:, q]) for q in range(level)]
    start, roll = jnp.zeros(len(codes), bool), jnp.zeros(len(codes), bool)
    banned = forbidden(load_rules(), level, jnp.asarray(previous[:, tokens.CLOCK]), start, lower, roll)
    if banned is None:
        assert level in range(tokens.KEY, tokens.DRUMS)
        return
    assert np.asarray(banned)[np.arange(len(codes)), codes[:, level]].mean() <= share


@cache
def composed() -> tuple[np.ndarray, np.ndarray]:
    made = compose_batch(5, 16, 1024, augment=False).tokens.astype(np.int32)
    return made[:, 1:].reshape(-1, tokens.LEVELS), made[:, :-1].reshape(-1, tokens.LEVELS)


def rows_at(frame: int, notes: np.ndarray) -> StepRows:
    return StepRows(
        due=jnp.ones(ROWS, bool),
        frame=jnp.full(ROWS, frame, jnp.int32),
        seed=jnp.stack([jnp.zeros(ROWS, jnp.uint32), jnp.arange(ROWS, dtype=jnp.uint32)], axis=1),
        style_codes=jnp.full((ROWS, 12), -1, jnp.int32),
        notes=jnp.asarray(notes),
        drums=jnp.full(ROWS, -1, jnp.int32),
        guidance=jnp.ones((ROWS, 3), jnp.float32),
        temperature=jnp.full(ROWS, 2.0, jnp.float32),
        top_k=jnp.zeros(ROWS, jnp.int32),
        min_p=jnp.zeros(ROWS, jnp.float32),
    )


def play(config: LMConfig, notes: np.ndarray) -> np.ndarray:
    """Codes [rows, frames, 12] of a model that has learnt nothing."""
    books = np.random.default_rng(1).normal(0, 0.1, (12, 1024, STYLE_WIDTH)).astype(np.float32)
    serving = streaming.serving_params(init_params(config, 3), books)
    step = jax.jit(lambda rings, rows: streaming.step(config, serving, rings, rows, guided=False))
    rings, out = streaming.init_rings(config, ROWS, 0), []
    for frame in range(FRAMES):
        rings, codes = step(rings, rows_at(frame, notes))
        out.append(np.asarray(codes))
    return np.stack(out, axis=1)


def test_even_an_untrained_model_plays_on_the_grid_and_in_key() -> None:
    silent = np.full((ROWS, 128), -1, np.int8)
    played = play(TINY, silent)
    clock = played[..., tokens.CLOCK]
    due = tokens.CLOCK_POSITION[tokens.CLOCK_SUCCESSOR[clock[:, :-1]]] == 0
    assert due.any()
    assert (tokens.CLOCK_POSITION[clock[:, 1:]][due] == 0).all(), "a bar that is due begins"
    ruled = mean_figures(measure(codes) for codes in played)
    assert ruled.in_key == ruled.on_grid == ruled.strong_chord == 1.0
    assert ruled.notes_per_second > 1.0
    free = mean_figures(measure(codes) for codes in play(replace(TINY, grammar=False), silent))
    assert max(free.in_key, free.on_grid, free.strong_chord) < 0.9


def test_a_roll_may_ask_for_any_note_at_any_time() -> None:
    notes = np.zeros((ROWS, 128), np.int8)
    notes[:, 61] = 2
    codes = play(TINY, notes)
    lead = codes[..., tokens.LEAD] >= tokens.FIRST_ONSET
    off = (tokens.CLOCK_SUBFRAME[codes[..., tokens.CLOCK]] > 1) & lead
    assert off.any()
