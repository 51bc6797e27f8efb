# SPDX-License-Identifier: Apache-2.0
"""Where things are: fixed sines in the encoder, a learned bias by distance in the decoder's two stacks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def sinusoids(length: int, width: int) -> NDArray[np.float32]:
    """float32[length, width]: sin(p w_i) in the first half, cos(p w_i) in the second, w_i = 10000^(−i / (width/2 − 1)).

    The published table divides by one less than usual, so that the last frequency is exactly 1/10000.
    """
    half = width // 2
    frequency = np.exp(-np.arange(half) * (math.log(10_000.0) / max(1, half - 1)))
    angle = np.arange(length)[:, None] * frequency
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def buckets(distances: NDArray[np.integer], count: int, furthest: int) -> NDArray[np.int32]:
    """T5's causal buckets: of distances ≥ 0, the near half one each, the rest by logarithm up to `furthest`."""
    near = count // 2
    if near == 0:
        return np.zeros(distances.shape, np.int32)
    steps = np.maximum(distances, 1).astype(np.float32) / np.float32(near) + np.finfo(np.float32).eps
    scale = np.float32((count - near) / math.log(furthest / near))
    far = near + (np.log(steps) * scale).astype(np.int32)
    return np.where(distances < near, distances, np.minimum(far, count - 1)).astype(np.int32)


def bias_by_distance(table: NDArray[np.floating], length: int, furthest: int) -> NDArray[np.floating]:
    """table [N, buckets] → [N, length]: the bias of a key that lies 0, 1, … length − 1 back."""
    return table[:, buckets(np.arange(length), table.shape[1], furthest)]
