# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from segue_engine.spectrostream import dequantise, quantise

BOOKS = np.random.default_rng(0).standard_normal((64, 16, 5), dtype=np.float32) * np.float32(0.9) ** np.arange(
    64, dtype=np.float32
).reshape(-1, 1, 1)
POINTS = np.random.default_rng(1).standard_normal((3, 7, 5), dtype=np.float32)


def test_each_level_is_the_nearest_row_to_what_is_left():
    codes = np.asarray(quantise(BOOKS, POINTS, 64))
    residual = POINTS.astype(np.float64)
    for level in range(64):
        distance = np.sum((residual[..., None, :] - BOOKS[level]) ** 2, axis=-1)
        np.testing.assert_array_equal(codes[..., level], distance.argmin(axis=-1))
        residual = residual - BOOKS[level][codes[..., level]]


@pytest.mark.parametrize("levels", [1, 5, 12, 63])
def test_levels_do_not_depend_on_how_many_follow(levels: int):
    all_codes = quantise(BOOKS, POINTS, 64)
    np.testing.assert_array_equal(quantise(BOOKS, POINTS, levels), all_codes[..., :levels])


def test_the_first_of_equal_rows_is_taken():
    books = np.zeros((1, 4, 2), np.float32)
    books[0, 1:3] = 1.0
    np.testing.assert_array_equal(quantise(books, np.ones((1, 2), np.float32), 1), [[1]])


@pytest.mark.parametrize("levels", [1, 12, 64])
def test_dequantising_adds_up_the_first_levels(levels: int):
    codes = np.random.default_rng(2).integers(0, 16, (2, 3, levels), dtype=np.int32)
    expected = sum(BOOKS[level].astype(np.float64)[codes[..., level]] for level in range(levels))
    np.testing.assert_allclose(dequantise(BOOKS, codes), expected, atol=1e-5)


def test_more_levels_than_codebooks_are_refused():
    with pytest.raises(ValueError, match=r"levels: expected 1\.\.64, got 65"):
        quantise(BOOKS, POINTS, 65)
    with pytest.raises(ValueError, match=r"levels: expected 1\.\.64, got 0"):
        dequantise(BOOKS, np.zeros((3, 0), np.int32))
