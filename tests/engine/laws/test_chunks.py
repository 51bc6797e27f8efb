# SPDX-License-Identifier: Apache-2.0
"""A model in chunks, whose encoder's passes take many steps: what is played is what the hand-computed run plays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from law_models import Heard, LawModel, build, pick, style
from tiny_chunks import FRAMES, HEARD, PIECES, TinyChunks, reference
from tiny_model import CODES, LEVELS

from segue_engine.batch.engine import SlotEngine
from segue_engine.contract import Blocks, Conditioning, SlotHandle

REACH = 12
PASSES = 2 * (PIECES + 1)
"""Steps that a chunk's passes take on the smallest budget."""
PAST = np.random.default_rng(3).integers(0, CODES, (9, LEVELS))


@pytest.fixture(scope="module")
def built() -> Iterator[SlotEngine]:
    model = LawModel("tiny, chunks", TinyChunks(), CODES, exact=True)
    engine = build(model, slots=3, bank_rows=3, sizes=(3,), rewind_frames=REACH, pass_budget=1)
    yield engine
    engine.close()


@pytest.fixture
def engine(built: SlotEngine) -> SlotEngine:
    built.flush()
    for handle in built.handles():
        built.release(handle)
    return built


def play(engine: SlotEngine, slot: SlotHandle, until: int, each: Callable[[int], None] = lambda step: None) -> Heard:
    """Step until the slot's head is at `until`; `each` is told the number of every step before it."""
    blocks: list[Blocks | None] = []
    for step in range(200):
        each(step)
        if engine.head(slot) >= until:
            return pick([b for b in (*blocks, engine.flush()) if b is not None], slot)
        blocks.append(engine.step())
    raise AssertionError(f"the slot stands at {engine.head(slot)}")


def steps_to_go_on(engine: SlotEngine, slot: SlotHandle) -> int:
    """Steps until the slot has its next frame."""
    head = engine.head(slot)
    for step in range(1, 50):
        engine.step([slot])
        if engine.head(slot) > head:
            return step
    raise AssertionError("the slot does not go on")


def same(heard: Heard, plan: list[Conditioning], past: np.ndarray | None = None) -> None:
    want = reference(7, plan, past).codes[heard.first :]
    np.testing.assert_array_equal(heard.codes, want[: len(heard.codes)])


def test_chunks_end_and_begin(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1))
    same(play(engine, slot, 20), [style(1)] * 20)


def test_a_style_is_heard_at_its_frame(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1))
    engine.steer(slot, [(9, style(2)), (10, style(3)), (15, style(1))])
    same(play(engine, slot, 24), [*[style(1)] * 9, style(2), *[style(3)] * 5, *[style(1)] * 9])


def test_what_the_encoder_does_not_hear_ends_no_chunk(engine: SlotEngine) -> None:
    louder = replace(style(1), style_codes=(*style(1).style_codes[:HEARD], 5, 6), gain_db=-3.0)
    slot = engine.insert(7, style(1))
    assert steps_to_go_on(engine, slot) == PASSES
    engine.steer(slot, [(3, louder)])
    assert [steps_to_go_on(engine, slot) for _ in range(FRAMES)] == [1] * (FRAMES - 1) + [PASSES]


def test_back_into_an_earlier_chunk_and_on(engine: SlotEngine) -> None:
    plan = [*[style(1)] * 9, *[style(2)] * 11, *[style(3)] * 10]
    slot = engine.insert(7, style(1))
    engine.steer(slot, [(9, style(2)), (20, style(3))])
    play(engine, slot, 25)
    for back in (24, 21, 20, 19, 16, 15, 13):
        assert engine.rewind(slot, back) == back
        same(play(engine, slot, 25), plan)


def test_back_inside_of_a_chunk_needs_no_pass(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1))
    play(engine, slot, 6)
    engine.rewind(slot, 2)
    assert steps_to_go_on(engine, slot) == 1
    engine.rewind(slot, 0)
    assert steps_to_go_on(engine, slot) == 1


def test_steering_a_slot_that_went_back_begins_a_chunk_there(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1))
    play(engine, slot, 12)
    engine.rewind(slot, 4)
    engine.steer(slot, [(4, style(2))])
    same(play(engine, slot, 16), [*[style(1)] * 4, *[style(2)] * 12])


@pytest.mark.parametrize("steps", range(PASSES))
def test_going_back_while_a_pass_is_under_way(engine: SlotEngine, steps: int) -> None:
    """What it has heard of the past is not what is played there now, though the chunk begins where it did."""
    drums = replace(style(1), drums=0)
    assert style(1).drums != drums.drums
    slot = engine.insert(7, style(1))
    play(engine, slot, FRAMES)
    for _ in range(steps):
        engine.step([slot])
    assert engine.head(slot) == FRAMES
    engine.rewind(slot, 4)
    engine.steer(slot, [(4, drums)])
    same(play(engine, slot, 16), [*[style(1)] * 4, *[drums] * 12])


