# SPDX-License-Identifier: Apache-2.0
"""Samples → QOA frames, many at once. Stateless: a stretch of samples gives the same bytes whatever came before.

A QOA encoder is a loop over samples, each depending on the one before: too slow in Python for one session, let alone
for many. So the loop is made short and wide. A QOA frame here is 320 samples, and begins with a predictor of its own,
solved from its samples, instead of what the frame before has learnt; all frames, channels and scales that are tried are
lanes of one array.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.qoa import HEADER, RESIDUALS, SLICE, TAPS
from segue_engine.contract import CHANNELS, FRAME_SAMPLES, SAMPLE_RATE

CONTEXT: Final = TAPS
"""Samples before a stretch that its first predictions are made from."""
_SLICES: Final = 16
_SAMPLES: Final = _SLICES * SLICE
_PER_FRAME: Final = FRAME_SAMPLES // _SAMPLES
_SIZE: Final = HEADER.size + CHANNELS * (4 * TAPS + 8 * _SLICES)
_HEADER: Final = np.frombuffer(HEADER.pack(CHANNELS, SAMPLE_RATE.to_bytes(3, "big"), _SAMPLES, _SIZE), np.uint8)
# Scales tried per slice, and how many of them lie below the one that fits the residual of perfect predictions.
_TRIED: Final = 6
_BELOW: Final = 2
# Keeps the equations solvable; more of it costs smooth sounds their predictability.
_RIDGE: Final = 1e-7
# No residual of the largest scale is further from the prediction than 14,336.
_REACH: Final = 16_384
# Weights beyond this energy are on their way out of the range in which decoders agree.
_WEIGHT_ENERGY: Final = 0x8FF << 18


def _nearest() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    wanted = np.arange(-_REACH, _REACH, dtype=np.int32)
    codes = np.stack([np.abs(wanted[:, None] - row).argmin(1) for row in RESIDUALS]).astype(np.uint8)
    return np.take_along_axis(RESIDUALS, codes.astype(np.int64), 1), codes


_RESIDUAL_OF, _CODE_OF = _nearest()
"""[16 scales, 32768 wanted residuals]: the nearest that there is, and its code."""


def encode(pcm: NDArray[np.int16]) -> list[bytes]:
    """int16[b, 4 + 1920, 2], each with the 4 samples before it → per row 6 QOA frames, 1,776 bytes in all."""
    rows = len(pcm)
    starts = np.arange(_PER_FRAME)[:, None] * _SAMPLES + np.arange(CONTEXT + _SAMPLES)
    lanes = pcm[:, starts].transpose(0, 1, 3, 2).reshape(-1, CONTEXT + _SAMPLES).astype(np.int32)
    weights = _predictors(lanes)
    scales, codes = _quantise(lanes, weights, _scales_to_try(lanes, weights))

    shifts = np.arange(57, -1, -3, dtype=np.uint64)
    words = (codes.astype(np.uint64) << shifts[:, None]).sum(1, dtype=np.uint64) | scales << np.uint64(60)
    frames = rows * _PER_FRAME
    out = np.empty((frames, _SIZE), np.uint8)
    out[:, : HEADER.size] = _HEADER
    head = HEADER.size + 4 * TAPS * CHANNELS
    state = np.stack([lanes[:, :TAPS], weights], 1).astype(">i2").reshape(frames, -1)
    out[:, HEADER.size : head] = state.view(np.uint8)
    turns = words.reshape(_SLICES, frames, CHANNELS).transpose(1, 0, 2).astype(">u8").reshape(frames, -1)
    out[:, head:] = turns.view(np.uint8)
    return [row.tobytes() for row in out.reshape(rows, -1)]


def _predictors(lanes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Weights int32[a, 4], 8192 for 1, that predict each lane best from its own past (least squares)."""
    past = np.stack([lanes[:, tap : tap + _SAMPLES] for tap in range(TAPS)], 1).astype(np.float64)
    squares = past @ past.transpose(0, 2, 1)
    ridge = np.trace(squares, axis1=1, axis2=2) * _RIDGE + 1.0
    squares += ridge[:, None, None] * np.eye(TAPS)
    solved = np.linalg.solve(squares, past @ lanes[:, TAPS:, None].astype(np.float64))[:, :, 0]
    weights: NDArray[np.int32] = np.clip(np.rint(solved * 8192), -32768, 32767).astype(np.int32)
    return weights


