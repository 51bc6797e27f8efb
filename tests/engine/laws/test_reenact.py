# SPDX-License-Identifier: Apache-2.0
"""The law of replays: from what the journal says of a slot, its frames are made again bit for bit.

Neighbours come and go meanwhile, so that the slot is moved about and made by programs of all sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from law_models import LAW_MODELS, LawModel, _load, build, style
from tiny_chunks import TinyChunks
from tiny_model import CODES, TinyModel

from segue_engine.batch.engine import SlotEngine
from segue_engine.contract import Blocks, Guidance, Past, SlotHandle
from segue_engine.journal import (
    Began,
    Ended,
    Entry,
    Faulted,
    Listened,
    Made,
    MadeBy,
    ReenactError,
    Stepped,
    TookIn,
    WentBack,
    records_of,
)

pytestmark = pytest.mark.timeout(900)


class Faulty(TinyModel):
    """One frame in twelve leaves a codec that is not finite, so that the next is a fault."""

    def decode(self, params: Any, codec: Any, codes: jax.Array, due: jax.Array) -> tuple[Any, jax.Array]:
        new, audio = super().decode(params, codec, codes, due)
        return new._replace(level=jnp.where(due & (codes[:, 0] < CODES // 12), jnp.nan, new.level)), audio


def _magenta_rt_2() -> LawModel:
    """As among the laws, but behind a codec that hums, which compiles in a tenth of the time."""
    tiny = _load("magenta_rt_2/mrt2_tiny.py")
    return LawModel("magenta_rt_2", tiny.make_tiny_model(), codes=tiny.TINY.codebook)


MODELS: dict[str, Callable[[], LawModel]] = {
    "tiny": lambda: LawModel("tiny", Faulty(two_pass=True), CODES),
    "tiny, chunks": lambda: LawModel("tiny, chunks", TinyChunks(), CODES),
    "magenta_rt_1": LAW_MODELS["magenta_rt_1"],
    "magenta_rt_2": _magenta_rt_2,
}


@pytest.fixture(scope="module", autouse=True)
def quick_programs() -> Iterator[None]:
    """Compiling is nearly all here."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="module", params=list(MODELS))
def played(request: pytest.FixtureRequest) -> Iterator[tuple[LawModel, SlotEngine]]:
    """Two banks, programs of two or three sizes, passes of many steps."""
    law = MODELS[request.param]()
    guided = law.model.two_pass_guidance
    passes = 3 if law.model.encoder is not None else 0
    engine = build(
        *(law,), slots=8, bank_rows=5, sizes=(2, 5) if "tiny" in law.name else (5,), side_cost=2, prefill_budget=4,
        sound_budget=2, pass_budget=passes, guidance=guided,
    )  # fmt: skip
    yield law, engine
    engine.close()


class Player:
    """Plays one slot of an engine among others, and keeps what was handed over of it by frame."""

    def __init__(self, law: LawModel, engine: SlotEngine) -> None:
        self.law, self.engine = law, engine
        engine.flush()
        for handle in engine.handles():
            engine.release(handle)
        self.entries: list[Entry] = []
        engine.keep_journal(self.entries.append)
        self.random = np.random.default_rng(11)
        self.others: list[SlotHandle] = []
        self.heard: dict[int, tuple[bytes, bytes, bytes]] = {}

    def begin(self, past: int) -> SlotHandle:
        """Third of its bank, going on from so many frames of which something is known."""
        self.others = [self.engine.insert(40 + i, style(i)) for i in range(2)]
        codes = self.random.integers(0, self.law.codes, (past, self.law.model.levels)) if past else None
        held = ((-past, style(21)), (-3, style(22))) if past else ()
        self.slot = self.engine.insert(7, style(1), codes, Past(held, (-3.0, -20.0, 40.0)))
        return self.slot

    def note(self, blocks: Blocks | None) -> None:
        for row in range(0 if blocks is None else blocks.count):
            assert blocks is not None
            if (blocks.slots[row], blocks.epochs[row]) == (self.slot.index, self.slot.epoch):
                made = (blocks.pcm[row], blocks.codes[row, 0], blocks.vitals[row, 0])
                self.heard[int(blocks.first_frame[row])] = tuple(array.tobytes() for array in made)  # type: ignore[assignment]

    def until(self, frame: int) -> None:
        """Go on with others that come, go, and are due or not."""
        engine, random = self.engine, self.random
        for _ in range(3000):
            if engine.head(self.slot) >= frame:
                return
            first = int(engine.head(self.slot) < 15)  # the first stays so long
            if len(self.others) > first and random.random() < 0.12:
                engine.release(self.others.pop(int(random.integers(first, len(self.others)))))
            if random.random() < 0.15 and len(engine.handles()) < 8:
                self.others.append(engine.insert(int(random.integers(99)), style(int(random.integers(9)))))
            due = [other for other in self.others if random.random() < 0.6]
            self.note(engine.step([*due, self.slot] if random.random() < 0.8 else due))
        raise AssertionError(f"the slot stands at {engine.head(self.slot)}")

    def back(self, frame: int) -> None:
        reached = self.engine.rewind(self.slot, frame)
        self.heard = {at: made for at, made in self.heard.items() if at < reached}

    def play(self, past: int) -> dict[int, tuple[bytes, bytes, bytes]]:
        """Rewinds and changes of all kinds; gives what was handed over in the end."""
        engine, slot = self.engine, self.begin(past)
        guided = Guidance(style=2.0) if self.law.model.two_pass_guidance else Guidance()
        self.until(4)
        engine.steer(slot, [(6, style(2)), (9, replace(style(3), guidance=guided)), (15, style(4))])
        self.until(11)
        self.back(8)
        self.until(19)
        self.back(10)
        engine.steer(slot, [(10, style(5)), (14, replace(style(6), guidance=guided))])
        self.until(12)
        self.back(0)
        self.until(20)
        for other in self.others:  # so that the slot is the first of its bank
            engine.release(other)
        self.others = [engine.insert(60 + i, style(i)) for i in range(4)]
        engine.steer(slot, [(21, style(7))])
        self.until(23)
        self.back(21)
        self.until(27)
        engine.release(slot)
        self.note(engine.flush())
        for other in self.others:
            engine.release(other)
        return self.heard


