# SPDX-License-Identifier: Apache-2.0
"""Where slots live: slot index → bank and row. Rows in use of a bank stay a contiguous prefix. One thread."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.bank import Bank


class Placement:
    """Slots over banks. `bank[slot]` and `row[slot]` are meaningful while the slot is bound.

    spread: fill the banks evenly. Where they are on devices of their own a step is as long as the fullest one's.
    """

    def __init__(self, slots: int, banks: Sequence[Bank], *, spread: bool = False) -> None:
        self.bank: NDArray[np.int64] = np.full(slots, -1, np.int64)
        self.row: NDArray[np.int64] = np.full(slots, -1, np.int64)
        self._banks = banks
        self._spread = spread

    def of(self, slot: int) -> tuple[Bank, int]:
        return self._banks[self.bank[slot]], int(self.row[slot])

    def place(self, slot: int) -> tuple[Bank, int]:
        """Give the slot the next row of a bank that has one: of the first, since full banks cost least per slot, or of
        the emptiest."""
        room = [i for i, bank in enumerate(self._banks) if not bank.full]
        index = min(room, key=lambda i: self._banks[i].used) if self._spread else room[0]
        bank = self._banks[index]
        row, bank.used = bank.used, bank.used + 1
        bank.owner[row] = slot
        self.bank[slot], self.row[slot] = index, row
        return bank, row

    def vacate(self, slot: int) -> None:
        """Take the slot's row back; the bank's last row moves into the hole."""
        bank, row = self.of(slot)
        last = bank.used - 1
        if row != last:
            bank.move(last, row)
            self.row[bank.owner[row]] = row
        bank.owner[last] = -1
        bank.inputs.clear(last)
        bank.used = last
        self.bank[slot] = self.row[slot] = -1
