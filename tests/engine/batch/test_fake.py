# SPDX-License-Identifier: Apache-2.0
"""The fake engine does what the contract says, so that whatever is tested on it is tested on the contract."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import (
    NOTE_ONSET,
    Blocks,
    Conditioning,
    ConditioningError,
    Engine,
    EngineError,
    EngineFullError,
    Guidance,
    Prompt,
    PromptError,
    Sampling,
    SlotHandle,
    StaleSlotError,
    StyleEncoder,
)

CALM = Conditioning(style_codes=(1, 2, 3))
FIGHT = Conditioning(style_codes=(700, 8, 9))


def run(engine: FakeEngine, frames: int, due: Sequence[SlotHandle] | None = None) -> list[Blocks]:
    blocks = [engine.step(due) for _ in range(frames)] + [engine.flush()]
    return [b for b in blocks if b is not None]


def sound(blocks: list[Blocks], slot: SlotHandle) -> np.ndarray:
    return np.concatenate([b.pcm[r] for b in blocks for r in np.flatnonzero(b.slots == slot.index)])


def test_importing_it_does_not_import_jax() -> None:
    code = "import sys, segue_engine.batch.fake, segue_engine.batch.fake_styles; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fulfils_the_contract() -> None:
    assert isinstance(FakeEngine(), Engine)
    assert isinstance(HashStyleEncoder(), StyleEncoder)


def test_step_hands_over_the_previous_dispatch() -> None:
    engine = FakeEngine(slots=2)
    a = engine.insert(1, CALM)
    assert engine.step() is None
    assert engine.head(a) == 1
    first = engine.step()
    assert first is not None
    assert first.first_frame.tolist() == [0]
    assert first.pcm.shape == (1, 1920, 2)
    assert first.codes.shape == (1, 1, 12)
    assert first.codes[0, 0].tolist() == [0, 1, 2, 3] + [0] * 8
    last = engine.flush()
    assert last is not None
    assert last.first_frame.tolist() == [1]
    assert engine.flush() is None


@pytest.mark.parametrize(
    "changed",
    [
        FIGHT,
        Conditioning(style_codes=(1, 2, 3), drums=1),
        Conditioning(style_codes=(1, 2, 3), gain_db=-6.0),
        Conditioning(style_codes=(1, 2, 3), guidance=Guidance(style=3.0)),
        Conditioning(style_codes=(1, 2, 3), sampling=Sampling(temperature=0.7)),
        Conditioning(style_codes=(1, 2, 3), notes=(NOTE_ONSET,) + (0,) * 127),
    ],
)
def test_steering_is_heard_from_its_frame_on_without_a_click(changed: Conditioning) -> None:
    plain, steered = FakeEngine(slots=1), FakeEngine(slots=1)
    a, b = plain.insert(5, CALM), steered.insert(5, CALM)
    steered.steer(b, [(3, changed)])
    x, y = sound(run(plain, 6), a), sound(run(steered, 6), b)
    assert (x[: 3 * 1920] == y[: 3 * 1920]).all()
    assert all((x[f * 1920 : (f + 1) * 1920] != y[f * 1920 : (f + 1) * 1920]).any() for f in (3, 4, 5))
    assert np.abs(np.diff(y.astype(np.int32), axis=0)).max() < 1200


@pytest.mark.parametrize("late", [72, 1920, 2000])
def test_delays_delay_the_sound(late: int) -> None:
    plain, delayed = FakeEngine(slots=1), FakeEngine(slots=1, mastering_delay_samples=late)
    out = []
    for engine in (plain, delayed):
        slot = engine.insert(5, CALM)
        engine.steer(slot, [(2, FIGHT)])
        out.append(sound(run(engine, 6), slot))
    assert not out[1][:late].any()
    assert (out[1][late:] == out[0][:-late]).all()


def test_rewind_then_step_equals_never_having_gone_on() -> None:
    engine = FakeEngine(slots=1, mastering_delay_samples=100)
    slot = engine.insert(5, CALM)
    engine.steer(slot, [(2, FIGHT), (5, CALM)])
    straight = sound(run(engine, 8), slot)
    assert engine.rewind(slot, 3) == 3
    assert (sound(run(engine, 5), slot) == straight[3 * 1920 :]).all()


def test_rewind_drops_what_is_in_flight_and_keeps_the_plan() -> None:
    engine = FakeEngine(slots=1)
    slot = engine.insert(5, CALM)
    engine.steer(slot, [(1, FIGHT)])
    engine.step()
    engine.step()
    assert engine.rewind(slot, 1) == 1
    assert engine.step() is None
    block = engine.flush()
    assert block is not None
    assert block.first_frame.tolist() == [1]
    assert block.codes[0, 0, 1] == 700


def test_rewind_reaches_as_far_as_history() -> None:
    engine = FakeEngine(slots=1, rewind_frames=4)
    slot = engine.insert(5, CALM)
    run(engine, 10)
    assert engine.rewind(slot, 99) == 10
    assert engine.rewind(slot, 8) == 8
    assert engine.rewind(slot, 0) == 6
    assert engine.rewind(slot, 0) == 6


def test_slots_release_reuse_and_stale_handles() -> None:
    engine = FakeEngine(slots=1)
    a = engine.insert(1, CALM)
    with pytest.raises(EngineFullError):
        engine.insert(2, CALM)
    engine.step()
    engine.release(a)
    engine.release(a)
    b = engine.insert(2, CALM)
    assert b.index == a.index
    assert engine.step([a, b]) is None
    block = engine.flush()
    assert block is not None
    assert block.epochs.tolist() == [b.epoch]
    for verb in (engine.head, engine.snapshot, lambda s: engine.rewind(s, 0), lambda s: engine.steer(s, [(0, CALM)])):
        with pytest.raises(StaleSlotError):
            verb(a)


def test_snapshot_and_restore_fork() -> None:
    engine = FakeEngine(slots=2, mastering_delay_samples=72)
    a = engine.insert(1, CALM)
    engine.steer(a, [(3, FIGHT)])
    run(engine, 2)
    kept = engine.snapshot(a)
    b = engine.restore(kept)
    blocks = run(engine, 4)
    assert (sound(blocks, a) == sound(blocks, b)).all()
    engine.drop(kept)
    with pytest.raises(EngineError):
        engine.restore(kept)


def test_clock_reads_beats_and_bars_and_prefill_continues_it() -> None:
    engine = FakeEngine(slots=1)
    prefill = np.zeros((3, 12), np.int16)
    prefill[-1, 0] = 62
    slot = engine.insert(1, CALM, prefill=prefill)
    reading = engine.clock.read(np.concatenate([b.codes[:, 0] for b in run(engine, 3, [slot])]))
    assert reading.on_bar.tolist() == [False, True, False]
    assert reading.bar.tolist() == [0, 1, 1]
    assert reading.beat.tolist() == [3, 0, 0]
    assert reading.frames_to_beat.tolist() == [1, 0, 15]
    assert reading.frames_to_bar.tolist() == [1, 0, 63]


def test_bad_input_is_refused_by_name() -> None:
    engine = FakeEngine(slots=1)
    with pytest.raises(ConditioningError, match=r"style_codes\[0\]"):
        engine.insert(1, Conditioning(style_codes=(1024,)))
    with pytest.raises(ConditioningError, match="prefill"):
        engine.insert(1, CALM, prefill=np.zeros((3, 4), np.int16))
    slot = engine.insert(1, CALM)
    with pytest.raises(ConditioningError, match=r"plan\[1\]"):
        engine.steer(slot, [(4, CALM), (4, FIGHT)])
    with pytest.raises(ConditioningError, match="gain_db"):
        engine.steer(slot, [(1, FIGHT), (4, Conditioning(gain_db=99))])
    assert sound(run(engine, 3), slot).shape == (3 * 1920, 2)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.step()


def test_hash_styles() -> None:
    styles = HashStyleEncoder()
    embedded = styles.embed([Prompt(text="Calm"), Prompt(text="calm "), Prompt(audio=np.ones(8, np.float32))])
    assert (embedded.embeddings[0] == embedded.embeddings[1]).all()
    mix = styles.blend(embedded.embeddings[1:], np.array([0.25, 0.75], np.float32))
    assert np.linalg.norm(mix) == pytest.approx(1.0, abs=1e-5)
    codes = styles.quantise(np.stack([mix, embedded.embeddings[0]]))
    assert codes.shape == (2, 12)
    assert codes.dtype == np.int32
    assert codes.min() >= 0
    assert codes.max() < 1024
    assert (codes[0] != codes[1]).any()
    with pytest.raises(PromptError, match=r"prompts\[0\]"):
        styles.embed([Prompt(text="  ")])
    with pytest.raises(PromptError, match="either"):
        styles.embed([Prompt()])
