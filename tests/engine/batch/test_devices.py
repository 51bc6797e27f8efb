# SPDX-License-Identifier: Apache-2.0
"""Two CPU devices: programs are moved to the second without compiling, and a slot sounds the same on either."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LAWS = Path(__file__).parent.parent / "laws"

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import jax
jax.config.update("jax_num_cpu_devices", 2)
import numpy as np
from law_models import LAW_MODELS, SMALL, pick, run, style
from tiny_model import PlainMastering
from segue_engine.batch import programs
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine

moved = []
relocate = programs.relocate
programs.relocate = lambda *given: moved.append(relocate(*given)) or moved[-1]
config = SlotEngineConfig(**{**SMALL, "slots": 4, "bank_rows": 2, "sizes": (2,)})
engine = SlotEngine(LAW_MODELS["tiny"]().model, PlainMastering(), config, jax.devices())
engine.warm_up()
assert moved and None not in moved
slots = [engine.insert(5, style(1)) for _ in range(4)]
assert len({bank.device for bank in engine._banks}) == 2
for slot in slots:
    engine.steer(slot, [(3, style(2))])
blocks = run(engine, 9)
heard = [pick(blocks, slot) for slot in slots]
assert heard[0].same(heard[2]) and heard[1].same(heard[3])
engine.rewind(slots[3], 4)
again = pick(run(engine, 5, [slots[3]]), slots[3])
assert again.near(heard[3][4:])
kept = engine.snapshot(slots[3])
engine.release(slots[0])
fork = engine.restore(kept)
assert engine._placement.of(fork.index)[0].device != engine._placement.of(slots[3].index)[0].device
blocks = run(engine, 4)
assert pick(blocks, fork).near(pick(blocks, slots[3]))
"""


def test_two_cpu_devices() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(LAWS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
