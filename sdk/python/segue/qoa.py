# SPDX-License-Identifier: Apache-2.0
"""QOA frames → samples, and the tables of the format (qoaformat.org, "Quite OK Audio", version 1.0).

A frame is a header of 8 bytes, per channel a predictor's state (4 samples and 4 weights, int16), then slices of 8
bytes, channels taking turns: a scale of 4 bits and 20 codes of 3. Everything is big-endian.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray

SLICE: Final = 20
"""Samples of one channel in a slice."""
TAPS: Final = 4
HEADER: Final = struct.Struct(">B3sHH")
"""Channels, sample rate (24 bits), samples per channel, bytes of the whole frame."""
SCALES: Final = np.array([1, 7, 21, 45, 84, 138, 211, 304, 421, 562, 731, 928, 1157, 1419, 1715, 2048], np.int32)
_STEPS: Final = np.array([0.75, -0.75, 2.5, -2.5, 4.5, -4.5, 7.0, -7.0])


def _residuals() -> NDArray[np.int32]:
    exact = SCALES[:, None] * _STEPS
    rounded: NDArray[np.int32] = (np.sign(exact) * np.floor(np.abs(exact) + 0.5)).astype(np.int32)
    return rounded


RESIDUALS: Final = _residuals()
"""int32[16 scales, 8 codes]: what a code adds to the prediction."""
_CODE_SHIFTS: Final = np.arange(57, -1, -3, dtype=np.uint64)


def decode(data: bytes) -> NDArray[np.int16]:
    """Whole QOA frames, one after the other → int16[n, channels]. Raises ValueError if they are malformed."""
    frames = _frames(data)
    if not frames:
        return np.zeros((0, 2), np.int16)
    if len({channels for channels, _, _ in frames}) > 1:
        raise ValueError("QOA: expected one number of channels, got several")
    decoded: list[NDArray[np.int16]] = [np.zeros(0, np.int16)] * len(frames)
    # Frames stand alone, so those of one length are decoded side by side.
    for count in {count for _, count, _ in frames}:
        rows = [row for row, frame in enumerate(frames) if frame[1] == count]
        together = _decode_equal(np.stack([frames[row][2] for row in rows]), frames[0][0], count)
        for row, samples in zip(rows, together, strict=True):
            decoded[row] = samples
    return np.concatenate(decoded)


def _frames(data: bytes) -> list[tuple[int, int, NDArray[np.uint8]]]:
    """Channels, samples per channel and the bytes after the header of every frame."""
    found, at = [], 0
    while at < len(data):
        if len(data) - at < HEADER.size:
            raise ValueError(f"QOA: expected a header of {HEADER.size} bytes, got {len(data) - at}")
        channels, _, count, size = HEADER.unpack_from(data, at)
        slices = -(-count // SLICE)
        expected = HEADER.size + channels * (4 * TAPS + 8 * slices)
        if channels == 0 or count == 0 or size != expected:
            raise ValueError(f"QOA: expected {expected} bytes for {channels} × {count} samples, got {size}")
        if at + size > len(data):
            raise ValueError(f"QOA: expected a frame of {size} bytes, got {len(data) - at}")
        found.append((channels, count, np.frombuffer(data, np.uint8, size - HEADER.size, at + HEADER.size)))
        at += size
    return found


def _decode_equal(bodies: NDArray[np.uint8], channels: int, count: int) -> NDArray[np.int16]:
    """Bodies uint8[f, bytes] of frames of one length → int16[f, count, channels]; a lane per frame and channel."""
    frames, slices = len(bodies), -(-count // SLICE)
    lanes, head = frames * channels, 4 * TAPS * channels
    state = bodies[:, :head].copy().view(">i2").astype(np.int32).reshape(lanes, 2, TAPS)
    words = bodies[:, head:].copy().view(">u8").astype(np.uint64).reshape(frames, slices, channels)
    words = words.transpose(1, 0, 2).reshape(slices, 1, lanes)
    codes = (words >> _CODE_SHIFTS[:, None]) & np.uint64(7)
    residuals = RESIDUALS[words >> np.uint64(60), codes].reshape(slices * SLICE, lanes)
    deltas = residuals >> 4

    samples = np.empty((TAPS + slices * SLICE, lanes), np.int32)
    signs = np.empty_like(samples)
    samples[:TAPS] = state[:, 0].T
    signs[:TAPS] = (samples[:TAPS] >> 31) | 1
    weights = np.ascontiguousarray(state[:, 1].T)
    products, halves, sample = np.empty_like(weights), np.empty((2, lanes), np.int32), np.empty(lanes, np.int32)
    for n in range(slices * SLICE):
        np.multiply(weights, samples[n : n + TAPS], out=products)
        np.add(products[:2], products[2:], out=halves)
        np.add(halves[0], halves[1], out=sample)
        np.right_shift(sample, 13, out=sample)
        np.add(sample, residuals[n], out=sample)
        np.maximum(sample, -32768, out=sample)
        np.minimum(sample, 32767, out=sample)
        samples[n + TAPS] = sample
        np.right_shift(sample, 31, out=sample)
        np.bitwise_or(sample, 1, out=signs[n + TAPS])
        np.multiply(signs[n : n + TAPS], deltas[n], out=products)
        np.add(weights, products, out=weights)
    whole = samples[TAPS : TAPS + count].astype(np.int16).reshape(count, frames, channels)
    return whole.transpose(1, 0, 2)
