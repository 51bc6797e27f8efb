# SPDX-License-Identifier: Apache-2.0
"""The laws of the slot engine, over every model in LAW_MODELS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from law_models import LawModel, pick, run, style

from segue_engine.batch.engine import SlotEngine
from segue_engine.contract import (
    Conditioning,
    EngineFullError,
    Past,
    Sampling,
    SlotHandle,
    StaleSlotError,
)

pytestmark = pytest.mark.timeout(900)  # compiling the starter takes a while on a busy machine

SEED = 99


def noisy(engine: SlotEngine, count: int, offset: int = 0) -> list[SlotHandle]:
    """Neighbours that play other things and are steered about."""
    slots = []
    for i in range(offset, offset + count):
        slot = engine.insert(1000 + i, style(50 + i))
        engine.steer(slot, [(f, style(100 * i + f)) for f in range(1 + i % 3, 12, 2)])
        slots.append(slot)
    return slots


def row_state(engine: SlotEngine, slot: SlotHandle) -> list[np.ndarray]:
    """Every leaf of the slot's state."""
    bank, row = engine._placement.of(slot.index)
    return [np.asarray(leaf)[row].copy() for leaf in jax.tree.leaves(bank.state)]


def row_live(engine: SlotEngine, slot: SlotHandle) -> list[np.ndarray]:
    """Every leaf of what the slot goes on from, copies for rewinds not counted."""
    bank, row = engine._placement.of(slot.index)
    return [np.asarray(leaf)[row].copy() for leaf in jax.tree.leaves(bank.state[0])]


def assert_identical(a: list[np.ndarray], b: list[np.ndarray]) -> None:
    for x, y in zip(a, b, strict=True):
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes()


