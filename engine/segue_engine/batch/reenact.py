# SPDX-License-Identifier: Apache-2.0
"""A slot's frames made again from what its engine told its journal: the same programs on the same rows, the same bits.

The neighbours of the time are not needed: a row is never a function of another. What is needed is everything that
depended on them: which program made a frame, where in it the row was, how history was cut, which copies there were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import jax
import numpy as np

from segue_engine.batch.bank import Bank
from segue_engine.batch.carried import NOTHING, CarriedHistory
from segue_engine.batch.chunks import Chunks
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.frame import PCM
from segue_engine.batch.plan import Plans
from segue_engine.batch.prefill import Prefills
from segue_engine.contract import CHANNELS, FRAME_SAMPLES, VITALS
from segue_engine.frame_model import FrameModel
from segue_engine.journal import (
    Began,
    Ended,
    Faulted,
    Listened,
    Made,
    MadeBy,
    Record,
    ReenactError,
    Restored,
    Steered,
    TookIn,
    WentBack,
    Window,
)


def reenact(
    model: FrameModel, config: SlotEngineConfig, bank: Bank, records: Sequence[Record]
) -> Iterator[Made | Record]:
    """The frames of one slot in the order in which they were made, each record coming after those before it.

    bank: of the same shape as at the time, with nobody else on it. Records of kinds that this doesn't know wait for
    frames up to their `at`, and change nothing. Raises ReenactError.
    """
    if not records or not isinstance(records[0], Began):
        raise ReenactError("records: expected the slot's beginning first, so the log has not seen all of it")
    actor, copied = _Actor(model, config, bank, records[0]), _copied(records)
    yield records[0]
    for number, record in enumerate(records[1:], start=1):
        while actor.head < record.at:
            yield actor.make(actor.head in copied[number - 1])
        actor.take(record)
        yield record


def _copied(records: Sequence[Record]) -> dict[int, set[int]]:
    """Before which frames, after which record, carried state was copied for a rewind that is to come."""
    found: dict[int, set[int]] = defaultdict(set)
    runs: list[tuple[int, int]] = []
    head = 0
    for record in records:
        runs.append((head, max(head, record.at)))
        head = max(head, record.at)
        if isinstance(record, WentBack):
            if record.copied != NOTHING:
                run = next((n for n in reversed(range(len(runs))) if runs[n][0] <= record.copied < runs[n][1]), None)
                if run is None:
                    raise ReenactError(f"rewind at frame {record.at}: nothing made frame {record.copied} before it")
                found[run - 1].add(record.copied)
            head = record.reached
    return found


class _Actor:
    """The slot: it is slot 0 of books of its own, and its row is where its next program wants it."""

    def __init__(self, model: FrameModel, config: SlotEngineConfig, bank: Bank, began: Began) -> None:
        self.head = 0
        self._bank, self._model = bank, model
        self._row = 0
        self._window: Window | None = None
        self._guided = False
        self._plans = Plans(1, config.rewind_frames)
        self._prefills = Prefills(1)
        self._carried = CarriedHistory(1, config.kept, config.snapshot_interval, config.history, model.levels)
        self._encoder = model.encoder
        self._chunks = Chunks(1, model.encoder, config.rewind_frames) if model.encoder is not None else None
        bank.inputs.start(0, began.seed, began.conditioning)
        bank.reset(0)
        if began.past.loudness is not None:
            bank.recall(0, began.past.loudness)
        self._plans.start(0, began.conditioning)
        self._carried.start(0)
        self._prefills.start(0, began.history, began.past)

    def take(self, record: Record) -> None:
        """What happened besides frames."""
        match record:
            case Steered():
                self._plans.steer(0, self.head, record.plan)
            case TookIn():
                self._take_in(record)
            case Listened():
                self._listen(record)
            case MadeBy():
                self._window, self._guided = record.window, record.guided
            case WentBack():
                self._go_back(record)
            case Faulted():
                self._bank.reset_carried(self._row)
            case Restored():
                raise ReenactError("the slot went on from a snapshot, of which its records know nothing")
            case Began():
                raise ReenactError("records: expected those of one slot, got a second beginning")
            case Ended() | _:
                pass

    def make(self, copy: bool) -> Made:
        """The next frame; `copy`: keep the carried state before it."""
        bank, head = self._bank, self.head
        if self._window is None or not self._prefills.done(0):
            raise ReenactError(f"frame {head}: expected to be told first which program made it, and all of its history")
        self._move(self._window.position)
        row, slots = np.array([self._row]), np.zeros(1, np.int64)
        chunk = self._settle()
        if self._plans.next[0] <= head:
            bank.inputs.set_conditioning(self._row, self._plans.take(0, head))
        offset = int(self._prefills.offset[0])
        bank.inputs.frame[row] = head + offset
        bank.inputs.begun[row] = chunk + offset
        heads = np.array([head])
        self._carried.record_levels(slots, heads, bank.inputs.levels[row])
        if copy:
            bank.keep(row, np.array([self._carried.keep(0, head)]))
        packed = np.asarray(bank.run(0, self._window.size, row, self._guided).packed)[self._row]
        levels = self._model.levels
        codes, vitals = packed[PCM : PCM + levels].copy(), packed[PCM + levels : PCM + levels + VITALS].copy()
        self._carried.record_codes(slots, heads, codes[None])
        self.head += 1
        return Made(head, packed[:PCM].reshape(FRAME_SAMPLES, CHANNELS).copy(), codes, vitals)

    def _move(self, row: int) -> None:
        """To another row of the bank, which changes no bits by itself."""
        if not 0 <= row < self._bank.rows:
            raise ReenactError(f"frame {self.head}: expected a row of 0..{self._bank.rows - 1}, got {row}")
        if row != self._row:
            self._bank.move(self._row, row)
            self._row = row

    def _settle(self) -> int:
        """Where the head's chunk begins, for a model that has chunks."""
        if self._chunks is None or self._encoder is None:
            return 0
        heard = self._encoder.heard(self._plans.at(0, self.head))
        return self._chunks.settle(0, self.head, heard).begun

    def _take_in(self, record: TookIn) -> None:
        if self._prefills.done(0):
            raise ReenactError("history: there is less of it than was taken in")
        held, _ = self._prefills.under(0)
        if held is not None:
            self._bank.inputs.set_conditioning(self._row, held)
        elif self._plans.next[0] <= 0:
            self._bank.inputs.set_conditioning(self._row, self._plans.take(0, 0))
        frame, codes = self._prefills.take(0, record.count)
        self._bank.prefill(self._row, frame, codes, record.sounded)
        if self._prefills.done(0):
            loudness = self._prefills.loudness(0)
            if loudness is not None:
                self._bank.recall(self._row, loudness)

    def _listen(self, record: Listened) -> None:
        """All of a pass at once: its row plays nothing while it goes on, so when its pieces ran does not matter."""
        if self._encoder is None:
            raise ReenactError(f"frame {record.at}: the model has no encoder that could listen")
        bank, frame = self._bank, self._settle() + int(self._prefills.offset[0])
        conditioning = self._plans.at(0, self.head)
        self._move(record.began.position)
        bank.take_out(0, record.began.size)
        work = bank.begin_pass(self._row, frame, conditioning, record.number)
        for piece in range(self._encoder.pieces):
            work = bank.go_on_pass(work, piece)
        self._move(record.landed.position)
        bank.take_out(0, record.landed.size)
        jax.block_until_ready(bank.land_pass(self._row, work, record.number))  # type: ignore[no-untyped-call]

    def _go_back(self, record: WentBack) -> None:
        self._plans.aim(0, record.reached)
        back = self._carried.go_back(0, record.reached)
        if back.frame != record.copied:
            raise ReenactError(f"rewind at frame {record.at}: expected a copy of frame {record.copied}")
        if back.place == NOTHING:
            self._bank.reset_carried(self._row)
        else:
            self._bank.load(self._row, back.place)
        self._bank.replay(self._row, back.codes, back.levels)
        self.head = record.reached
