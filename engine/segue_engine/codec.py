# SPDX-License-Identifier: Apache-2.0
"""What a language model over a codec needs of it: codes in, 40 ms of audio out, one row never a function of another.

The model is handed a codec and never asks which; SpectroStream is one.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax

PyTree = Any


class Codec(Protocol):
    """A streaming decoder with its weights. `init_state` and `decode` are traced inside compiled programs."""

    @property
    def version(self) -> str:
        """Identifies weights and layout together."""
        ...

    @property
    def delay(self) -> int:
        """Whole frames by which the audio lags the codes."""
        ...

    @property
    def memory(self) -> int | None:
        """Frames of codes that the state depends on; None if all of them."""
        ...

    @property
    def params(self) -> PyTree: ...

    def init_state(self, rows: int) -> PyTree:
        """State of `rows` fresh rows; every leaf has the row axis first, contents are data-independent."""
        ...

    def decode(self, params: PyTree, state: PyTree, codes: jax.Array, due: jax.Array) -> tuple[PyTree, jax.Array]:
        """codes int32[B, levels] in range, due bool[B] → float32[B, 1920, 2]. Rows not due keep their state."""
        ...
