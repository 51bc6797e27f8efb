# SPDX-License-Identifier: Apache-2.0
"""Detectors count what they should, per row; offset goes, non-finite blocks become silence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segue_engine.mastering.liveness import INPUT_LIMIT, Liveness, LivenessState

FRAME = 1920


def watch(blocks: NDArray[np.floating]) -> tuple[LivenessState, NDArray[np.float32]]:
    """blocks[frames, rows, 2, 1920] → state, the last block out."""
    guard = Liveness(silence_dbfs=-66.0)
    state = guard.init(blocks.shape[1])
    out = np.zeros(0, np.float32)
    for block in blocks:
        state, made = guard.apply(state, block.astype(np.float32))
        out = np.asarray(made)
    return state, out


def tone(level: float) -> NDArray[np.float64]:
    return np.stack([level * np.sin(2 * np.pi * 500 * np.arange(FRAME) / 48_000)] * 2)


def test_silence_is_counted_until_it_ends() -> None:
    quiet, loud = tone(1e-5), tone(0.1)
    state, _ = watch(np.stack([np.stack([quiet, loud, quiet])] * 5 + [np.stack([quiet, loud, loud])]))
    assert np.asarray(state.silent).tolist() == [6, 0, 0]


def test_a_constant_is_silence_however_large() -> None:
    state, _ = watch(np.full((3, 1, 2, FRAME), 0.5))
    assert np.asarray(state.silent).tolist() == [3]


def test_over_range_is_counted_and_huge_samples_are_cut() -> None:
    state, out = watch(np.stack([np.stack([tone(0.9), tone(3.0), tone(1e30)])] * 2))
    assert np.asarray(state.over_range).tolist() == [0, 2, 2]
    assert np.asarray(state.faults).tolist() == [0, 0, 0]
    assert np.max(np.abs(out[2])) <= 2 * INPUT_LIMIT


def test_non_finite_rows_become_silence_and_leave_no_trace() -> None:
    block = np.stack([tone(0.3)] * 4)
    broken = block.copy()
    broken[1, 0, 100] = np.nan
    broken[2, 1, -1] = np.inf
    broken[3] = -np.inf
    state, out = watch(np.stack([block, broken]))
    assert np.asarray(state.fault).tolist() == [False, True, True, True]
    assert not out[1:].any()
    assert np.all(np.isfinite(out))
    state, out = watch(np.stack([block, broken, block]))
    assert np.asarray(state.faults).tolist() == [0, 1, 1, 1]
    assert not np.asarray(state.fault).any()
    np.testing.assert_allclose(out, np.stack([tone(0.3)] * 4), atol=1e-3)


def test_offset_is_removed_slowly_and_without_steps() -> None:
    guard = Liveness(silence_dbfs=-66.0)
    state = guard.init(1)
    made = []
    for _ in range(150):
        state, out = guard.apply(state, (tone(0.2) + np.array([[0.1], [-0.2]]))[None].astype(np.float32))
        made.append(np.asarray(out[0]))
    whole = np.concatenate(made, axis=1)
    assert np.max(np.abs(np.mean(whole[:, -FRAME:], axis=1))) < 1e-3
    slow = whole - np.tile(tone(0.2), (1, 150))
    assert np.max(np.abs(np.diff(slow, axis=1))) < 1e-5
    np.testing.assert_allclose(np.asarray(state.offset[0]), [0.1, -0.2], atol=1e-3)
