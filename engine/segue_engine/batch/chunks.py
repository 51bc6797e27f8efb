# SPDX-License-Identifier: Apache-2.0
"""Which chunk every slot is in, and for which one its encoder's passes have landed. Host side, numpy only, one thread.

A chunk is begun by the plan and the frame alone: after `frames` frames, or where what the encoder hears changes. So a
slot that went back and goes on again is in the chunks that it was in before.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue_engine.frame_model import ChunkEncoder


class Chunk(NamedTuple):
    """begun: the slot's frame before which it was heard; heard: what of the conditioning."""

    begun: int
    heard: Hashable


@dataclass(frozen=True, slots=True)
class ChunkMemory:
    """What a slot's chunks were, for a snapshot."""

    log: tuple[Chunk, ...]
    landed: tuple[Chunk | None, ...]


class Chunks:
    """Chunks of `slots` slots that can be rewound by `reach` frames. Frames are the slots' own.

    A slot has to be settled where its plan has something to apply, as it has too when it went back, and from frame
    `until[i]` on, where its chunk ends. `begun[i]` is where the chunk that it is in began.
    """

    def __init__(self, slots: int, encoder: ChunkEncoder, reach: int) -> None:
        self.begun: NDArray[np.int64] = np.zeros(slots, np.int64)
        self.until: NDArray[np.int64] = np.zeros(slots, np.int64)
        self._frames = encoder.frames
        self._hears = encoder.passes
        self._reach = reach
        self._log: list[list[Chunk]] = [[] for _ in range(slots)]
        self._landed: list[list[Chunk | None]] = [self._nothing() for _ in range(slots)]

    def start(self, slot: int) -> None:
        """A new owner, who has heard nothing."""
        self._log[slot], self._landed[slot] = [], self._nothing()
        self.until[slot] = 0

    def settle(self, slot: int, head: int, heard: Hashable) -> Chunk:
        """The chunk that frame `head` belongs to, given what its conditioning would have the encoder hear."""
        log = self._log[slot]
        while log and log[-1].begun >= head:
            log.pop()
        if not log or head - log[-1].begun >= self._frames or log[-1].heard != heard:
            log.append(Chunk(head, heard))
        while len(log) > 1 and log[1].begun <= head - self._reach:
            del log[0]
        chunk = log[-1]
        self.begun[slot] = chunk.begun
        return chunk

    def age(self, slot: int) -> int:
        """Frames of the chunk before the slot's last one; a whole chunk's where there is none: its slot waits for its
        first, or has heard nothing for as long as can be."""
        log = self._log[slot]
        return log[-1].begun - log[-2].begun if len(log) > 1 else self._frames

    def lacks(self, slot: int, chunk: Chunk) -> int | None:
        """The first pass that has not landed for the chunk; None: all have."""
        for number, landed in enumerate(self._landed[slot]):
            if landed != self._marked(chunk, number):
                return number
        return None

    def ready(self, slot: int, chunk: Chunk) -> None:
        """All passes of the chunk have landed: it leads the slot up to its end."""
        self.until[slot] = chunk.begun + self._frames

    def land(self, slot: int, chunk: Chunk, number: int) -> None:
        """Pass `number` has landed, so what that pass had brought before is gone."""
        self._landed[slot][number] = self._marked(chunk, number)

    def copy(self, slot: int) -> ChunkMemory:
        return ChunkMemory(tuple(self._log[slot]), tuple(self._landed[slot]))

    def paste(self, slot: int, memory: ChunkMemory) -> None:
        """Continue from what `copy` gave."""
        self._log[slot], self._landed[slot] = list(memory.log), list(memory.landed)
        self.until[slot] = 0

    def _marked(self, chunk: Chunk, number: int) -> Chunk:
        """What a pass has heard: of one that is deaf to the conditioning, the frame only."""
        return chunk if self._hears[number] else Chunk(chunk.begun, None)

    def _nothing(self) -> list[Chunk | None]:
        return [None] * len(self._hears)
