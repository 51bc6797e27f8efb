# SPDX-License-Identifier: Apache-2.0
"""The settings of jax that Magenta RT 1's golden vectors were computed under, held while a check runs, never longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def parity() -> Iterator[None]:
    """Full float32 products, and threefry numbers as older versions of jax lay them out."""
    with jax.default_matmul_precision("highest"), jax.threefry_partitionable(False):
        yield