@pytest.mark.parametrize("at", range(PASSES + 1))
def test_steering_while_a_pass_is_under_way(engine: SlotEngine, at: int) -> None:
    """The last word counts, and costs no more than the pass that hears the style."""
    slot = engine.insert(7, style(1))
    for _ in range(at):
        assert engine.step([slot]) is None
    engine.steer(slot, [(engine.head(slot), style(2))])
    wanted = {PASSES: PASSES}.get(at, PASSES - min(at, PIECES + 1))
    assert steps_to_go_on(engine, slot) == wanted
    engine.rewind(slot, 0 if at < PASSES else 1)
    same(play(engine, slot, 9), [style(1 if at == PASSES else 2), *[style(2)] * 8])


def test_a_snapshot_in_the_middle_of_a_pass(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1))
    play(engine, slot, FRAMES)
    for _ in range(4):
        engine.step([slot])
    kept = engine.snapshot(slot)
    play(engine, slot, 18)
    fork = engine.restore(kept)
    same(play(engine, fork, 16), [style(1)] * 16)
    engine.drop(kept)


def test_a_snapshot_of_an_earlier_chunk(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1))
    play(engine, slot, 3)
    kept = engine.snapshot(slot)
    engine.steer(slot, [(4, style(2))])
    play(engine, slot, 18)
    engine.release(slot)
    fork = engine.restore(kept)
    assert steps_to_go_on(engine, fork) == 1
    same(play(engine, fork, 10), [style(1)] * 10)
    engine.drop(kept)


def test_history_is_heard(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1), prefill=PAST)
    plan = [*[style(1)] * 3, *[style(2)] * 10]
    engine.steer(slot, [(3, style(2))])
    same(play(engine, slot, 12), plan, PAST)
    engine.rewind(slot, 1)
    same(play(engine, slot, 12), plan, PAST)


@pytest.mark.parametrize("steps", [1, PASSES - 1, PASSES + 1])
def test_a_new_owner_inherits_neither_chunk_nor_pass(engine: SlotEngine, steps: int) -> None:
    slot = engine.insert(3, style(1))
    for _ in range(steps):
        engine.step([slot])
    engine.release(slot)
    slot = engine.insert(7, style(1), prefill=PAST)
    same(play(engine, slot, 9), [style(1)] * 9, PAST)


def test_others_never_wait_for_a_pass(engine: SlotEngine) -> None:
    slot = engine.insert(7, style(1))
    steps_to_go_on(engine, slot)
    other = engine.insert(8, style(2))
    heads = []
    play(engine, other, 1, lambda step: heads.append(engine.head(slot)))
    assert heads == list(range(1, PASSES + 2))


def test_a_chunk_that_ended_goes_before_one_that_was_cut(engine: SlotEngine) -> None:
    """And what is under way is finished before either, though the one that was cut waits longer."""
    ended, cut = engine.insert(7, style(1)), engine.insert(8, style(2))
    for slot, until in ((ended, FRAMES), (cut, 2)):
        while engine.head(slot) < until:
            engine.step([slot])
    engine.steer(cut, [(2, style(3))])
    new = engine.insert(9, style(2))
    engine.step([new])
    engine.step([new, cut])
    assert order_of(engine, [cut, ended, new]) == [new, ended, cut]


def test_no_work_is_thrown_away_for_who_goes_first(engine: SlotEngine) -> None:
    ended, cut = engine.insert(7, style(1)), engine.insert(8, style(2))
    for slot, until in ((ended, FRAMES), (cut, 2)):
        while engine.head(slot) < until:
            engine.step([slot])
    engine.steer(cut, [(2, style(3))])
    engine.step([cut])
    for _ in range(2 * PASSES - 1):
        engine.step()
    assert engine.head(ended) > FRAMES
    assert engine.head(cut) == 3


def test_who_waits_longer_goes_first(engine: SlotEngine) -> None:
    first, second = engine.insert(7, style(1)), engine.insert(8, style(2))
    engine.step([second])
    engine.step([first, second])
    third = engine.insert(9, style(3))
    assert order_of(engine, [third, first, second]) == [second, first, third]


def order_of(engine: SlotEngine, slots: list[SlotHandle]) -> list[SlotHandle]:
    """The slots in the order in which they have their next frames."""
    order: list[SlotHandle] = []
    heads = {slot: engine.head(slot) for slot in slots}
    for _ in range(8 * PASSES):
        engine.step()
        order += [slot for slot, head in heads.items() if slot not in order and engine.head(slot) > head]
    return order
