# SPDX-License-Identifier: Apache-2.0
"""What the slot engine asks of mastering."""

from __future__ import annotations

from typing import Any, Protocol

import jax


class MasteringChain(Protocol):
    """Float audio in, float audio out, later by `delay_samples`. State has the row axis first; rows are independent."""

    @property
    def delay_samples(self) -> int: ...

    @property
    def loudness_lufs(self) -> float: ...

    @property
    def true_peak_dbtp(self) -> float: ...

    def init(self, rows: int) -> Any:
        """State of `rows` fresh rows."""
        ...

    def recall(self, state: Any, loudness: jax.Array) -> Any:
        """State of rows whose loudness is float32[B, 3], see `contract.Past`, finite."""
        ...

    def vitals(self, state: Any) -> jax.Array:
        """int16[B, VITALS] of the latest frame (see `contract.Blocks`)."""
        ...

    def apply(self, state: Any, audio: jax.Array, levels: jax.Array, due: jax.Array) -> tuple[Any, jax.Array]:
        """float32[B, 1920, 2], levels float32[B, 2] (gain in dB, ceiling in dBTP), bool[B] → state (rows not due
        bit-identical), float32[B, 1920, 2]."""
        ...
