# SPDX-License-Identifier: Apache-2.0
"""One bank: a device state of fixed rows, the host's inputs for it, and what can be done to its rows.

Everything is dispatched and returns at once; only reading an output waits. One thread.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.frame import Carried, Live
from segue_engine.batch.programs import BankShape, Programs, make_name
from segue_engine.batch.rows import DUE, FRAME, GAIN, HostRows

Rows = NDArray[np.int64]
Codes = NDArray[np.int32]


class Output(NamedTuple):
    """A dispatch's packed output: entry i of `wanted` is row `wanted[i]` of `packed`, int16[rows, PCM + levels + 1]."""

    packed: jax.Array
    wanted: Rows


class Bank:
    """Rows 0..used-1 are owned: `owner[row]` is a slot. Rows past them hold anything."""

    def __init__(self, programs: Programs, params: Any, shape: BankShape) -> None:
        self.inputs = HostRows(shape.rows)
        self.owner = np.full(shape.rows, -1, np.int64)
        self.used = 0
        self._programs = programs
        self._params = params
        self._shape = shape
        self.live: Live
        self.kept: Carried
        self.live, self.kept = programs["fresh"]()

    @property
    def rows(self) -> int:
        return self.owner.size

    @property
    def full(self) -> bool:
        return self.used == self.rows

    @property
    def device(self) -> jax.Device:
        return self._programs.device

    def step(self, due: Rows, guided: bool, side_rows: int) -> list[Output]:
        """Make a frame for the due rows, ascending; outputs are in the order of `due` and on their way to the host."""
        if due.size <= side_rows or self.rows == 1:
            return [Output(self._single(int(row), guided), np.zeros(1, np.int64)) for row in due]
        top = int(due[-1]) + 1
        size = next(size for size in self._shape.sizes if size >= top and size > 1)
        # A copy, since the CPU backend may read the array later than the call returns.
        packed = self.inputs.packed[:size].copy()
        packed[:, DUE] = 0
        packed[due, DUE] = 1
        rings, codes = self._programs[make_name(size, guided)](self.live.rings, self._params, packed)
        carried, out = self._programs[f"sound {size}"](self.live.carried, self._params, codes, packed)
        self.live = Live(rings, carried)
        out.copy_to_host_async()
        return [Output(out, due)]

    def reset(self, row: int) -> None:
        """Make the row fresh."""
        self.live = self._programs["reset"](self.live, _index(row))

    def reset_carried(self, row: int) -> None:
        """Make the row's codec and mastering fresh."""
        self._set_carried(self._programs["reset_carried"](self.live.carried, _index(row)))

    def prefill(self, row: int, frame: int, codes: Codes) -> None:
        """Take in int32[frames, levels] as history, its first frame at `frame`."""
        for i in range(len(codes)):
            packed = self._packed(row, frame + i)
            given, index = codes[i : i + 1], _index(row)
            rings = self._programs["force"](self.live.rings, self._params, given, packed, index)
            carried, _ = self._programs["sound 1"](self.live.carried, self._params, given, packed, index)
            self.live = Live(rings, carried)

    def replay(self, row: int, codes: Codes, gains_db: NDArray[np.float32]) -> None:
        """Run the row's carried state over int32[frames, levels] again."""
        for i in range(len(codes)):
            packed = self._packed(row, 0)
            packed[:, GAIN] = gains_db[i : i + 1].view(np.int32)
            self._set_carried(
                self._programs["sound 1"](self.live.carried, self._params, codes[i : i + 1], packed, _index(row))[0]
            )

    def keep(self, row: int, place: int) -> None:
        """Copy the row's carried state to `place`."""
        self.kept = self._programs["keep"](self.kept, self.live.carried, _index(row), _index(place))

    def load(self, row: int, place: int) -> None:
        """Take the row's carried state back from `place`."""
        self._set_carried(self._programs["load"](self.live.carried, self.kept, _index(row), _index(place)))

    def move(self, source: int, target: int) -> None:
        """Copy a row, inputs and owner included, onto another."""
        self.put(target, self.take(source))
        self.inputs.packed[target] = self.inputs.packed[source]
        self.owner[target] = self.owner[source]

    def take(self, row: int) -> tuple[Live, Carried]:
        """A copy of the row's state."""
        taken: tuple[Live, Carried] = self._programs["take"](self.live, self.kept, _index(row))
        return taken

    def put(self, row: int, taken: tuple[Live, Carried]) -> None:
        """Overwrite the row's state with one that `take` gave on this or another device."""
        taken = jax.device_put(taken, self.device)
        self.live, self.kept = self._programs["put"](self.live, self.kept, taken, _index(row))

    def warm_up(self) -> None:
        """Run every program once and start over. Only while no row is owned."""
        one = np.zeros((1, self._shape.levels), np.int32)
        self.reset(0)
        self.prefill(0, 0, one)
        self.keep(0, 0)
        self.load(0, 0)
        self.replay(0, one, np.zeros(1, np.float32))
        self.reset_carried(0)
        self.move(0, 0)
        for size in (1, *self._shape.sizes):
            for guided in (False, True) if self._shape.guided else (False,):
                np.asarray(self.step(np.arange(size), guided, side_rows=1)[0].packed)
        del self.live, self.kept  # so that no two copies of the state are held at once
        self.live, self.kept = self._programs["fresh"]()

    def _single(self, row: int, guided: bool) -> jax.Array:
        packed, index = self._packed(row), _index(row)
        rings, codes = self._programs[make_name(1, guided)](self.live.rings, self._params, packed, index)
        carried, out = self._programs["sound 1"](self.live.carried, self._params, codes, packed, index)
        self.live = Live(rings, carried)
        out.copy_to_host_async()
        output: jax.Array = out
        return output

    def _packed(self, row: int, frame: int | None = None) -> NDArray[np.int32]:
        packed = self.inputs.packed[row : row + 1].copy()
        packed[:, DUE] = 1
        if frame is not None:
            packed[:, FRAME] = frame
        return packed

    def _set_carried(self, carried: Carried) -> None:
        self.live = Live(self.live.rings, carried)


def _index(value: int) -> NDArray[np.int32]:
    return np.asarray(value, np.int32)
