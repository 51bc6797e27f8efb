# SPDX-License-Identifier: Apache-2.0
"""What a slot engine is told about its size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segue_engine.frame_model import ChunkEncoder


@dataclass(frozen=True, kw_only=True)
class SlotEngineConfig:
    """Sizes of a slot engine. Raises ValueError naming the field that can't be.

    slots: sessions that it carries. bank_rows: rows of one bank; a bank is one state and one dispatch. spread: whether
    a slot goes to the bank with the fewest, so that devices share the work, or to the first with room. sizes: rows of
    the step programs, each compiled ahead of time; the smallest that covers the due rows runs. There is always a 1.
    rewind_frames: how far a rewind reaches. snapshot_interval: frames between copies of carried state; a rewind
    replays at most twice as many. side_cost: rows of a batch that one run of the single-row program is worth; a few
    due rows far apart run in it one by one. 0: never.
    prefill_budget: frames of history taken in per step, all slots together, and at once; sound_budget: how many of them
    are decoded, which is the dearer part. pass_budget: pieces of encoder passes per step and bank, for models that have
    an encoder; 0: twice as many as a full bank needs where no style changes. guidance: whether programs for guidance
    other than 1 are compiled.
    """

    slots: int
    bank_rows: int = 16
    sizes: tuple[int, ...] = (4, 16)
    rewind_frames: int = 250
    snapshot_interval: int = 8
    side_cost: int = 8
    spread: bool = False
    prefill_budget: int = 32
    sound_budget: int = 8
    pass_budget: int = 0
    guidance: bool = False

    def __post_init__(self) -> None:
        for name in ("slots", "bank_rows", "snapshot_interval", "prefill_budget", "sound_budget"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("rewind_frames", "side_cost", "pass_budget"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected at least 0, got {getattr(self, name)}")
        if not self.sizes or any(size < 1 for size in self.sizes):
            raise ValueError(f"sizes: expected row counts of at least 1, got {self.sizes}")

    @property
    def banks(self) -> int:
        return -(-self.slots // self.rows)

    def occupied(self, slots: int) -> list[int]:
        """How many of so many slots each bank holds, if none was ever released."""
        if self.spread:
            return [len(range(bank, slots, self.banks)) for bank in range(self.banks)]
        return [min(self.rows, max(0, slots - bank * self.rows)) for bank in range(self.banks)]

    @property
    def rows(self) -> int:
        """Rows of every bank: no more than there are slots."""
        return min(self.bank_rows, self.slots)

    @property
    def step_sizes(self) -> tuple[int, ...]:
        """Ascending sizes of the step programs, the last covering a whole bank."""
        return (*sorted({size for size in self.sizes if size < self.rows}), self.rows)

    def pieces_a_step(self, encoder: ChunkEncoder) -> int:
        """The pass budget as a number of pieces; landing a pass counts as one."""
        needed = self.rows * len(encoder.passes) * (encoder.pieces + 1)
        return self.pass_budget or max(1, -(-2 * needed // encoder.frames))

    def absorbed(self, codec_memory: int | None) -> int:
        """Frames of history that one call takes in: no more than are ever decoded together, where all of them are."""
        return min(self.prefill_budget, self.sound_budget) if codec_memory is None else self.prefill_budget

    @property
    def kept(self) -> int:
        """Copies of carried state per row: enough to reach back `rewind_frames` from any frame."""
        return -(-self.rewind_frames // self.snapshot_interval) + 3

    @property
    def history(self) -> int:
        """Frames of codes that the host remembers per slot, for replays."""
        return self.rewind_frames + 4 * self.snapshot_interval + 2