def _scales_to_try(lanes: NDArray[np.int32], weights: NDArray[np.int32]) -> NDArray[np.int64]:
    """Lowest scale to try, [16, a]: near what would be best if the past were known without error."""
    predicted = sum(lanes[:, tap : tap + _SAMPLES] * (weights[:, tap, None] / 8192) for tap in range(TAPS))
    wanted = np.clip(lanes[:, TAPS:] - predicted, -_REACH, _REACH - 1).astype(np.int32)
    errors = np.empty((len(RESIDUALS), len(lanes), _SLICES), np.float32)
    for scale, row in enumerate(_RESIDUAL_OF):
        missed = (wanted - row.take(wanted + _REACH)).astype(np.float32).reshape(len(lanes), _SLICES, SLICE)
        errors[scale] = np.einsum("ask,ask->as", missed, missed)
    found: NDArray[np.int64] = np.clip(errors.argmin(0) - _BELOW, 0, len(RESIDUALS) - _TRIED).T
    return found


def _quantise(
    lanes: NDArray[np.int32], first_weights: NDArray[np.int32], lowest: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Scales uint64[16, a] and codes uint8[16, 20, a], the predictor learning from what a decoder will have.

    Every slice is run with each of its scales from the state that the best one of the slice before has left.
    """
    count = len(lanes)
    width = count * _TRIED
    tried = lowest[:, :, None] + np.arange(_TRIED)
    # A table of all scales is addressed by one number, to which the scale's share is added beforehand.
    offsets = (tried * 2 * _REACH + _REACH).astype(np.int32).reshape(_SLICES, width)
    samples = np.repeat(lanes[:, TAPS:].T, _TRIED, axis=1).reshape(_SLICES, SLICE, width)
    table = _RESIDUAL_OF.ravel()

    past = np.empty((TAPS + SLICE, width), np.int32)
    signs = np.empty_like(past)
    past[SLICE:] = np.repeat(lanes[:, :TAPS].T, _TRIED, axis=1)
    signs[SLICE:] = (past[SLICE:] >> 31) | 1
    weights = np.repeat(first_weights.T, _TRIED, axis=1)
    index = np.empty((SLICE, width), np.int32)
    residual, work = np.empty(width, np.int32), np.empty(width, np.int32)
    products, halves = np.empty_like(weights), np.empty((2, width), np.int32)
    front, back, one, other = products[:2], products[2:], halves[0], halves[1]
    steps = [(past[n : n + TAPS], signs[n : n + TAPS], past[n + TAPS], signs[n + TAPS], index[n]) for n in range(SLICE)]
    scales = np.empty((_SLICES, count), np.uint64)
    codes = np.empty((_SLICES, SLICE, count), np.uint8)
    lane = np.arange(count)
    for place in range(_SLICES):
        past[:TAPS], signs[:TAPS] = past[SLICE:], signs[SLICE:]
        wanted = samples[place] + offsets[place]
        low, high = offsets[place] - _REACH, offsets[place] + (_REACH - 1)
        for n, (before, before_signs, sample, sign, at) in enumerate(steps):
            np.multiply(weights, before, out=products)
            np.add(front, back, out=halves)
            np.add(one, other, out=work)
            np.right_shift(work, 13, out=work)
            np.subtract(wanted[n], work, out=at)
            np.maximum(at, low, out=at)
            np.minimum(at, high, out=at)
            table.take(at, out=residual, mode="clip")
            np.add(work, residual, out=sample)
            np.maximum(sample, -32768, out=sample)
            np.minimum(sample, 32767, out=sample)
            np.right_shift(sample, 31, out=sign)
            np.bitwise_or(sign, 1, out=sign)
            np.right_shift(residual, 4, out=residual)
            np.multiply(before_signs, residual, out=products)
            np.add(weights, products, out=weights)
        best = _best(past[TAPS:] - samples[place], weights, count)
        chosen = best + _TRIED * lane
        scales[place] = tried[place, lane, best]
        codes[place] = _CODE_OF.ravel().take(index[:, chosen])
        on = np.repeat(chosen, _TRIED)
        weights[:], past[SLICE:], signs[SLICE:] = weights[:, on], past[SLICE:, on], signs[SLICE:, on]
    return scales, codes


def _best(missed: NDArray[np.int32], weights: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Which scale to keep for each lane: the least error, but none that drives the weights out of range."""
    error = np.square(missed.astype(np.float32)).sum(0)
    excess = np.maximum(np.square(weights.astype(np.float32)).sum(0) - _WEIGHT_ENERGY, 0.0) / (1 << 18)
    best: NDArray[np.int64] = (error + SLICE * np.square(excess)).reshape(count, _TRIED).argmin(1)
    return best
