# SPDX-License-Identifier: Apache-2.0
"""A plan is worked out as often as it takes and is true once it is committed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.contract import Conditioning
from segue_service.observe.metrics import Metrics
from segue_service.session.director import Director
from segue_service.session.hub import Hub
from segue_service.session.planning import Planning
from segue_service.session.styles import Override, StyleTable
from segue_service.soundtrack import Machine, SetParameters, SetState, parse_soundtrack

NOW = SetState("combat", "immediate")
REACH = 100


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def planning(soundtrack_text: str, executor: ThreadPoolExecutor, metrics: Metrics) -> Planning:
    engine = FakeEngine(slots=1)
    soundtrack = parse_soundtrack(soundtrack_text)
    machine = Machine(soundtrack)
    hub = Hub(engine, 1, 400, metrics)
    tenant: Any = None
    place = hub.attach(tenant)
    director = Director(machine, machine.start(frame=0), reach=REACH)
    return Planning(director, StyleTable(soundtrack, HashStyleEncoder()), hub, place, executor, metrics, REACH)


def style(planning: Planning, frame: int) -> tuple[int, ...]:
    return planning.since(frame)[0][1].style_codes


async def test_nothing_is_true_before_it_is_committed(planning: Planning, metrics: Metrics) -> None:
    planning.commit(await planning.work_out(0, (), None))
    before, entries = planning.director.entries, planning.since(0)
    tried = await planning.work_out(10, [("a", [NOW])], None)
    assert (planning.director.entries, planning.since(0)) == (before, entries)
    again = await planning.work_out(12, [("a", [NOW])], None)
    assert tried.frame == 10
    assert planning.commit(again) == again.entries
    assert planning.director.state_at(12).state == "combat"
    assert planning.since(12) == again.entries
    assert style(planning, 11) == entries[0][1].style_codes, "what was played before is remembered"
    known = metrics.registry.get_sample_value("segue_style_lookups_total", {"cache": "hit"})
    assert known is not None
    assert known > 0


async def test_a_plan_says_from_where_on_it_differs(planning: Planning) -> None:
    first = await planning.work_out(0, (), None)
    assert first.changes == 0
    planning.commit(first)
    assert (await planning.work_out(8, (), None)).changes is None, "the same again"
    assert (await planning.work_out(8, [("a", [SetParameters({"danger": 0.0})])], None)).changes is None
    plan = await planning.work_out(8, [("a", [NOW])], None)
    assert plan.changes is not None
    assert 8 <= plan.changes < plan.placement.limit
    assert 8 in plan.moments, "a transition may change the style at once"
    assert {8, 9} <= (await planning.work_out(8, [("a", [NOW])], None, {9})).moments


async def test_an_override_plays_until_the_next_transition(planning: Planning) -> None:
    planning.commit(await planning.work_out(0, (), None))
    own = style(planning, 0)
    embedding = np.random.default_rng(0).standard_normal(768).astype(np.float32)
    override = Override(embedding, 10, 10, guidance=2.0)
    planning.commit(await planning.work_out(10, (), override, {10}))
    assert planning.override is override
    assert style(planning, 10) != own
    assert planning.since(10)[0][1].guidance.style == 2.0
    planning.commit(await planning.work_out(40, [("a", [NOW])], planning.override))
    assert planning.override is None, "its end has come"
    assert planning.since(40)[0][1].guidance.style != 2.0
    assert style(planning, 39) != own, "up to there it played"


async def test_an_override_that_a_later_transition_will_end_lasts_until_then(planning: Planning) -> None:
    planning.commit(await planning.work_out(0, (), None))
    override = Override(np.ones(768, np.float32), 10, 10)
    planning.commit(await planning.work_out(10, (), override, {10}))
    planning.commit(await planning.work_out(20, [("a", [SetState("combat", "next_bar")])], planning.override))
    assert planning.override is override, "the bar has not come"
    planning.commit(await planning.work_out(70, (), planning.override))
    assert planning.director.state_at(70).state == "combat"
    assert planning.override is None


async def test_what_held_before_a_first_plan_is_spaced_and_remembered_with_it(planning: Planning) -> None:
    given = [(0, Conditioning(style_codes=(7,) * 12)), (5, Conditioning(style_codes=(8,) * 12))]
    plan = await planning.work_out(20, (), None)
    assert planning.commit(plan, given) == [*given, *plan.entries]
    assert planning.since(4)[:2] == given
    assert style(planning, 19) == (8,) * 12


async def test_the_clock_is_the_soundtracks_where_the_model_has_none_yet(planning: Planning) -> None:
    """93.75 beats a minute: the second bar begins at frame 64, the third at 128."""
    plan = await planning.work_out(70, [("a", [SetState("combat", "next_bar")])], None, until=200)
    changed = [effect.frame for entry in plan.placement.entries for effect, _ in entry.effects]
    assert changed[0] == 128


async def test_what_is_laid_in_a_trace(planning: Planning) -> None:
    laps: list[str] = []

    class Told:
        is_recording = True

        def lap(self, name: str, *times: float, **facts: Any) -> None:
            laps.append(name)

    trace: Any = Told()
    await planning.work_out(0, (), None, trace=trace)
    assert laps == ["plan", "styles"]
