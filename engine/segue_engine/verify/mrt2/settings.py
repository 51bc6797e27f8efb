# SPDX-License-Identifier: Apache-2.0
"""The settings of jax that Magenta RT 2's golden vectors were computed under, held while a check runs, never longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def parity() -> Iterator[None]:
    """Full float32 products, and threefry numbers that do not depend on how an array is laid out."""
    with jax.default_matmul_precision("highest"), jax.threefry_partitionable(True):
        yield
