# SPDX-License-Identifier: Apache-2.0
"""What a session tells the guard and the ear, and what it does about what they find."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segue.v1 import stream_pb2
from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import CHANNELS, FRAME_SAMPLES, RIDER, VITALS, Conditioning
from segue_service.config import Settings
from segue_service.observe.metrics import Metrics
from segue_service.session.liveness import OVER_RANGE_SPAN, PERIOD, Guard
from segue_service.session.timeline import History
from segue_service.session.watching import Watching

Refreshed = stream_pb2.Refreshed
LOUD = Conditioning(style_codes=(1,) * 12, gain_db=-3.0)
OTHER = Conditioning(style_codes=(2,) * 12)
HEAD = 300


class Scene:
    """A session's parts, of which only what is watched is real; the rider's gain in vitals is the frame's number."""

    def __init__(self) -> None:
        info = FakeEngine(slots=1, levels=2).info
        history = History(1, 400, info)
        for frame in range(HEAD):
            vitals = np.zeros((1, VITALS), np.int16)
            vitals[0, RIDER] = frame
            at = np.array([0]), np.array([frame])
            history.write(*at, np.zeros((1, FRAME_SAMPLES, CHANNELS), np.int16), np.zeros((1, 2), np.int16), vitals)
        self.attached: list[str] = []
        self.refreshed: list[tuple[int, int | None]] = []
        self.warned: list[tuple[int, str]] = []
        self.failing = False
        self.embedding: np.ndarray | None = np.ones(768, np.float32)
        self.entries = [(0, LOUD)]
        guard = Guard(1, 2, Settings(), Metrics())
        adherence = SimpleNamespace(
            attach=lambda place, heard: self.attached.append("in"), detach=lambda place: self.attached.append("out")
        )
        machine = SimpleNamespace(plan=lambda state, first, last: SimpleNamespace(points=("point",)))
        parts: Any = SimpleNamespace(
            hub=SimpleNamespace(guard=guard, history=history), adherence=adherence, logs=SimpleNamespace()
        )
        styles: Any = SimpleNamespace(asked=lambda point, override: self.embedding)
        steering: Any = SimpleNamespace(
            planning=SimpleNamespace(since=lambda frame: self.entries, override=None, styles=styles),
            director=SimpleNamespace(machine=machine, state_at=lambda frame: frame),
        )
        audience: Any = SimpleNamespace(warn=lambda code, message: self.warned.append((code, message)))
        self.watching = Watching("s", parts, 0, steering, Any, audience, self.refresh)  # type: ignore[arg-type]
        self.watching.begin()

    async def refresh(self, cause: int, well: np.ndarray | None) -> None:
        await asyncio.sleep(0)
        if self.failing:
            raise RuntimeError("the session is over")
        self.refreshed.append((cause, None if well is None else int(well[RIDER])))


async def settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("cause", "well"),
    [
        (Refreshed.CAUSE_LOOP, HEAD - 1 - 125 - PERIOD),
        (Refreshed.CAUSE_OVER_RANGE, HEAD - 1 - OVER_RANGE_SPAN),
        (Refreshed.CAUSE_SILENCE, None),
        (Refreshed.CAUSE_DRIFT, None),
    ],
)
async def test_a_verdict_refreshes_once_with_the_loudness_of_before(cause: Any, well: int | None) -> None:
    scene = Scene()
    scene.watching.on_verdict(cause)
    scene.watching.on_verdict(cause)
    await settled()
    assert scene.refreshed == [(cause, well)]
    assert scene.attached == ["in", "in"], "what it plays now is judged alone"
    scene.watching.on_verdict(cause)
    await settled()
    assert len(scene.refreshed) == 2


async def test_a_refresh_that_fails_can_be_tried_again_and_one_of_a_closed_session_is_called_off() -> None:
    scene = Scene()
    scene.failing = True
    scene.watching.on_verdict(Refreshed.CAUSE_LOOP)
    await settled()
    scene.failing = False
    scene.watching.on_verdict(Refreshed.CAUSE_LOOP)
    await settled()
    assert len(scene.refreshed) == 1
    scene.watching.on_verdict(Refreshed.CAUSE_LOOP)
    scene.watching.end()
    await settled()
    assert len(scene.refreshed) == 1
    assert scene.attached[-1] == "out"


@pytest.mark.parametrize("cause", [c for c in Refreshed.Cause.values() if c > Refreshed.CAUSE_REQUESTED])
async def test_giving_up_is_said_in_words(cause: Any) -> None:
    scene = Scene()
    scene.watching.on_given_up(cause)
    ((code, message),) = scene.warned
    assert code == stream_pb2.Warning.CODE_STILL_FAULTY
    assert message.startswith("the model ")


async def test_what_was_asked_for() -> None:
    scene = Scene()
    assert scene.watching.asked_gain_db(5) == -3.0
    asked = scene.watching.asked(0, 100)
    assert asked is not None
    assert asked.style_codes == (1,) * 12
    scene.entries = [(0, LOUD), (50, OTHER)]
    assert scene.watching.asked(0, 100) is None, "it changed"
    scene.entries, scene.embedding = [(0, LOUD)], None
    assert scene.watching.asked(0, 100) is None, "after a resume the embedding of an override is not known"
