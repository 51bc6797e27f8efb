# SPDX-License-Identifier: Apache-2.0
"""Several devices of one process: programs compile once for all, and a slot sounds the same on each of them."""

from __future__ import annotations

import os
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


SHARDED = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import jax
import numpy as np
from law_models import LAW_MODELS, SMALL, pick, run, style
from tiny_model import PlainMastering
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine

jax.config.update("jax_compilation_cache_dir", sys.argv[2])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
devices = jax.devices()
assert len(devices) == 4, devices

def engine_on(devices, **config):
    rows = {**SMALL, "bank_rows": 2, "sizes": (1, 2), "side_cost": 0, "spread": True, **config}
    made = SlotEngine(LAW_MODELS["tiny"]().model, PlainMastering(), SlotEngineConfig(**rows), devices)
    made.warm_up()
    return made

def device_of(engine, slot):
    return engine._placement.of(slot.index)[0].device

engine = engine_on(devices, slots=8)
assert engine.info.devices == 4
slots = [engine.insert(seed, style(seed)) for seed in range(4)]
assert {device_of(engine, slot) for slot in slots} == set(devices), "the first four have a device each"
slots += [engine.insert(seed, style(seed)) for seed in range(4, 8)]
used = [bank.used for bank in engine._banks]
assert used == [2, 2, 2, 2], used
for seed, slot in enumerate(slots):
    engine.steer(slot, [(3, style(seed + 20))])
blocks = run(engine, 9)
heard = [pick(blocks, slot) for slot in slots]

# Each of them is what it is alone, on one device.
single = engine_on(devices[:1], slots=2)
for seed in (0, 3, 6):
    slot = single.insert(seed, style(seed))
    single.steer(slot, [(3, style(seed + 20))])
    alone = pick(run(single, 9), slot)
    assert heard[seed].near(alone), seed
    single.release(slot)

# One of them goes back, while the others go on.
before = [int(engine.head(slot)) for slot in slots]
engine.step()
assert engine.rewind(slots[5], 4) == 4
blocks = [engine.step([slots[5]]) for _ in range(5)] + [engine.flush()]
again = pick([b for b in blocks if b is not None and (b.slots == slots[5].index).any()], slots[5])
assert again.near(heard[5][4:]), "a rewind on one device"
assert [engine.head(slot) for slot in slots] == [n + 1 if i != 5 else 9 for i, n in enumerate(before)]

# What was set aside goes on, on another device.
kept = engine.snapshot(slots[6])
engine.release(slots[1])
fork = engine.restore(kept)
assert device_of(engine, fork) is not device_of(engine, slots[6])
blocks = run(engine, 6)
assert pick(blocks, fork).near(pick(blocks, slots[6]))

# The emptiest device is next.
for slot in (slots[0], slots[4]):
    engine.release(slot)
emptied = [bank for bank in engine._banks if bank.used == 0]
assert len(emptied) == 1
assert engine._placement.of(engine.insert(9, style(9)).index)[0] is emptied[0]
run(engine, 2)
assert engine.faults == 0
"""


def test_slots_are_shared_by_four_forced_host_devices(tmp_path: Path) -> None:
    forced = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", SHARDED, str(LAWS), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=forced,
    )
    assert done.returncode == 0, done.stderr
