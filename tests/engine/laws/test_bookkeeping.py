# SPDX-License-Identifier: Apache-2.0
"""Any order of verbs gives each slot what it would have had alone: a state machine against the hand-computed model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from law_models import LAW_MODELS, LawModel, build, style
from tiny_chunks import TinyChunks
from tiny_chunks import reference as chunked_reference
from tiny_model import CODES, LEVELS, Reference, reference

from segue_engine.batch.engine import SlotEngine
from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import Blocks, EngineFullError, SlotHandle, StaleSlotError

SLOTS = 3
REACH = 12
STYLES = [style(i) for i in range(5)]


@dataclass
class Run:
    """What one slot should be doing. `plan` holds style numbers by frame."""

    seed: int
    history: np.ndarray
    plan: dict[int, int]
    head: int = 0
    top: int = 0
    left: int = 0
    flying: list[int] = field(default_factory=list)

    def held(self, frame: int) -> int:
        return self.plan[max(f for f in self.plan if f <= frame)]

    def copy(self) -> Run:
        return Run(self.seed, self.history, dict(self.plan), self.head, self.top, self.left)


@lru_cache(maxsize=4096)
def expected(run: Callable[..., Reference], seed: int, styles: tuple[int, ...], history: bytes) -> Reference:
    past = np.frombuffer(history, np.int64).reshape(-1, LEVELS)
    return run(seed, [STYLES[i] for i in styles], past)


class SlotMachine(RuleBasedStateMachine):
    """insert, steer, step, rewind, release, snapshot and restore over TinyModel: two banks, every program in use."""

    engine: SlotEngine
    reference: Callable[..., Reference] = staticmethod(reference)

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[SlotHandle, Run] = {}
        self.stale: list[SlotHandle] = []
        self.snapshots: list[tuple[object, Run]] = []
        self.engine.flush()
        for handle in self.engine.handles():
            self.engine.release(handle)

    def teardown(self) -> None:
        everyone = sorted(self.runs, key=lambda h: h.epoch)
        self._go(2 if not any(r.left for r in self.runs.values()) else 6, everyone)
        for handle in everyone:
            self._back(handle, 2 + handle.index)
        self._go(2, everyone)
        self.flush()
        for kept, _ in self.snapshots:
            self.engine.drop(kept)

    @rule(seed=st.integers(-(2**63), 2**64 - 1), number=st.integers(0, 4), history=st.sampled_from([0, 0, 0, 5, 19]))
    def insert(self, seed: int, number: int, history: int) -> None:
        past = np.random.default_rng(history).integers(0, 1024, (history, LEVELS))
        if len(self.runs) == SLOTS:
            with pytest.raises(EngineFullError):
                self.engine.insert(seed, STYLES[number])
            return
        handle = self.engine.insert(seed, STYLES[number], prefill=past if history else None)
        assert handle not in self.runs
        assert handle not in self.stale
        self.runs[handle] = Run(seed, past, {0: number}, left=history)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), first=st.integers(0, 30), gaps=st.lists(st.integers(1, 4), max_size=3))
    def steer(self, data: st.DataObject, first: int, gaps: list[int]) -> None:
        handle = self._one(data)
        run = self.runs[handle]
        first = max(first, self.earliest(run))
        frames = [first, *(first + int(x) for x in np.cumsum(gaps))]
        entries = [(f, data.draw(st.integers(0, 4))) for f in frames]
        self.engine.steer(handle, [(f, STYLES[i]) for f, i in entries])
        start = max(first, run.head)
        run.plan = {f: i for f, i in run.plan.items() if f < start} | {max(f, run.head): i for f, i in entries}

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), frames=st.integers(1, 9), everyone=st.booleans())
    def step(self, data: st.DataObject, frames: int, everyone: bool) -> None:
        handles = sorted(self.runs, key=lambda h: h.epoch)
        self._go(frames, handles if everyone else data.draw(st.lists(st.sampled_from(handles), unique=True)))

    def _go(self, frames: int, due: list[SlotHandle]) -> None:
        for _ in range(frames):
            flying = {h: list(r.flying) for h, r in self.runs.items() if r.flying}
            blocks = self.engine.step([*due, *self.stale[-2:]])
            budget = 8
            for handle in sorted(due, key=lambda h: h.index):
                run = self.runs[handle]
                if run.left:
                    taken = min(run.left, budget)
                    run.left -= taken
                    budget -= taken
            self._check(blocks, flying)
            for handle, run in self.runs.items():
                moved = self.engine.head(handle) - run.head
                self.goes_on(moved, handle in due and not run.left)
                run.flying = [run.head] if moved else []
                run.head += moved

    def goes_on(self, moved: int, due: bool) -> None:
        assert moved == due

    def earliest(self, run: Run) -> int:
        """The first frame whose steering the hand-computed run follows."""
        return 0

    @rule()
    def flush(self) -> None:
        flying = {h: list(r.flying) for h, r in self.runs.items() if r.flying}
        self._check(self.engine.flush(), flying)
        for run in self.runs.values():
            run.flying = []

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), back=st.integers(-1, 16), then=st.integers(0, 3))
    def rewind(self, data: st.DataObject, back: int, then: int) -> None:
        handle = self._one(data)
        self._back(handle, back)
        self._go(then, [handle])

    def _back(self, handle: SlotHandle, back: int) -> None:
        run = self.runs[handle]
        run.top = max(run.top, run.head)
        reached = min(max(run.head - back, run.top - REACH, 0), run.head)
        assert self.engine.rewind(handle, run.head - back) == reached
        run.head = reached
        run.flying = [f for f in run.flying if f < reached]

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        handle = self._one(data)
        self.engine.release(handle)
        del self.runs[handle]
        self.stale.append(handle)

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def snapshot(self, data: st.DataObject) -> None:
        handle = self._one(data)
        self.snapshots.append((self.engine.snapshot(handle), self.runs[handle].copy()))

    @precondition(lambda self: self.snapshots and len(self.runs) < SLOTS)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        kept, run = data.draw(st.sampled_from(self.snapshots))
        self.runs[self.engine.restore(kept)] = run.copy()

    @invariant()
    def stale_handles_are_refused(self) -> None:
        for handle in self.stale[-2:]:
            with pytest.raises(StaleSlotError):
                self.engine.head(handle)

    def _one(self, data: st.DataObject) -> SlotHandle:
        return data.draw(st.sampled_from(sorted(self.runs, key=lambda h: h.epoch)))

    def _check(self, blocks: Blocks | None, flying: dict[SlotHandle, list[int]]) -> None:
        """The blocks are those that were under way, and sound as computed by hand."""
        if blocks is None:
            assert not flying
            return
        handles = [SlotHandle(int(i), int(e)) for i, e in zip(blocks.slots, blocks.epochs, strict=True)]
        assert dict(zip(handles, blocks.first_frame.tolist(), strict=True)) == {h: f[0] for h, f in flying.items()}
        for row, handle in enumerate(handles):
            run, frame = self.runs[handle], int(blocks.first_frame[row])
            self.hear(run, frame, blocks.codes[row, 0], blocks.pcm[row])

    def hear(self, run: Run, frame: int, codes: np.ndarray, pcm: np.ndarray) -> None:
        want = expected(self.reference, run.seed, tuple(run.held(f) for f in range(frame + 1)), run.history.tobytes())
        np.testing.assert_array_equal(codes, want.codes[frame])
        np.testing.assert_allclose(pcm, want.pcm[frame * 1920 : (frame + 1) * 1920] * 32767, atol=2)


class ChunkMachine(SlotMachine):
    """The same verbs over a model in chunks, whose passes take two steps and more: whoever waits has no frame."""

    reference = staticmethod(chunked_reference)

    def goes_on(self, moved: int, due: bool) -> None:
        assert 0 <= moved <= due

    def earliest(self, run: Run) -> int:
        """History is mastered at once, and then waits for a pass: too early for frame 0's gain."""
        return 1 if len(run.history) else 0

    def teardown(self) -> None:
        for handle in sorted(self.runs, key=lambda h: h.epoch):
            before, steps = self.runs[handle].head, 0
            while self.runs[handle].head < before + 9:
                self._go(1, [handle])
                steps += 1
                assert steps < 40, "a slot that is due goes on at last"
        super().teardown()


