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
from segue_engine.batch.pass_recipes import FINISH, GO_ON, begin_name, land_name
from segue_engine.batch.programs import BankShape, Programs, make_name
from segue_engine.batch.rows import DUE, FRAME, LEVELS, HostRows, style_row
from segue_engine.contract import Conditioning, Sampling
from segue_engine.journal import Window

Rows = NDArray[np.int64]
Codes = NDArray[np.int32]


class Output(NamedTuple):
    """A dispatch's packed output: entry i of `wanted` is row `wanted[i]` of `packed`, int16[rows, ..] as `Frame.sound`
    gives it."""

    packed: jax.Array
    wanted: Rows


class _Window(NamedTuple):
    """`size` rows from `row` on, taken out of the bank's state: `live` is newer than what the bank holds of them."""

    row: int
    size: int
    live: Live


class Bank:
    """Rows 0..used-1 are owned: `owner[row]` is a slot. Rows past them hold anything.

    When few rows are due, a window of the state is cut out and stepped by a smaller program. It stays out until other
    rows are wanted, so that a small population, or a slot that catches up, pays for the cut only once.
    """

    def __init__(self, programs: Programs, params: Any, shape: BankShape, default_sampling: Sampling) -> None:
        self.inputs = HostRows(shape.rows, default_sampling)
        self.owner = np.full(shape.rows, -1, np.int64)
        self.used = 0
        self._programs = programs
        self._params = params
        self._shape = shape
        self._live: Live
        self._kept: Carried
        self._window: _Window | None = None
        self._live, self._kept = programs["fresh"]()

    @property
    def rows(self) -> int:
        return self.owner.size

    @property
    def full(self) -> bool:
        return self.used == self.rows

    @property
    def device(self) -> jax.Device:
        return self._programs.device

    @property
    def state(self) -> tuple[Live, Carried]:
        """The whole bank's state and copies of carried state. Setting it is for tests."""
        return self._close(), self._kept

    @state.setter
    def state(self, state: tuple[Live, Carried]) -> None:
        self._window = None
        self._live, self._kept = state

    def step(self, due: Rows, guided: bool, side_cost: int) -> list[Output]:
        """Make a frame for the due rows, ascending; outputs are in the order of `due` and on their way to the host.

        One program runs, or one per due row where those, `side_cost` rows each, cost less; 0 stands for never.
        """
        low, high = int(due[0]), int(due[-1])
        sizes = self._shape.all_sizes if side_cost else self._shape.sizes
        size = next(size for size in sizes if high - low < size)
        if side_cost and 1 < due.size <= size // side_cost:
            return [self.run(row, 1, np.array([row]), guided) for row in due.tolist()]
        # From row 0 if that will do, so that the window stays the same while the due rows vary.
        start = 0 if high < size else min(low, self.rows - size)
        return [self.run(start, size, due, guided)]

    def run(self, start: int, size: int, due: Rows, guided: bool) -> Output:
        """Make a frame for the due rows by the program for `size` rows, on those from `start` on."""
        packed, live = self._packed(start, size, due), self._open(start, size)
        rings, codes = self._programs[make_name(size, guided)](live.rings, self._params, packed)
        carried, out = self._programs[f"sound {size}"](live.carried, self._params, codes, packed)
        self._update(start, size, Live(rings, carried))
        out.copy_to_host_async()
        return Output(out, due - start)

    def take_out(self, start: int, size: int) -> None:
        """Have just these rows out in a window, or none if they are the whole bank."""
        if size == self.rows:
            self._close()
        else:
            self._update(start, size, self._open(start, size))

    def wait(self) -> None:
        """Wait for everything that was done to the rows."""
        jax.block_until_ready(self._live if self._window is None else self._window.live)  # type: ignore[no-untyped-call]

    def keep(self, rows: Rows, places: Rows) -> None:
        """Copy the rows' carried state to their `places`."""
        window, width = self._holding(int(rows.min()), int(rows.max())), self._shape.keep_width
        keep = self._programs[f"keep {window.size}"]
        for at in range(0, rows.size, width):
            some = np.resize(rows[at : at + width], width).astype(np.int32)  # repeats what there is
            where = np.resize(places[at : at + width], width).astype(np.int32)
            self._kept = keep(self._kept, window.live.carried, some - np.int32(window.row), some, where)

    def reset(self, row: int) -> None:
        """Make the row fresh."""
        self._live = self._programs["reset"](self._close(), _index(row))

    def recall(self, row: int, loudness: tuple[float, float, float]) -> None:
        """Let the row's mastering know its loudness, see `contract.Past`."""
        self._live = self._programs["recall"](self._close(), _index(row), np.asarray(loudness, np.float32))

    def reset_carried(self, row: int) -> None:
        """Make the row's codec and mastering fresh."""
        self._live = self._programs["reset_carried"](self._close(), _index(row))

    def load(self, row: int, place: int) -> None:
        """Take the row's carried state back from `place`."""
        self._live = self._programs["load"](self._close(), self._kept, _index(row), _index(place))

    def prefill(self, row: int, frame: int, codes: Codes, sounded: int) -> None:
        """Take in int32[frames, levels] as history, its first frame at `frame`; the codec runs over the last `sounded`
        of them."""
        most = self._shape.absorbed
        for at in range(0, len(codes), most):
            some = codes[at : at + most]
            packed = self._packed(row, 1, np.array([row]))
            packed[:, FRAME] = frame + at
            given = np.zeros((1, most, self._shape.levels), np.int32)
            given[0, : len(some)] = some
            live = self._open(row, 1)
            count = np.full(1, len(some), np.int32)
            rings = self._programs["absorb"](live.rings, self._params, given, packed, count)
            self._update(row, 1, Live(rings, live.carried))
        heard = codes[len(codes) - sounded :]
        self.replay(row, heard, np.tile(self.inputs.levels[row], (len(heard), 1)))

    def replay(self, row: int, codes: Codes, levels: NDArray[np.float32]) -> None:
        """Run the row's carried state over codes int32[frames, n] and levels float32[frames, 2] again."""
        packed = self._packed(row, 1, np.array([row]))
        for i in range(len(codes)):
            packed = packed.copy()
            packed[:, LEVELS] = levels[i : i + 1].view(np.int32)
            live = self._open(row, 1)
            carried, _ = self._programs["sound 1"](live.carried, self._params, codes[i : i + 1], packed)
            self._update(row, 1, Live(live.rings, carried))

    def window_of(self, row: int) -> Window:
        """The open window if it holds the row, else the whole bank: passes run on it."""
        held = self._holding(row, row)
        return Window(held.size, row - held.row)

    def begin_pass(self, row: int, frame: int, conditioning: Conditioning, number: int) -> Any:
        """Work of the encoder's pass `number` on what the row played before the model's `frame`."""
        held = self._holding(row, row)
        begin = self._programs[begin_name(held.size)]
        codes = style_row(conditioning)
        return begin(held.live.rings, self._params, _index(row - held.row), _index(frame), codes, _index(number))

    def go_on_pass(self, work: Any, piece: int) -> Any:
        """A piece of the pass; `work` is used up."""
        return self._programs[GO_ON](work, self._params, _index(piece))

    def land_pass(self, row: int, work: Any, number: int) -> Any:
        """Let the row be led by what the pass has come to; gives that, to wait for."""
        result = self._programs[FINISH](work, self._params)
        held = self._holding(row, row)
        land = self._programs[land_name(held.size)]
        rings = land(held.live.rings, _index(row - held.row), result, _index(number))
        self._update(held.row, held.size, Live(rings, held.live.carried))
        return result

    def move(self, source: int, target: int) -> None:
        """Copy a row, inputs and owner included, onto another."""
        self.put(target, self.take(source))
        self.inputs.packed[target] = self.inputs.packed[source]
        self.owner[target] = self.owner[source]

    def take(self, row: int) -> tuple[Live, Carried]:
        """A copy of the row's state."""
        taken: tuple[Live, Carried] = self._programs["take"](self._close(), self._kept, _index(row))
        return taken

    def put(self, row: int, taken: tuple[Live, Carried]) -> None:
        """Overwrite the row's state with one that `take` gave on this or another device."""
        taken = jax.device_put(taken, self.device)
        self._live, self._kept = self._programs["put"](self._close(), self._kept, taken, _index(row))

    def warm_up(self) -> None:
        """Run every program once and start over. Only while no row is owned."""
        one, row = np.zeros((1, self._shape.levels), np.int32), np.zeros(1, np.int64)
        self.reset(0)
        self.prefill(0, 0, one, 1)
        self.recall(0, (0.0, -20.0, 0.0))
        self.load(0, 0)
        self.replay(0, one, np.zeros((1, 2), np.float32))
        self.reset_carried(0)
        self.move(0, 0)
        for size in self._shape.all_sizes:
            for guided in self._shape.variants(size):
                np.asarray(self.run(0, size, np.arange(size), guided).packed)
            self.keep(row, row)
            if self._shape.passes:
                self.land_pass(0, self.go_on_pass(self.begin_pass(0, 0, Conditioning(), 0), 0), 0)
        self._close()
        del self._live, self._kept  # so that no two copies of the state are held at once
        self._live, self._kept = self._programs["fresh"]()

    def _packed(self, start: int, size: int, due: Rows) -> NDArray[np.int32]:
        # A copy, since the CPU backend may read the array later than the call returns.
        packed = self.inputs.packed[start : start + size].copy()
        packed[:, DUE] = 0
        packed[due - start, DUE] = 1
        return packed

    def _open(self, row: int, size: int) -> Live:
        """State of the rows, cut out unless it is the whole bank's; `_update` takes the next one back."""
        if size == self.rows:
            return self._close()
        window = self._window
        if window is None or (window.row, window.size) != (row, size):
            live: Live = self._programs[f"cut {size}"](self._close(), _index(row))
            return live
        return window.live

    def _holding(self, first: int, last: int) -> _Window:
        """The open window if it holds these rows, else the whole bank."""
        window = self._window
        if window is not None and window.row <= first and last < window.row + window.size:
            return window
        return _Window(0, self.rows, self._close())

    def _update(self, row: int, size: int, live: Live) -> None:
        if size == self.rows:
            self._live = live
        else:
            self._window = _Window(row, size, live)

    def _close(self) -> Live:
        if self._window is not None:
            row, size, live = self._window
            self._window = None
            self._live = self._programs[f"paste {size}"](self._live, live, _index(row))
        return self._live


def _index(value: int) -> NDArray[np.int32]:
    return np.asarray(value, np.int32)
