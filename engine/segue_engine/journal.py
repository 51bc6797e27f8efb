# SPDX-License-Identifier: Apache-2.0
"""What an engine tells of its slots while it plays: everything that their bits depend on. Importing it imports no jax.

A frame's bits are a function of what came before in its slot and of the program that made it: its number of rows, the
row's position in them, guided or not. Nothing else in the batch matters. So the records of one slot, in order, are
enough to make its frames again, bit for bit, on the same build and device. `at` is the slot's head when the record was
made, the first frame that is not dispatched; between two records a slot goes on as the last `MadeBy` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from segue_engine.contract import Blocks, Conditioning, Past, SlotHandle


class Window(NamedTuple):
    """A program for `size` rows, the slot being the one at `position`."""

    size: int
    position: int


@dataclass(frozen=True, slots=True)
class Record:
    """Something that happened to a slot."""

    slot: SlotHandle
    at: int


@dataclass(frozen=True, slots=True)
class Began(Record):
    """`insert`, as in the contract; history int32[frames, levels]."""

    seed: int
    conditioning: Conditioning
    history: NDArray[np.int32]
    past: Past


@dataclass(frozen=True, slots=True)
class Steered(Record):
    """`steer`, as in the contract."""

    plan: tuple[tuple[int, Conditioning], ...]


@dataclass(frozen=True, slots=True)
class TookIn(Record):
    """`count` frames of the slot's history were taken in at once, the last `sounded` of them decoded."""

    count: int
    sounded: int


@dataclass(frozen=True, slots=True)
class Listened(Record):
    """The encoder's pass `number` landed for the frame `at`; the windows in which it began and landed."""

    number: int
    began: Window
    landed: Window


@dataclass(frozen=True, slots=True)
class MadeBy(Record):
    """From frame `at` on, frames are made in this window."""

    window: Window
    guided: bool


@dataclass(frozen=True, slots=True)
class WentBack(Record):
    """`rewind` to the frame `reached`, by the copy of carried state before the frame `copied`; -1: from fresh state."""

    reached: int
    copied: int


@dataclass(frozen=True, slots=True)
class Faulted(Record):
    """Carried state was made fresh, since a frame was not finite."""


@dataclass(frozen=True, slots=True)
class Restored(Record):
    """The slot goes on from a snapshot: what it was before is not in its records."""


@dataclass(frozen=True, slots=True)
class Ended(Record):
    """`release`; frames from `at` on were not handed over."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """`MadeBy` of several slots at once, row r for handle (slots[r], epochs[r]): int64[n] each, guided bool[n]."""

    slots: NDArray[np.int64]
    epochs: NDArray[np.int64]
    frames: NDArray[np.int64]
    sizes: NDArray[np.int64]
    positions: NDArray[np.int64]
    guided: NDArray[np.bool_]

    def records(self) -> Iterator[MadeBy]:
        """One for each slot."""
        columns = (self.slots, self.epochs, self.frames, self.sizes, self.positions, self.guided)
        for slot, epoch, frame, size, position, guided in zip(*(c.tolist() for c in columns), strict=True):
            yield MadeBy(SlotHandle(slot, epoch), frame, Window(size, position), guided)


@dataclass(frozen=True, slots=True)
class Handed:
    """Blocks that go to whoever drives the engine, not to be changed. What isn't handed over is heard by nobody."""

    blocks: Blocks


@dataclass(frozen=True, slots=True)
class Made:
    """A frame made again: pcm int16[1920, 2], codes int16[levels], vitals int16[VITALS]."""

    frame: int
    pcm: NDArray[np.int16]
    codes: NDArray[np.int16]
    vitals: NDArray[np.int16]


class ReenactError(ValueError):
    """Records that no engine can have told; the message says which one and why."""


Entry = Record | Stepped | Handed
Journal = Callable[[Entry], None]
"""Takes an entry on the device thread, in the order in which things happened, and returns at once."""


@runtime_checkable
class Journalled(Protocol):
    """An engine that keeps a journal if it is given one; of slots that were there before, it tells only the rest."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """By name, what else bits depend on: build, device, compiler and sizes. The same here: the same bits."""
        ...

    def keep_journal(self, journal: Journal | None) -> None:
        """Tell the journal from now on; None: nobody. Device thread, or before the first step."""
        ...

    def reenact(self, records: Sequence[Record]) -> Iterator[Made | Record]:
        """One slot's frames again, in the order in which they were made, each record after the frames before it.

        For an engine of the same provenance, without slots; device thread. Records of unknown kinds wait for the frames
        before their `at`, and change nothing. Raises EngineError where a slot is bound, ReenactError while it runs.
        """
        ...


def records_of(entries: Iterable[Entry], slot: SlotHandle) -> list[Record]:
    """One slot's records out of a journal."""
    found: list[Record] = []
    for entry in entries:
        if isinstance(entry, Stepped):
            found += [record for record in entry.records() if record.slot == slot]
        elif isinstance(entry, Record) and entry.slot == slot:
            found.append(entry)
    return found
