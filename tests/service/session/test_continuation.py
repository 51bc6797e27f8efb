# SPDX-License-Identifier: Apache-2.0
"""Continuation bytes: what was packed comes back, and what is not fit to go on from is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import VITALS
from segue_service.session.continuation import MOST_FRAMES, ContinuationError, fingerprint, join, pack

INFO = FakeEngine().info
MARK = fingerprint(INFO)


def codes_of(first: int, count: int) -> np.ndarray:
    """Codes that tell their frame."""
    return (np.arange(first, first + count)[:, None] * 7 + np.arange(INFO.levels)) % 1024


def piece(first: int, count: int, take: int = 0, rider: int = 0) -> bytes:
    vitals = np.zeros(VITALS, np.int16)
    vitals[1:4] = (rider, -1750, 300)
    return pack(MARK, first, take, codes_of(first, count), vitals)


@given(
    st.integers(0, 2**31), st.lists(st.integers(1, 255), min_size=1, max_size=6), st.integers(0, 60), st.integers(0, 9)
)
def test_pieces_in_a_row_come_back(first: int, counts: list[int], less: int, take: int) -> None:
    begins = np.cumsum([first, *counts[:-1]]).tolist()
    pieces = [piece(at, count, take, -123) for at, count in zip(begins, counts, strict=True)]
    end = first + sum(counts) - min(less, sum(counts) - 1)
    played = join(pieces, INFO, end)
    assert played is not None
    assert (played.end, played.take, played.loudness) == (end, take, (-1.23, -17.5, 30.0))
    assert len(played.codes) == min(MOST_FRAMES, end - first)
    np.testing.assert_array_equal(played.codes, codes_of(played.begin, len(played.codes)))


def test_a_frame_takes_fifteen_bytes() -> None:
    assert len(piece(0, 100)) - len(piece(0, 50)) == 750


def test_a_later_piece_replaces_and_a_gap_begins_anew() -> None:
    old, new = piece(0, 50), pack(MARK, 30, 1, codes_of(900, 10), np.zeros(VITALS, np.int16))
    played = join([old, new], INFO, 40)
    assert played is not None
    assert (played.begin, played.end, played.take) == (0, 40, 1)
    np.testing.assert_array_equal(played.codes, np.concatenate([codes_of(0, 30), codes_of(900, 10)]))
    played = join([piece(0, 10), piece(20, 10)], INFO, 30)
    assert played is not None
    assert (played.begin, played.end) == (20, 30)
    assert join([piece(20, 10)], INFO, 15) is None
    assert join([], INFO, 15) is None


@given(st.binary(max_size=200))
def test_noise_is_refused_by_name(noise: bytes) -> None:
    with pytest.raises(ContinuationError, match=r"^continuation\[1\]: expected"):
        join([piece(0, 2), noise], INFO, 100)


def test_codes_of_another_model_are_refused() -> None:
    with pytest.raises(ContinuationError, match="expected codes of other-2"):
        join([piece(0, 2)], replace(INFO, version="other-2"), 10)


@given(st.integers(0, 29))
def test_a_cut_piece_is_refused(length: int) -> None:
    with pytest.raises(ContinuationError, match=r"^continuation\[0\]"):
        join([piece(0, 2)[:length]], INFO, 10)
