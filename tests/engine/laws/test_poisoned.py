# SPDX-License-Identifier: Apache-2.0
"""A slot whose memory holds NaN: what comes out, that its neighbours hear nothing of it, and that inserting cures it.

What it plays is what the service's guard calls a loop.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from law_models import LawModel, pick, run, style

from segue_engine.batch.engine import SlotEngine
from segue_engine.contract import VITALS, SlotHandle
from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.session.liveness import Guard, said

pytestmark = pytest.mark.timeout(900)  # compiling the starter takes a while on a busy machine

FRAMES = 16
LOOP = 10


def poison(engine: SlotEngine, slot: SlotHandle) -> None:
    """Fill the slot's memory of what was played with NaN, as a codes' embedding out of range would."""
    bank, row = engine._placement.of(slot.index)
    live, kept = bank.state

    def spoilt(leaf: jax.Array) -> jax.Array:
        return leaf.at[row].set(jnp.nan) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    bank.state = (live._replace(rings=jax.tree.map(spoilt, live.rings)), kept)


class Patient:
    """Notes what the guard says of the one place that it hears."""

    def __init__(self, levels: int) -> None:
        self.told: list[str] = []
        self.guard = Guard(1, levels, Settings(guard_loop_ms=40 * LOOP), Metrics())
        self.guard.watch(0, self)

    def hear(self, codes: np.ndarray) -> list[str]:
        for frame, made in enumerate(codes):
            self.guard.hear(np.zeros(1, int), np.array([frame]), made[None], np.zeros((1, VITALS), np.int16))
        return self.told

    def asked_gain_db(self, frame: int) -> float:
        return 0.0

    def on_verdict(self, cause: int) -> None:
        self.told.append(said(cause))

    def on_given_up(self, cause: int) -> None:
        raise AssertionError


def test_a_poisoned_slot_repeats_itself_alone_and_inserting_cures_it(engine_of: Any, law_model: LawModel) -> None:
    if law_model.name == "tiny":
        pytest.skip("it remembers integers")
    engine = engine_of(law_model)

    def begun() -> list[SlotHandle]:
        slots = [engine.insert(5 + i, style(1 + i)) for i in range(3)]
        run(engine, 6)
        return slots

    slots, faults = begun(), engine.faults
    healthy = run(engine, FRAMES)
    straight = [pick(healthy, slot) for slot in slots]
    for slot in slots:
        engine.release(slot)
    slots = begun()
    poison(engine, slots[1])
    ill = run(engine, FRAMES)
    codes = pick(ill, slots[1]).codes
    assert (codes == codes[0]).all(), "greedy choice among NaN: always the same code"
    assert Patient(law_model.model.levels).hear(codes) == ["loop"]
    for place in (0, 2):
        assert pick(ill, slots[place]).same(straight[place]), "neighbours go on bit for bit"
        assert Patient(law_model.model.levels).hear(straight[place].codes) == []
    engine.release(slots[1])
    again = engine.insert(6, style(2))
    assert again.index == slots[1].index
    run(engine, 6)
    assert pick(run(engine, FRAMES), again).same(straight[1]), "nothing of it is left"
    assert engine.faults == faults, "its sound was finite all the while: no other guard would have seen it"
