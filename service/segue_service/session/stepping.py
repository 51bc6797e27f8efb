# SPDX-License-Identifier: Apache-2.0
"""Stepping a slot until it has a frame: history or an encoder's pass may have to be worked off first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from segue_engine.contract import Engine, SlotHandle

PATIENCE: Final = 10_000
"""Steps without a frame, of a slot that was due in all of them, after which the engine counts as stuck."""


def until_frame(engine: Engine, slot: SlotHandle) -> Iterator[None]:
    """Asks for one step of the slot after the other until its head has gone on. Raises RuntimeError if it never does.

    Device thread only.
    """
    before = engine.head(slot)
    for _ in range(PATIENCE):
        yield
        if engine.head(slot) != before:
            return
    raise RuntimeError(f"slot {slot.index} has no frame {before} after {PATIENCE} steps in which it was due")
