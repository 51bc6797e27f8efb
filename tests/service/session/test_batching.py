# SPDX-License-Identifier: Apache-2.0
"""Controls that arrive while another one is on its way go together, and each hears what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from segue_service.observe import tracing
from segue_service.session.batching import Batch, Batching
from segue_service.session.landing import Landed
from segue_service.soundtrack import ControlError, PostEvent, UnknownName


class Scene:
    """Landing takes until it is let go; each lands at the frame that is its number, and "bad" ones are refused."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.landings: list[list[str]] = []
        self.let_go = asyncio.Event()
        self.failing: BaseException | None = None
        self.has_slot = True
        self.batching = Batching(self.land, self.lock, "s")

    async def land(self, batches: Sequence[Batch], trace: tracing.Trace) -> list[Landed | ControlError] | None:
        assert self.lock.locked()
        self.landings.append([request for request, _ in batches])
        await self.let_go.wait()
        if self.failing is not None:
            raise self.failing
        if not self.has_slot:
            return None
        return [
            UnknownName("event", request, ()) if request == "bad" else Landed(number, request, False, 0)
            for number, (request, _) in enumerate(batches)
        ]

    def say(self, request: str) -> asyncio.Task[Landed]:
        return asyncio.create_task(self.batching.apply([PostEvent("hit")], request))


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_arrives_meanwhile_is_taken_together_in_its_order() -> None:
    scene = Scene()
    first = scene.say("a")
    await turns()
    others = [scene.say(name) for name in "bcd"]
    await turns()
    assert scene.landings == [["a"]]
    scene.let_go.set()
    landed = await asyncio.gather(first, *others)
    assert scene.landings == [["a"], ["b", "c", "d"]]
    assert [one.state for one in landed] == ["a", "b", "c", "d"]
    assert not scene.lock.locked()


async def test_an_error_is_its_own_controls() -> None:
    scene = Scene()
    scene.let_go.set()
    good, bad = await asyncio.gather(scene.say("good"), scene.say("bad"), return_exceptions=True)
    assert isinstance(good, Landed)
    assert isinstance(bad, UnknownName)


async def test_what_keeps_a_batch_from_landing_is_told_to_all_of_it_and_to_no_other() -> None:
    scene = Scene()
    scene.let_go.set()
    scene.failing = RuntimeError("the device is gone")
    found = await asyncio.gather(scene.say("a"), scene.say("b"), return_exceptions=True)
    assert found == [scene.failing, scene.failing]
    scene.failing = None
    assert (await scene.say("c")).state == "c"


async def test_without_a_slot_whoever_waits_is_called_off() -> None:
    scene = Scene()
    scene.let_go.set()
    scene.has_slot = False
    with pytest.raises(asyncio.CancelledError):
        await scene.say("a")


async def test_whoever_goes_away_keeps_nobody_else_from_an_answer() -> None:
    scene = Scene()
    gone, stays = scene.say("a"), scene.say("b")
    await turns()
    gone.cancel()
    scene.let_go.set()
    assert (await stays).state == "b"


async def test_a_nudge_lands_once_though_nobody_says_anything() -> None:
    scene = Scene()
    for _ in range(3):
        scene.batching.nudge()
    await turns()
    assert scene.landings == [[]]
    scene.batching.nudge()
    scene.let_go.set()
    await turns()
    assert scene.landings == [[], []], "what was asked for while one was on its way comes after it"


async def test_the_end_of_a_session_is_told_to_all_that_wait() -> None:
    scene = Scene()
    waiting = [scene.say("a")]
    await turns()
    waiting.append(scene.say("b"))
    await turns()
    scene.batching.cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in found)
    assert scene.landings == [["a"]]


async def test_a_nudge_that_fails_is_logged_with_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, Any]] = []
    monkeypatch.setattr("segue_service.session.batching._log.error", lambda message, **facts: said.append(facts))
    scene = Scene()
    scene.let_go.set()
    scene.failing = RuntimeError("no step")
    scene.batching.nudge()
    await turns()
    assert [(one["session"], one["error"]) for one in said] == [("s", "RuntimeError('no step')")]
