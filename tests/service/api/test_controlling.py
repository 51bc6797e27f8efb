# SPDX-License-Identifier: Apache-2.0
"""Controls: done once, measured, noted and answered; over the wire, and alone with a session that only says where it
landed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from segue.v1 import control_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_engine.batch.fake import FakeEngine
from segue_service.api.caller import Caller
from segue_service.api.controlling import Controlling
from segue_service.config import Settings
from segue_service.errors import Refused, over_quota
from segue_service.observe.metrics import Metrics
from segue_service.security.grants import Opened, Right
from segue_service.session.landing import Landed
from segue_service.session.timeline import Axis
from segue_service.soundtrack import Input, PostEvent

AXIS = Axis(FakeEngine(slots=1).info)


class Scene:
    """A server with one session, whose controls land at frame 50 with the playhead at the sample of frame 25."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.noted: list[tuple[int, str, Any, Any]] = []
        self.said: list[tuple[list[Input], str]] = []
        self.reports: list[tuple[str, int]] = []
        self.needs: list[Right] = []
        self.quota = 100
        self.gone: set[str] = set()
        parts = SimpleNamespace(
            settings=Settings(),
            security=SimpleNamespace(usage=SimpleNamespace(control=self.count)),
            metrics=self.metrics,
            logs=SimpleNamespace(
                note=lambda place, kind, *, request, response: self.noted.append((place, kind, request, response))
            ),
            hub=SimpleNamespace(history=SimpleNamespace(axis=AXIS)),
        )
        registry: Any = SimpleNamespace(
            parts=parts,
            slots=1,
            open=self.open,
            alive=lambda session_id: session_id not in self.gone,
            check_open=lambda: None,
        )
        self.controlling = Controlling(registry)

    def open(self, session_id: str, token: str | None, need: Right) -> tuple[Any, Opened]:
        self.needs.append(need)
        session = SimpleNamespace(
            session_id=session_id,
            deed=SimpleNamespace(tenant="studio"),
            controls=None,
            place=3,
            playhead=AXIS.audible(25),
            listening=SimpleNamespace(report=lambda listener, playhead: self.reports.append((listener, playhead))),
            control=self.control,
        )
        return session, Opened(Right.OWN, None)

    async def control(self, inputs: list[Input], request: str) -> Landed:
        self.said.append((inputs, request))
        return Landed(50, "combat", True, 60, take=1, rewound=True)

    def count(self, tenant: str, bucket: Any) -> None:
        assert tenant == "studio"
        self.quota -= 1
        if self.quota < 0:
            raise over_quota(tenant, "controls", "too many")

    async def post(self, event: str = "enemy_spotted", **header: Any) -> pb.PostEventResponse:
        control = control_pb2.ControlHeader(**{"session_id": "s-1", **header})
        request = pb.PostEventRequest(event=event, control=control)

        async def do(session: Any) -> pb.PostEventResponse:
            inputs = [PostEvent(event)]
            return pb.PostEventResponse(outcome=await self.controlling.steer(session, control, inputs))

        return await self.controlling.once(request, Caller("token"), do)

    def figure(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


async def test_an_outcome_says_where_on_the_timeline_it_landed() -> None:
    scene = Scene()
    outcome = (await scene.post(request_id="a", listener_id="ear", playhead_sample=480)).outcome
    assert outcome == control_pb2.ControlOutcome(
        request_id="a",
        landing=control_pb2.LANDING_REWOUND,
        take=1,
        state="combat",
        in_transition=True,
        audible_at_sample=AXIS.audible(50),
        head_sample=AXIS.audible(60),
        playhead_sample=AXIS.audible(25),
    )
    assert scene.reports == [("ear", 480)], "what the game has heard is booked first"
    assert scene.needs == [Right.STEER]


async def test_what_comes_again_is_done_measured_and_noted_once() -> None:
    scene = Scene()
    first = await scene.post(request_id="a")
    assert await scene.post(request_id="a", playhead_sample=9) == first, "its playhead makes it no other one"
    assert scene.said == [([PostEvent("enemy_spotted")], "a")]
    assert [(place, kind) for place, kind, _, _ in scene.noted] == [(3, "PostEvent")]
    assert scene.noted[0][3] == first
    assert scene.figure("segue_controls_total", kind="PostEvent", landing="rewound") == 1
    assert scene.figure("segue_landing_seconds_count") == 1
    ahead = (AXIS.audible(50) - AXIS.audible(25)) / 48_000
    assert scene.figure("segue_audible_seconds_sum") >= ahead
    await scene.post()
    await scene.post()
    assert len(scene.said) == 3, "without a request_id each is one of its own"


async def test_what_is_refused_is_neither_measured_nor_noted_nor_remembered() -> None:
    scene = Scene()
    for header in ({"session_id": ""}, {"request_id": "x" * 65}):
        with pytest.raises(Refused):
            await scene.post(**header)
    scene.quota = 0
    with pytest.raises(Refused, match="too many"):
        await scene.post(request_id="a")
    assert not scene.said
    assert not scene.noted
    scene.quota = 1
    await scene.post(request_id="a")
    assert len(scene.said) == len(scene.noted) == 1


async def test_what_is_remembered_goes_with_its_session() -> None:
    scene = Scene()
    for _ in range(2):
        await scene.post(request_id="a")
    assert len(scene.said) == 1
    scene.controlling.forget("s-1")
    await scene.post(request_id="a")
    assert len(scene.said) == 2
    names = [f"s-{number}" for number in range(2, 60)]
    for name in names:
        await scene.post(request_id="a", session_id=name)
        scene.gone.add(name)
    await scene.post(request_id="a")
    assert len(scene.said) == 2 + len(names), "those that live are remembered however many have come and gone"
    assert len(scene.controlling._memories) < 30


async def test_a_control_that_comes_again_gets_the_first_reply(rig: Any) -> None:
    opened = await rig.create()
    first = await opened.call("PostTrigger", trigger="treasure", control=opened.header(request_id="a"))
    again = await opened.call(
        "PostTrigger", trigger="treasure", control=opened.header(request_id="a", playhead_sample=5)
    )
    assert again == first
    both = await asyncio.gather(
        *(opened.call("PostEvent", event="enemy_spotted", control=opened.header(request_id="b")) for _ in range(2))
    )
    assert both[0] == both[1]


async def test_a_request_id_names_one_request(rig: Any) -> None:
    opened = await rig.create()
    await opened.call("PostEvent", event="enemy_spotted", control=opened.header(request_id="a"))
    for method, fields in (("PostEvent", {"event": "boss_died"}), ("Pause", {})):
        refusal = await rig.refused(opened.call(method, control=opened.header(request_id="a"), **fields))
        assert (refusal.code, refusal.fields) == ("INVALID_ARGUMENT", ["request_id"])


async def test_a_refused_control_may_be_sent_again(rig: Any) -> None:
    opened = await rig.create()
    for _ in range(2):
        refusal = await rig.refused(opened.call("PostEvent", event="nope", control=opened.header(request_id="a")))
        assert refusal.code == "NOT_FOUND"
