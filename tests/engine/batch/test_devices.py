# SPDX-License-Identifier: Apache-2.0
"""Two CPU devices: programs compile once for both, and a slot sounds the same on either."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LAWS = Path(__file__).parent.parent / "laws"

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import jax
import numpy as np
from law_models import LAW_MODELS, SMALL, pick, run, style
from tiny_model import PlainMastering
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.batch import platform

platform.MAX_CPU_DEVICES = 2
platform.prepare("cpu", Path(sys.argv[2]))
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
config = SlotEngineConfig(**{**SMALL, "slots": 4, "bank_rows": 2, "sizes": (2,)})
engine = SlotEngine(LAW_MODELS["tiny"]().model, PlainMastering(), config, jax.devices())
engine.warm_up()
found, missed = (hits.count(f"/jax/compilation_cache/cache_{x}") for x in ("hits", "misses"))
assert found >= len(engine._recipes.all) > 10, (found, missed)
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


def test_two_cpu_devices(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(LAWS), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
