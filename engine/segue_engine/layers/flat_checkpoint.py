# SPDX-License-Identifier: Apache-2.0
"""A checkpoint as `/`-joined names of arrays, and its comparison with the layout that a model expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

Shapes = dict[str, tuple[int, ...]]


class CheckpointError(ValueError):
    """A checkpoint that is not this model's; the message names every key at fault."""


def check_flat(name: str, expected: Shapes, flat: Mapping[str, Any]) -> None:
    """Raises one CheckpointError naming all missing, unknown, misshaped and mistyped keys of the model called `name`.

    Arrays may be lazy: shape and dtype are looked at, no number is read.
    """
    problems = [f"missing: {key} {list(expected[key])}" for key in sorted(expected.keys() - flat.keys())]
    problems += [f"unknown: {key}" for key in sorted(flat.keys() - expected.keys())]
    for key in sorted(expected.keys() & flat.keys()):
        array = flat[key]
        if tuple(array.shape) != expected[key]:
            problems.append(f"wrong shape: {key} expected {list(expected[key])}, got {list(array.shape)}")
        elif not jnp.issubdtype(array.dtype, jnp.floating):
            problems.append(f"wrong type: {key} expected floating point, got {array.dtype}")
    if problems:
        raise CheckpointError(f"checkpoint does not fit {name}:\n  " + "\n  ".join(problems))
