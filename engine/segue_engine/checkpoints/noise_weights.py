# SPDX-License-Identifier: Apache-2.0
"""Random weights, tensor by tensor, scaled so that activations keep to the order of 1. What they play is noise."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

CHUNK: Final = 1 << 22
"""Numbers that are drawn at once."""

_CONDITIONING_CHANNELS: Final = 132
_STYLE_LEVELS: Final = 12
_LEVELS_HEARD: Final = 12
_LOUDNESS: Final = 4.0
"""Gain of the decoder's last convolution: with it, noise of the published size is about as loud as music."""


Scale = Callable[[str, tuple[int, ...]], tuple[float, float]]
"""Mean and standard deviation of a tensor's numbers, by its published key and shape."""


def random_tensor(
    key: str, shape: tuple[int, ...], seed: int, scale: Scale | None = None
) -> Iterator[NDArray[np.float32]]:
    """A tensor as flat float32 pieces, row-major; the same for the same key, shape and seed, in whatever order.

    scale: `scale_of` unless another is given.
    """
    digest = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    rng = np.random.Generator(np.random.Philox(int.from_bytes(digest[:16], "little")))
    mean, deviation = (scale or scale_of)(key, shape)
    left = math.prod(shape)
    while left:
        piece = rng.standard_normal(min(left, CHUNK), np.float32)
        piece *= np.float32(deviation)
        if mean:
            piece += np.float32(mean)
        left -= piece.size
        yield piece


def scale_of(key: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Of a Magenta RT 2 with its codec."""
    parent, leaf = _tail(key)
    if leaf == "scale":
        return 1.0, 0.05
    if leaf == "bias":
        return 0.0, 0.02
    if leaf == "per_dim_scale":
        return 0.0, 0.2
    if leaf == "sink_key_embeddings":  # against queries of unit size that are not scaled
        return 0.0, 1.0 / math.sqrt(shape[-1])
    if leaf == "sink_value_embeddings":
        return 0.0, 1.0
    if leaf == "embedding":
        return 0.0, _embedding(parent, shape)
    return 0.0, _kernel(parent, shape, gain="/base_conv_last/" in key)


def first_version_scale(units: int) -> Scale:
    """Of a Magenta RT 1's language model with heads of `units`, as its layers begin their training.

    Queries are scaled in their kernel, because the layout has no other place for it.
    """

    def scale(key: str, shape: tuple[int, ...]) -> tuple[float, float]:
        parent, leaf = _tail(key)
        match leaf:
            case "scale":
                return 1.0, 0.05
            case "embedding":
                return 0.0, 1.0
            case "rel_embedding":
                return 0.0, math.sqrt(2.0 / sum(shape))
        return 0.0, 1.0 / math.sqrt(shape[0] * (units if parent == "query" else 1))

    return scale


def _embedding(parent: str, shape: tuple[int, ...]) -> float:
    if parent == "regular_embedder":  # a mean of its rows is to count as much as the sum of the style's
        return math.sqrt(_CONDITIONING_CHANNELS * _STYLE_LEVELS / shape[-1])
    if parent == "quantizer":  # rows of all levels that are heard are summed
        return 1.0 / math.sqrt(_LEVELS_HEARD)
    return 1.0 / math.sqrt(shape[-1])


def _kernel(parent: str, shape: tuple[int, ...], *, gain: bool) -> float:
    if parent == "output_projection":  # stored outputs first
        return 1.0 / math.sqrt(math.prod(shape[1:]))
    if len(shape) == 4:
        return (_LOUDNESS if gain else 1.0) / math.sqrt(math.prod(shape[:3]))
    return 1.0 / math.sqrt(shape[0])


def _tail(key: str) -> tuple[str, str]:
    parts = key.split("/")
    return (parts[-2] if len(parts) > 1 else ""), parts[-1]