class FakeMachine(SlotMachine):
    """The same verbs over the fake engine, which takes history in at once."""

    def __init__(self) -> None:
        type(self).engine = FakeEngine(slots=SLOTS, rewind_frames=REACH)  # type: ignore[assignment]
        self.engine.handles = list  # type: ignore[method-assign, assignment]
        super().__init__()

    @rule(seed=st.integers(-(2**63), 2**64 - 1), number=st.integers(0, 4))
    def insert(self, seed: int, number: int) -> None:  # type: ignore[override]
        if len(self.runs) == SLOTS:
            with pytest.raises(EngineFullError):
                self.engine.insert(seed, STYLES[number])
            return
        self.runs[self.engine.insert(seed, STYLES[number])] = Run(seed, np.zeros((0, LEVELS)), {0: number})

    def hear(self, run: Run, frame: int, codes: np.ndarray, pcm: np.ndarray) -> None:
        assert codes[0] == frame % 512
        assert tuple(codes[1:]) == STYLES[run.held(frame)].style_codes[:11]
        assert pcm.any()


QUICK = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_slot_engine() -> None:
    SlotMachine.engine = build(
        LAW_MODELS["tiny"](),
        slots=SLOTS,
        bank_rows=2,
        sizes=(1, 2),
        side_cost=1,
        rewind_frames=REACH,
    )

    run_state_machine_as_test(SlotMachine, settings=QUICK)  # type: ignore[no-untyped-call]


def test_slot_engine_with_chunks() -> None:
    model = LawModel("tiny, chunks", TinyChunks(), CODES, exact=True)
    ChunkMachine.engine = build(
        model,
        slots=SLOTS,
        bank_rows=2,
        sizes=(1, 2),
        side_cost=1,
        rewind_frames=REACH,
        pass_budget=4,
    )

    run_state_machine_as_test(ChunkMachine, settings=QUICK)  # type: ignore[no-untyped-call]


def test_fake_engine() -> None:

    run_state_machine_as_test(FakeMachine, settings=QUICK)  # type: ignore[no-untyped-call]