def test_alone_equals_among_neighbours(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    alone = engine.insert(SEED, style(1))
    engine.steer(alone, [(5, style(2))])
    before = pick(run(engine, 10), alone)
    engine.release(alone)
    among = engine.insert(SEED, style(1))
    engine.steer(among, [(5, style(2))])
    noisy(engine, 5)
    assert before.same(pick(run(engine, 10), among))


def test_rows_that_are_not_due_are_bit_identical(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slots = noisy(engine, 6)
    run(engine, 4)
    for due in ([slots[0]], slots[1:4], [slots[5]], slots[::2]):
        rest = [s for s in slots if s not in due]
        before = [row_state(engine, s) for s in rest]
        run(engine, 1, due)
        for slot, state in zip(rest, before, strict=True):
            assert_identical(row_state(engine, slot), state)


@pytest.mark.parametrize("sizes", [(6,), (1, 2, 6)])
def test_a_pause_changes_nothing(engine_of: Any, law_model: LawModel, sizes: tuple[int, ...]) -> None:
    if len(sizes) > 1 and not law_model.exact:
        pytest.skip("bit for bit at one size only")
    engine = engine_of(law_model, sizes=sizes)
    a = engine.insert(SEED, style(1))
    straight = pick(run(engine, 10), a)
    engine.release(a)
    a, *others = engine.insert(SEED, style(1)), *noisy(engine, 3)
    blocks = run(engine, 4) + run(engine, 3, others) + run(engine, 6, [a, others[1]])
    assert pick(blocks, a).same(straight)


@pytest.mark.parametrize("poison", ["nan", "max"])
def test_free_rows_may_hold_garbage(engine_of: Any, law_model: LawModel, poison: str) -> None:
    engine = engine_of(law_model)
    slots = noisy(engine, 3)
    clean = [pick(run(engine, 6), slots[0])]
    for slot in slots:
        engine.release(slot)
    bank = engine._banks[0]

    def garbage(leaf: jax.Array) -> jax.Array:
        if np.issubdtype(leaf.dtype, np.floating):
            return jax.numpy.full_like(leaf, np.nan if poison == "nan" else 3e38)
        return jax.numpy.full_like(leaf, True if leaf.dtype == bool else np.iinfo(leaf.dtype).max)

    bank.state = jax.tree.map(garbage, bank.state)
    slots = noisy(engine, 3)
    assert pick(run(engine, 6), slots[0]).same(clean[0])
    assert engine.faults == 0
    bank.state = bank._programs["fresh"]()


def test_a_reused_slot_remembers_nothing(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    a = engine.insert(SEED, style(1))
    first = pick(run(engine, 8), a)
    engine.release(a)
    b = engine.insert(SEED + 1, replace(style(2), sampling=Sampling(temperature=0.5, top_k=3)))
    engine.steer(b, [(20, style(4))])
    run(engine, 17)
    engine.rewind(b, 9)
    engine.release(b)
    c = engine.insert(SEED, style(1))
    assert c.index == a.index
    assert pick(run(engine, 8), c).same(first)


@pytest.mark.parametrize("back", [1, 2, 5, 11, 12])
def test_rewind_then_step_equals_never_having_gone_on(engine_of: Any, law_model: LawModel, back: int) -> None:
    engine = engine_of(law_model)
    noisy(engine, 1)
    slot = engine.insert(SEED, style(1))
    noisy(engine, 1, offset=1)
    engine.steer(slot, [(6, style(2)), (15, style(3)), (18, style(4))])
    straight = pick(run(engine, 26), slot)
    engine.release(slot)
    slot = engine.insert(SEED, style(1))
    engine.steer(slot, [(6, style(2)), (15, style(3)), (18, style(4))])
    run(engine, 20)
    # `slot` now has another row than in the straight run: do both there.
    assert engine.rewind(slot, 20 - back) == 20 - back
    again = pick(run(engine, 6 + back), slot)
    if law_model.exact:
        assert again.near(straight[20 - back :])
    engine.release(slot)
    slot = engine.insert(SEED, style(1))
    engine.steer(slot, [(6, style(2)), (15, style(3)), (18, style(4))])
    assert again.near(pick(run(engine, 26), slot)[20 - back :])


def test_rewind_with_a_frame_in_flight_and_again_and_again(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slot = engine.insert(SEED, style(1))
    straight = pick(run(engine, 20), slot)
    engine.rewind(slot, 13)
    for turn in range(4):
        for _ in range(turn + 1):
            engine.step()
        reached = engine.rewind(slot, 12 - turn)
        assert reached == 12 - turn
        engine.steer(slot, [(reached, style(70 + turn))])
        run(engine, 2)
        engine.rewind(slot, reached)
        engine.steer(slot, [(reached, style(1))])
    assert engine.rewind(slot, 0) == 8  # 12 frames behind the furthest head
    assert pick(run(engine, 12), slot).near(straight[8:])


def test_steering_changes_nothing_before_its_frame(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slot = engine.insert(SEED, style(1))
    plain = pick(run(engine, 16), slot)
    engine.rewind(slot, 5)
    engine.steer(slot, [(8, style(2))])
    changed = pick(run(engine, 11), slot)
    assert changed[:3].same(plain[5:8])
    assert not np.array_equal(changed.pcm[3:], plain.pcm[8:])
    if law_model.exact:
        assert (changed.codes[3] != plain.codes[8]).any()


def test_equal_runs_give_equal_bytes(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    runs = []
    for _ in range(2):
        slots = noisy(engine, 3)
        blocks = run(engine, 7)
        runs.append([pick(blocks, s) for s in slots])
        for slot in slots:
            engine.release(slot)
    assert all(a.same(b) for a, b in zip(*runs, strict=True))


def test_seeds_differ(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slots = [engine.insert(seed, style(1)) for seed in (1, 2, 1 << 40)]
    blocks = run(engine, 8)
    heard = [pick(blocks, s).codes for s in slots]
    assert not np.array_equal(heard[0], heard[1])
    assert not np.array_equal(heard[0], heard[2])


def test_snapshot_restore_and_fork(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slot = engine.insert(SEED, style(1))
    engine.steer(slot, [(9, style(2))])
    blocks = [engine.step() for _ in range(7)]
    kept = engine.snapshot(slot)
    blocks += [engine.step() for _ in range(6)] + [engine.flush()]
    straight = pick([b for b in blocks if b is not None], slot)
    engine.release(slot)
    back = engine.restore(kept)
    assert engine.head(back) == 7
    assert pick(run(engine, 6), back).same(straight[7:])
    assert engine.rewind(back, 4) == 4
    assert pick(run(engine, 9), back).near(straight[4:])
    fork = engine.restore(kept)
    engine.release(back)
    assert pick(run(engine, 6), fork).codes.shape == straight[7:].codes.shape
    engine.drop(kept)
    engine.release(fork)


def test_a_fork_leaves_its_origin_alone(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slot = engine.insert(SEED, style(1))
    straight = pick(run(engine, 12), slot)
    engine.release(slot)
    slot = engine.insert(SEED, style(1))
    blocks = run(engine, 5)
    kept = engine.snapshot(slot)
    fork = engine.restore(kept)
    engine.drop(kept)
    engine.steer(fork, [(6, style(9))])
    more = run(engine, 7)
    assert pick(blocks + more, slot).same(straight)
    if law_model.exact:
        assert np.array_equal(pick(more, fork).codes[0], straight.codes[5])
    assert not np.array_equal(pick(more, fork).pcm[1:], straight.pcm[6:])


def test_compaction_keeps_slots_and_handles(engine_of: Any, law_model: LawModel) -> None:
    """A slot whose row moves keeps its state bit for bit."""
    engine = engine_of(law_model)
    slots = noisy(engine, 5)
    run(engine, 5)
    state = row_state(engine, slots[4])
    engine.release(slots[1])
    bank, row = engine._placement.of(slots[4].index)
    assert row == 1
    assert bank.used == 4
    assert_identical(row_state(engine, slots[4]), state)
    assert engine.head(slots[4]) == 5
    assert pick(run(engine, 3), slots[4]).first == 5


def test_late_blocks_never_reach_a_new_owner(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    a, b = engine.insert(1, style(1)), engine.insert(2, style(2))
    engine.step()
    engine.release(a)
    c = engine.insert(3, style(3))
    assert c.index == a.index
    block = engine.step([a, b, c])
    assert block is not None
    assert block.slots.tolist() == [b.index]
    block = engine.flush()
    assert block is not None
    assert sorted(zip(block.slots.tolist(), block.epochs.tolist(), strict=True)) == sorted(
        [(b.index, b.epoch), (c.index, c.epoch)]
    )
    assert dict(zip(block.slots.tolist(), block.first_frame.tolist(), strict=True)) == {b.index: 1, c.index: 0}


def test_stale_handles_and_a_full_engine(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slots = noisy(engine, 6)
    with pytest.raises(EngineFullError):
        engine.insert(1, style(1))
    kept = engine.snapshot(slots[0])
    with pytest.raises(EngineFullError):
        engine.restore(kept)
    engine.drop(kept)
    engine.release(slots[2])
    engine.release(slots[2])
    for verb in (
        engine.head,
        engine.snapshot,
        lambda s: engine.rewind(s, 0),
        lambda s: engine.steer(s, [(0, Conditioning())]),
    ):
        with pytest.raises(StaleSlotError):
            verb(slots[2])


def test_nothing_compiles_at_run_time(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    compiled: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if "compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        past = np.random.default_rng(0).integers(0, law_model.codes, (11, law_model.model.levels))
        slots = [*noisy(engine, 4), engine.insert(5, style(5), prefill=past)]
        run(engine, 9)
        engine.rewind(slots[1], 3)
        kept = engine.snapshot(slots[0])
        engine.release(slots[0])
        engine.restore(kept)
        engine.drop(kept)
        run(engine, 3, slots[2:4])
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    assert compiled == []
    bank = engine._banks[0]
    with pytest.raises(TypeError):
        bank._programs["make 6"](bank.state[0].rings, bank._params, bank.inputs.packed[:5])


def test_prefill_continues_its_own_output(engine_of: Any, law_model: LawModel) -> None:
    """A run whose past is given as prefill has the rings of the run that made that past."""
    engine = engine_of(law_model)
    slot = engine.insert(SEED, style(1))
    straight = pick(run(engine, 15), slot)
    engine.release(slot)
    slot = engine.insert(SEED, style(1), prefill=straight.codes[:9])
    again = pick(run(engine, 8), slot)
    assert again.first == 0
    if law_model.exact:
        assert np.array_equal(again.codes[:6], straight.codes[9:])
        assert np.abs(again.pcm[:6].astype(int) - straight.pcm[9:].astype(int)).max() <= 2


def test_a_past_is_taken_in_under_what_it_was_played_under(engine_of: Any, law_model: LawModel) -> None:
    """Prefill with its conditionings leaves the state of the run that made it, and goes on as that did."""
    engine = engine_of(law_model)
    plan = [(3, style(2)), (7, style(4)), (9, style(6))]
    slot = engine.insert(SEED, style(1))
    engine.steer(slot, plan)
    straight = pick(run(engine, 10), slot)
    made = row_live(engine, slot)
    straight_on = pick(run(engine, 3), slot)
    engine.release(slot)
    past = Past(conditionings=((-9, style(1)), (-6, style(2)), (-2, style(4))))
    slot = engine.insert(SEED, style(6), prefill=straight.codes[:9], past=past)
    while engine.head(slot) == 0:
        engine.step()
    first, taken = engine.flush(), row_live(engine, slot)
    assert first is not None
    same = law_model.exact or np.array_equal(first.codes[0], straight.codes[9:])
    if same and law_model.model.encoder is None:  # that hears whole chunks, and this one begins elsewhere
        for x, y in zip(made, taken, strict=True):
            np.testing.assert_allclose(x, y, atol=law_model.tolerance, rtol=law_model.tolerance)
    if law_model.exact:
        again = pick(run(engine, 3), slot)
        assert np.array_equal(again.codes, straight_on.codes)
        assert np.abs(again.pcm.astype(int) - straight_on.pcm.astype(int)).max() <= 2


def test_prefill_does_not_hold_up_the_others(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    a = engine.insert(1, style(1))
    run(engine, 2)
    past = np.zeros((20, law_model.model.levels), np.int64)
    b = engine.insert(2, style(2), prefill=past)
    for _ in range(2):
        engine.step()
    assert (engine.head(a), engine.head(b)) == (4, 0)
    run(engine, 4)
    assert engine.head(a) == 8
    assert engine.head(b) > 0


def test_across_sizes_within_tolerance(engine_of: Any, law_model: LawModel) -> None:
    """One frame under given codes leaves the same rings and sound in a batch of one and of six."""
    model = law_model.model
    small, large = engine_of(law_model, sizes=(1,), bank_rows=1, slots=1), engine_of(law_model)
    past = np.random.default_rng(2).integers(0, law_model.codes, (9, model.levels))
    states, sounds = [], []
    for engine in (small, large):
        slot = engine.insert(SEED, style(1), prefill=past)
        while engine.head(slot) == 0:
            engine.step()
        bank, row = engine._placement.of(slot.index)
        states.append([np.asarray(leaf)[row] for leaf in jax.tree.leaves(bank.state[0])])
        block = engine.flush()
        assert block is not None
        sounds.append(block)
    if law_model.exact or np.array_equal(sounds[0].codes, sounds[1].codes):
        for x, y in zip(*states, strict=True):
            np.testing.assert_allclose(x, y, atol=law_model.tolerance, rtol=law_model.tolerance)
    if law_model.exact:
        assert np.array_equal(sounds[0].codes, sounds[1].codes)


def test_a_faulty_row_is_silenced_and_heals_alone(engine_of: Any, law_model: LawModel) -> None:
    engine = engine_of(law_model)
    slots = noisy(engine, 3)
    clean = pick(run(engine, 14), slots[0])
    for slot in slots:
        engine.release(slot)
    slots = noisy(engine, 3)
    blocks = run(engine, 4)
    bank, row = engine._placement.of(slots[1].index)
    live, kept = bank.state
    broken = jax.tree.map(
        lambda leaf: leaf.at[row].set(np.nan) if np.issubdtype(leaf.dtype, np.floating) else leaf, live.carried
    )
    bank.state = live._replace(carried=broken), kept
    before = engine.faults
    more = run(engine, 10)
    assert engine.faults > before
    hurt = pick(more, slots[1]).pcm
    assert not hurt[0].any()
    assert hurt[-3:].any()
    assert pick(blocks + more, slots[0]).same(clean)
