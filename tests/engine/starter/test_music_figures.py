# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import numpy as np
import pytest

from segue_engine.models.starter import tokens as tk
from segue_engine.models.starter.composer import Composer
from segue_engine.models.starter.evaluation.music import mean_figures, measure
from segue_engine.styles.tags import tag_vector


@pytest.fixture(scope="module")
def piece() -> np.ndarray:
    return Composer(2).run(np.repeat(tag_vector({"village": 1.0})[None], 2000, axis=0)).astype(np.int64)


def test_a_composed_piece_scores_well(piece: np.ndarray) -> None:
    f = measure(piece)
    assert f.in_key == f.clock == f.on_grid == 1.0
    assert 90 <= f.bpm <= 130
    assert set(f.as_dict()) >= {"in_key", "stuck", "motif_exact"}


def test_wrong_notes_leave_the_key(piece: np.ndarray) -> None:
    x = piece.copy()
    on = x[:, tk.LEAD] >= tk.FIRST_ONSET
    x[on, tk.LEAD] = np.clip(
        x[on, tk.LEAD] + 3 * np.random.default_rng(0).integers(-3, 4, on.sum()), 2, tk.SIZES[tk.LEAD] - 1
    )
    assert measure(x).in_key < measure(piece).in_key - 0.02
    assert measure(x).motif_exact < measure(piece).motif_exact
    assert measure(x).motif_rhythm == pytest.approx(measure(piece).motif_rhythm)


def test_shifted_events_leave_the_grid(piece: np.ndarray) -> None:
    x = piece.copy()
    x[:, tk.DRUMS :] = np.roll(x[:, tk.DRUMS :], 2, axis=0)
    assert measure(x).on_grid < 0.5


def test_a_broken_clock_is_seen(piece: np.ndarray) -> None:
    x = piece.copy()
    x[500, tk.CLOCK] = (x[500, tk.CLOCK] + 7) % 320
    assert measure(x).clock == pytest.approx(1.0 - 2 / (len(x) - 1))


def test_a_loop_is_stuck_and_silence_is_silent(piece: np.ndarray) -> None:
    frames = int(tk.CLOCK_FRAMES[piece[0, tk.CLOCK]]) * 16
    loop = np.tile(piece[:frames], (14, 1))
    assert measure(loop).stuck > 0.9
    quiet = piece.copy()
    quiet[:, tk.DRUMS :] = 0
    f = measure(quiet)
    assert f.silent_frames == f.silent_bars == 1.0
    assert f.notes_per_second == f.hits_per_second == 0.0
    assert math.isnan(f.in_key)


def test_hits_against_the_drum_bit_are_seen(piece: np.ndarray) -> None:
    x = piece.copy()
    x[:, tk.MIX] &= ~1
    assert measure(x).drums_obey < 1.0


def test_means_leave_out_what_is_missing(piece: np.ndarray) -> None:
    quiet = piece.copy()
    quiet[:, tk.DRUMS :] = 0
    assert mean_figures([measure(piece), measure(quiet)]).in_key == measure(piece).in_key
    with pytest.raises(ValueError, match="figures"):
        mean_figures([])


def test_bad_tokens_are_refused(piece: np.ndarray) -> None:
    with pytest.raises(ValueError, match="tokens"):
        measure(piece[:, :5])
    with pytest.raises(ValueError, match="range"):
        measure(np.full((10, 12), 5000))
