# SPDX-License-Identifier: Apache-2.0
"""The same run with and without a control, over real engines with mastering on: nothing differs before its sample."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segue.v1 import control_pb2

pytestmark = pytest.mark.timeout(600)  # compiling takes a while on a busy machine

FRAME = 1920
LEAD = 1600
HEARD, LENGTH = 30 * FRAME, 44 * FRAME
SEEDS = range(7, 27)
"""Random weights don't care much for styles: in one of these runs the two frames after a change must be others."""
UNGUARDED = {"guard_loop_ms": 0, "guard_over_range_ms": 0}
"""Random weights do what the guard takes for a fault."""
NOW = control_pb2.EXIT_SOURCE_AT_IMMEDIATE


async def run(rig: Any, wait_until: Any, seed: int, steer: Any = None) -> tuple[np.ndarray, Any]:
    """A session's first samples, int16[n, 2], steered when its client holds HEARD of them."""
    opened = await rig.create(target_lead_ms=LEAD, seed=seed)
    await wait_until(lambda: rig.session(opened).head_sample >= LEAD * 48 - FRAME)
    held, outcome = np.zeros((0, 2), np.int16), None
    async for message in opened.stream():
        if message.WhichOneof("message") != "audio":
            continue
        chunk = message.audio
        held = np.concatenate([held[: chunk.first_sample], np.frombuffer(chunk.payload, "<i2").reshape(-1, 2)])
        if steer is not None and outcome is None and len(held) >= HEARD:
            outcome = await steer(opened)
            held = held[: outcome.audible_at_sample] if outcome.take else held
        if len(held) >= LENGTH and (outcome is None or chunk.take == outcome.take):
            break
    await opened.call("CloseSession")
    await wait_until(lambda: not rig.engine.handles())
    return held[:LENGTH], outcome


async def post(opened: Any) -> Any:
    return await opened.call("PostEvent", event="enemy_spotted")


async def state(opened: Any) -> Any:
    return await opened.call("SetState", state="boss", control=opened.header(exit_source_at=NOW))


async def urgent(opened: Any) -> Any:
    values = [control_pb2.ParameterValue(name="danger", value=1.0)]
    change = control_pb2.ParameterChange(values=values, ignore_seek_speed=True, urgent=True)
    return await opened.call("SetParameters", parameters=change)


async def test_counterfactual(start: Any, wait_until: Any, engine: Any) -> None:
    async with start(engine=engine, history_ms=6000, max_lead_ms=3000, **UNGUARDED) as rig:
        plain = {SEEDS[0]: (await run(rig, wait_until, SEEDS[0]))[0]}
        again, _ = await run(rig, wait_until, SEEDS[0])
        np.testing.assert_array_equal(again, plain[SEEDS[0]])
        for steer in (post, state, urgent):
            changed = []
            for seed in SEEDS:
                if seed not in plain:
                    plain[seed] = (await run(rig, wait_until, seed))[0]
                heard, outcome = await run(rig, wait_until, seed, steer)
                at = outcome.audible_at_sample
                assert outcome.landing == control_pb2.LANDING_REWOUND, steer.__name__
                assert at < HEARD
                np.testing.assert_array_equal(heard[:at], plain[seed][:at], err_msg=steer.__name__)
                changed.append((heard[at : at + 2 * FRAME] != plain[seed][at : at + 2 * FRAME]).any())
                if changed[-1]:
                    break
            assert changed[-1], steer.__name__