@pytest.mark.parametrize("past", [0, 11])
def test_a_slot_is_made_again_bit_for_bit(played: tuple[LawModel, SlotEngine], past: int) -> None:
    law, engine = played
    player = Player(law, engine)
    heard = player.play(past)
    records = records_of(player.entries, player.slot)
    kinds = {kind: [record for record in records if isinstance(record, kind)] for kind in (MadeBy, WentBack, TookIn)}
    assert len({(record.window.size, record.window.position) for record in kinds[MadeBy]}) >= 3
    assert {record.window.size for record in kinds[MadeBy]} == {1, *engine.config.sizes}
    assert len({record.guided for record in kinds[MadeBy]}) == 1 + law.model.two_pass_guidance
    assert len(kinds[WentBack]) == 4
    assert len(kinds[TookIn]) > 1 if past else not kinds[TookIn]
    assert any(isinstance(record, Listened) for record in records) == (law.model.encoder is not None)
    assert any(isinstance(record, Faulted) for record in records) == (law.name == "tiny")
    again: dict[int, tuple[bytes, bytes, bytes]] = {}
    for item in engine.reenact(records):
        match item:
            case Made():
                again[item.frame] = (item.pcm.tobytes(), item.codes.tobytes(), item.vitals.tobytes())
            case WentBack():
                again = {at: made for at, made in again.items() if at < item.reached}
            case Ended():
                again = {at: made for at, made in again.items() if at < item.at}
    assert again.keys() == heard.keys()
    differing = [frame for frame in heard if again[frame] != heard[frame]]
    assert not differing


def test_a_step_in_which_nothing_changed_says_nothing(played: tuple[LawModel, SlotEngine]) -> None:
    player = Player(*played)
    slot = player.begin(0)
    for _ in range(60):
        player.engine.step([slot])
    assert any(isinstance(entry, Stepped) for entry in player.entries)
    assert not any(isinstance(entry, Stepped) for entry in player.entries[-20:])
    player.engine.keep_journal(None)
    count = len(player.entries)
    player.engine.step()
    player.engine.release(slot)
    assert len(player.entries) == count


def test_records_that_lack_something_are_refused(played: tuple[LawModel, SlotEngine]) -> None:
    player = Player(*played)
    player.play(0)
    records = records_of(player.entries, player.slot)
    engine = player.engine
    with pytest.raises(ReenactError, match="beginning first"):
        list(engine.reenact(records[1:]))
    with pytest.raises(ReenactError, match="frame 0: expected to be told first which program made it"):
        list(engine.reenact([record for record in records if not isinstance(record, MadeBy)]))
    twice = [records[0], records[0]]
    assert isinstance(twice[1], Began)
    with pytest.raises(ReenactError, match="second beginning"):
        list(engine.reenact(twice))
