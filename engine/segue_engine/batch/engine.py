# SPDX-License-Identifier: Apache-2.0
"""The slot engine: `contract.Engine` over any `FrameModel`, many slots batched on one or a few devices of a process.

All of it belongs to the device thread, which the service owns. Host work per step is vectorised over slots; Python per
slot happens only where its conditioning changes or its history is taken in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import jax
import numpy as np
from numpy.typing import NDArray

from segue_engine.batch.bank import Bank, Output
from segue_engine.batch.carried import NOTHING, CarriedHistory
from segue_engine.batch.chunks import Chunks
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.describe import describe
from segue_engine.batch.diary import Diary
from segue_engine.batch.flight import Flight
from segue_engine.batch.frame import Frame
from segue_engine.batch.intake import Intake
from segue_engine.batch.manifest import Manifest
from segue_engine.batch.mastering_protocol import MasteringChain
from segue_engine.batch.passes import Passes
from segue_engine.batch.placement import Placement
from segue_engine.batch.plan import Plans
from segue_engine.batch.prefill import Prefills, checked
from segue_engine.batch.programs import BankShape, Recipes, compile_for
from segue_engine.batch.provenance import provenance
from segue_engine.batch.reenact import reenact
from segue_engine.batch.slots import SlotTable
from segue_engine.batch.snapshots import Snapshots
from segue_engine.contract import (
    AudioTokenizer,
    Blocks,
    ClockReader,
    Conditioning,
    ConditioningError,
    EngineError,
    EngineInfo,
    Guidance,
    Past,
    SlotHandle,
)
from segue_engine.frame_model import FrameModel
from segue_engine.journal import Journal, Made, Record

Ints = NDArray[np.int64]


class WarmTokenizer(AudioTokenizer, Protocol):
    """A tokenizer that compiles ahead of time."""

    def warm_up(self) -> None:
        """Compile and run every program once."""
        ...


class SlotEngine:
    """See `contract.Engine`. `faults` counts frames that were not finite: silenced, and their slot's codec reset.

    devices: the banks are put on them in turn; default is the first device of the default backend. Banks on different
    CPU devices run at the same time, on one device one after the other. tokenizer: is warmed up with the engine.
    Raises ValueError where the config doesn't fit.
    """

    def __init__(
        self,
        model: FrameModel,
        mastering: MasteringChain,
        config: SlotEngineConfig,
        devices: Sequence[jax.Device] | None = None,
        tokenizer: WarmTokenizer | None = None,
    ) -> None:
        self.config = config
        self.faults = 0
        self._model = model
        self._tokenizer = tokenizer
        self._devices = list(devices) if devices else jax.devices()[:1]
        self._frame = Frame(model, mastering, config.rewind_frames)
        self._shape = BankShape(
            rows=config.rows,
            sizes=config.step_sizes,
            kept=config.kept,
            levels=model.levels,
            guided=config.guidance and model.two_pass_guidance,
            singles=config.side_cost > 0,
            passes=model.encoder is not None,
            keep_width=-(-config.rows // config.snapshot_interval),
            absorbed=config.absorbed(model.codec_memory),
        )
        self._recipes = Recipes(self._frame, self._shape)
        self._info = describe(model, mastering, config, self._recipes, self._devices[: config.banks])
        slots = config.slots
        self._table = SlotTable(slots)
        self._plans = Plans(slots, config.rewind_frames)
        self._carried = CarriedHistory(slots, config.kept, config.snapshot_interval, config.history, model.levels)
        self._prefills = Prefills(slots)
        self._diary = Diary(slots)
        self._banks: list[Bank] = []
        self._placement = Placement(slots, self._banks, spread=config.spread)
        self._chunks: Chunks | None = None
        self._passes: Passes | None = None
        if model.encoder is not None:
            self._chunks = Chunks(slots, model.encoder, config.rewind_frames)
            self._passes = Passes(
                model.encoder,
                self._chunks,
                self._table,
                self._plans,
                self._prefills,
                self._placement,
                self._diary,
                config.pieces_a_step(model.encoder),
            )
        self._intake = Intake(
            config,
            model.codec_memory,
            self._table,
            self._plans,
            self._carried,
            self._prefills,
            self._placement,
            self._diary,
        )
        self._snapshots = Snapshots(
            self._table, self._plans, self._carried, self._prefills, self._placement, self._chunks
        )
        self._flight: Flight | None = None
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def provenance(self) -> Mapping[str, str]:
        """As in `journal.Journalled`."""
        return provenance(self._info, self.config, self._devices)

    def keep_journal(self, journal: Journal | None) -> None:
        """As in `journal.Journalled`."""
        self._diary.keep(journal)

    def reenact(self, records: Sequence[Record]) -> Iterator[Made | Record]:
        """As in `journal.Journalled`, on the first bank."""
        self._check_open()
        if self._table.used or self._flight is not None:
            raise EngineError("reenact: expected an engine without slots")
        self.warm_up()
        return reenact(self._model, self.config, self._banks[0], records)

    @property
    def clock(self) -> ClockReader | None:
        return self._model.clock

    @property
    def tokenizer(self) -> AudioTokenizer | None:
        return self._tokenizer

    def warm_up(self) -> None:
        self._check_open()
        if self._banks:
            return
        if self._tokenizer is not None:
            self._tokenizer.warm_up()
        devices = self._devices[: self.config.banks]
        programs = compile_for(self._recipes, devices)
        params = [jax.device_put(self._model.params, device) for device in devices]
        for i in range(self.config.banks):
            bank = Bank(programs[i % len(devices)], params[i % len(devices)], self._shape, self._model.default_sampling)
            bank.warm_up()
            self._banks.append(bank)

    def insert(
        self,
        seed: int,
        conditioning: Conditioning,
        prefill: NDArray[np.integer] | None = None,
        past: Past | None = None,
    ) -> SlotHandle:
        """As in the contract. History is taken in during the next steps that name the slot, a few frames in each, and
        its first block follows then."""
        self.warm_up()
        conditioning.validate()
        self._check_guidance(conditioning)
        past = past or Past()
        past.validate()
        for _, held in past.conditionings:
            self._check_guidance(held)
        history = checked(prefill, self._model.levels)
        handle = self._table.claim()
        slot = handle.index
        bank, row = self._placement.place(slot)
        bank.inputs.start(row, seed, conditioning)
        bank.reset(row)
        if past.loudness is not None:
            bank.recall(row, past.loudness)
        self._plans.start(slot, conditioning)
        self._carried.start(slot)
        if past.loudness is not None and not len(history):  # a rewind can't begin from fresh state then
            bank.keep(np.array([row]), np.array([self._carried.keep(slot, 0)]))
        self._prefills.start(slot, history, past)
        if self._chunks is not None:
            self._chunks.start(slot)
        self._diary.began(handle, seed, conditioning, history, past)
        return handle

    def steer(self, slot: SlotHandle, plan: Sequence[tuple[int, Conditioning]]) -> None:
        self._check_open()
        index = self._table.check(slot)
        for _, conditioning in plan:
            self._check_guidance(conditioning)
        head = int(self._table.heads[index])
        self._plans.steer(index, head, plan)
        self._diary.steered(slot, head, plan)

    def step(self, due: Sequence[SlotHandle] | None = None) -> Blocks | None:
        self._check_open()
        slots = self._table.due(due)
        if self._flight is None:
            self._wait()
        if self._prefills.waiting:
            slots = self._intake.work(slots)
        if self._passes is not None:
            slots = self._passes.work(slots)
        before, self._flight = self._flight, self._dispatch(slots)
        return self._land(before)

    def flush(self) -> Blocks | None:
        self._check_open()
        before, self._flight = self._flight, None
        return self._land(before)

    def rewind(self, slot: SlotHandle, frame: int) -> int:
        self._check_open()
        index = self._table.check(slot)
        head = int(self._table.heads[index])
        reached = self._table.go_back(index, frame, self.config.rewind_frames)
        if reached == head:
            return reached
        self._plans.aim(index, reached)
        if self._flight is not None:
            self._flight.manifest.drop(index, reached)
        bank, row = self._placement.of(index)
        back = self._carried.go_back(index, reached)
        if back.place == NOTHING:
            bank.reset_carried(row)
        else:
            bank.load(row, back.place)
        bank.replay(row, back.codes, back.levels)
        if self._passes is not None:
            self._passes.went_back(index)
        self._diary.went_back(slot, head, reached, back.frame)
        return reached

    def release(self, slot: SlotHandle) -> None:
        self._check_open()
        if not self._table.release(slot):
            return
        self._plans.clear(slot.index)
        self._prefills.clear(slot.index)
        handed = int(self._table.heads[slot.index])
        if self._flight is not None:
            handed -= self._flight.manifest.drop(slot.index)
        self._diary.ended(slot, handed)
        self._placement.vacate(slot.index)

    def head(self, slot: SlotHandle) -> int:
        return int(self._table.heads[self._table.check(slot)])

    def heads(self) -> Ints:
        return self._table.heads.copy()

    def handles(self) -> list[SlotHandle]:
        """Handles of all bound slots."""
        return self._table.handles()

    def snapshot(self, slot: SlotHandle) -> object:
        """As in the contract. Waits for the dispatch under way."""
        self._check_open()
        index = self._table.check(slot)
        if self._flight is not None:
            self._receive(self._flight)
        return self._snapshots.take(index)

    def restore(self, snapshot: object) -> SlotHandle:
        self._check_open()
        handle, head = self._snapshots.restore(snapshot)
        self._diary.restored(handle, head)
        return handle

    def drop(self, snapshot: object) -> None:
        self._snapshots.drop(snapshot)

    def close(self) -> None:
        self._closed = True
        self._flight = None
        self._snapshots.clear()
        self._banks.clear()

    # -- one step -------------------------------------------------------------------------------------------------

    def _dispatch(self, slots: Ints) -> Flight | None:
        if not slots.size:
            return None
        heads = self._table.heads[slots]
        for slot in self._plans.due(slots, heads).tolist():
            bank, row = self._placement.of(slot)
            bank.inputs.set_conditioning(row, self._plans.take(slot, int(self._table.heads[slot])))
        manifest = Manifest(slots, self._table.epochs[slots], heads)
        outputs: list[tuple[Output, Ints]] = []
        for index in np.unique(self._placement.bank[slots]).tolist():
            bank = self._banks[index]
            entries = np.flatnonzero(self._placement.bank[slots] == index)
            entries = entries[np.argsort(self._placement.row[slots[entries]], kind="stable")]
            self._keep(bank, slots[entries], heads[entries])
            rows = self._placement.row[slots[entries]]
            offsets = self._prefills.offset[slots[entries]]
            bank.inputs.frame[rows] = heads[entries] + offsets
            if self._chunks is not None:
                bank.inputs.begun[rows] = self._chunks.begun[slots[entries]] + offsets
            self._carried.record_levels(slots[entries], heads[entries], bank.inputs.levels[rows])
            guided = self._shape.guided and bool((bank.inputs.guidance[rows] != 1.0).any())
            made = bank.step(rows, guided, self.config.side_cost)
            at = 0
            for output in made:
                those = entries[at : at + output.wanted.size]
                outputs.append((output, those))
                at += those.size
                if self._diary.kept:
                    size = output.packed.shape[0]
                    self._diary.made(slots[those], manifest.epochs[those], heads[those], size, output.wanted, guided)
        self._table.heads[slots] += 1
        return Flight(manifest, outputs, self._model.levels)

    def _wait(self) -> None:
        """No frame is waited for: wait for the work that was dispatched instead, so that it does not pile up."""
        if self._prefills.waiting:
            for bank in self._banks:
                bank.wait()
        if self._passes is not None:
            self._passes.wait()

    def _keep(self, bank: Bank, slots: Ints, heads: Ints) -> None:
        """Copy carried state of the slots whose turn it is, spread over steps so that none is dearer than others."""
        budget = -(-bank.used // self.config.snapshot_interval)
        chosen = self._carried.to_keep(slots, heads, budget)
        if chosen.size:
            places = [self._carried.keep(slot, int(self._table.heads[slot])) for slot in chosen.tolist()]
            bank.keep(self._placement.row[chosen], np.array(places))

    def _receive(self, flight: Flight) -> None:
        """Wait for a dispatch; note its codes, and reset what was not finite."""
        if flight.landed is not None:
            return
        landed, manifest = flight.land(), flight.manifest
        for entry in landed.faults:
            self._fault(manifest, entry)
        wanted = manifest.wanted
        self._carried.record_codes(manifest.slots[wanted], manifest.frames[wanted], landed.codes[wanted, 0])

    def _fault(self, manifest: Manifest, entry: int) -> None:
        self.faults += 1
        if manifest.wanted[entry]:
            slot = int(manifest.slots[entry])
            bank, row = self._placement.of(slot)
            bank.reset_carried(row)
            self._diary.faulted(self._table.handle(slot), int(self._table.heads[slot]))

    def _land(self, flight: Flight | None) -> Blocks | None:
        if flight is None:
            return None
        self._receive(flight)
        blocks = flight.blocks()
        if blocks is not None:
            self._diary.handed(blocks)
        return blocks

    # -- checks ---------------------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("the engine is closed")

    def _check_guidance(self, conditioning: Conditioning) -> None:
        plain = conditioning.guidance == Guidance()
        if not plain and self._model.two_pass_guidance and not self.config.guidance:
            raise ConditioningError("guidance: expected 1, since guidance is off in this engine (config.guidance)")
