# SPDX-License-Identifier: Apache-2.0
"""The documented recipe for weights that a vector set states by seed alone, and the sums that prove them regenerated.

One PCG64 generator runs over the keys in byte-wise order, one standard normal float32 tensor each; what it is scaled
by follows from the last part of the key.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue_engine.verify.vector_set import Shapes, VectorError

Array = NDArray[Any]

CODEC_GAIN: Final = 1.5
_CODEC_PREFIXES: Final = ("params/soundstream", "params/encoder")
_CLOSE: Final = 1e-3
"""Of a tensor's length (the root of its sum of squares): other weights are about one length away, rounding far less."""


def draw(shapes: Shapes, seed: int, logit_gain: float = 1.0) -> Iterator[tuple[str, Array]]:
    """(key, float32 tensor) of every key, in order; logit_gain only scales the kernel of the logits."""
    rng = np.random.default_rng(seed)
    for key in sorted(shapes, key=str.encode):
        shape = shapes[key]
        noise = rng.standard_normal(shape, dtype=np.float32)
        yield key, np.ascontiguousarray(_scaled(key, shape, noise, logit_gain), np.float32)


def _scaled(key: str, shape: tuple[int, ...], noise: Array, logit_gain: float) -> Array:
    leaf = key.rsplit("/", 1)[-1]
    if leaf == "scale":
        return np.float32(1) + np.float32(0.2) * noise
    if leaf == "bias":
        return np.float32(0.1) * noise
    if leaf == "per_dim_scale":
        return np.float32(0.5) * noise
    if leaf.startswith("sink_"):
        return noise
    if leaf == "embedding":
        return noise / np.float32(math.sqrt(shape[-1]))
    fan: float
    if key.endswith("output_projection/kernel"):  # stored outputs first
        fan = shape[1] * shape[2]
    elif len(shape) == 3:
        fan = shape[0]
    else:
        fan = math.prod(shape[:-1])
    if key.endswith("to_logits/kernel"):
        fan = fan / logit_gain**2
    gain = CODEC_GAIN if key.startswith(_CODEC_PREFIXES) else 1.0
    return noise * np.float32(gain / math.sqrt(fan))


def check_keys(file: str, stated: Shapes, expected: Shapes, model: str) -> None:
    """Raises VectorError where the tensors that `file` states are not those of the model."""
    different = sorted(key for key in expected.keys() | stated.keys() if expected.get(key) != stated.get(key))
    if different:
        key = different[0]
        raise VectorError(
            f"{file}: {len(different)} tensors are not those of {model}, first {key}: "
            f"expected {_said(expected, key)}, got {_said(stated, key)}"
        )


def _said(shapes: Shapes, key: str) -> str:
    return str(list(shapes[key])) if key in shapes else "no such tensor"


class SumCheck:
    """Sums that a set states of some tensors, held against the tensors as they are drawn. Raises VectorError."""

    def __init__(self, where: str, sums: Mapping[str, float], tops: Mapping[str, float] | None = None) -> None:
        """where: file and field that state them. sums: key → sum; tops: key → largest magnitude."""
        self._where = where
        self._sums = sums
        self._tops = tops or {}
        self._seen: set[str] = set()

    def see(self, key: str, tensor: Array) -> None:
        """Check a tensor if something is stated of it."""
        if key not in self._sums:
            return
        self._seen.add(key)
        exact = tensor.astype(np.float64)
        total, length = float(exact.sum()), float(np.sqrt(np.square(exact).sum()))
        if not abs(total - self._sums[key]) <= _CLOSE * length:
            self._differ(key, "sum", total, self._sums[key])
        top = float(np.abs(exact).max())
        if key in self._tops and not abs(top - self._tops[key]) <= _CLOSE * top:
            self._differ(key, "largest magnitude", top, self._tops[key])

    def finish(self) -> None:
        """Call after the last tensor: what is stated of tensors that never came is an error too."""
        missing = sorted(set(self._sums) - self._seen)
        if missing:
            raise VectorError(f"{self._where}: states the sum of {missing[0]}, which is no key of the set")

    def _differ(self, key: str, what: str, got: float, stated: float) -> None:
        raise VectorError(
            f"{self._where}: the weights regenerated from the seed are not the set's: {what} of {key} is "
            f"{got:.9g}, stated {stated:.9g}"
        )
