# SPDX-License-Identifier: Apache-2.0
"""What a scrape looks like: clean by promtool, as many series after many players as after few, quick to make."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest

import segue
from segue.errors import SegueError
from segue_engine.batch.fake import FakeEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_service.config import Settings
from segue_service.observe.metrics import FRAME_SECONDS, LATENCY_BUCKETS, LEAD_BUCKETS, STEP_BUCKETS, Metrics
from segue_service.server import Server, running
from segue_service.soundtrack import parse_soundtrack

NAMED = """
soundtrack: {name}
version: 1
initial: calm
styles: {{calm: {{prompts: {{calm: 1}}}}}}
states: {{calm: {{style: calm}}}}
"""
LABELS = {"le", "part", "reason", "method", "code", "kind", "landing", "cause", "by", "encoding", "cache", "result"}
OF_A_PROCESS = {"version", "model", "device", "file", "how"}


async def play(server: Server, names: range) -> None:
    """Sessions with names, labels and calls that nobody else has."""
    async with segue.aio.connect(server.address) as music:
        for number in names:
            await music.upload(NAMED.format(name=f"tune{number}"))
            session = await music.play(f"tune{number}", labels={"player": f"p{number}"})
            await session.set_state("calm")
            for refused in (session.post(f"event{number}"), music.play(f"nothing{number}")):
                with pytest.raises(SegueError):
                    await refused
            await session.close()


def series(server: Server) -> set[tuple[Any, ...]]:
    return {
        (sample.name, *sorted(sample.labels.items()))
        for family in server.metrics.registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


async def test_more_players_make_no_more_series() -> None:
    assembly = SimpleNamespace(engine=FakeEngine(slots=2), style_encoder=HashStyleEncoder())
    async with running(Settings(port=0, drain_ms=0), assembly, [parse_soundtrack(NAMED.format(name="calm"))]) as server:
        await play(server, range(2))
        few = series(server)
        await play(server, range(2, 12))
        assert series(server) == few
    names = {label for one in few for label, _ in one[1:]}
    assert names <= LABELS | OF_A_PROCESS
    assert len(few) < 1_000


def test_promtool_finds_nothing(program: Callable[[str], str]) -> None:
    text = generate_latest(Metrics().registry)
    done = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("buckets", [STEP_BUCKETS, LEAD_BUCKETS, LATENCY_BUCKETS])
def test_a_frame_is_the_edge_of_a_bucket(buckets: tuple[float, ...]) -> None:
    assert FRAME_SECONDS in buckets
    assert list(buckets) == sorted(buckets)


def test_counters_that_alerts_watch_begin_at_zero() -> None:
    registry = Metrics().registry
    for name, labels in (
        ("segue_underruns_total", {"by": "server"}),
        ("segue_guard_verdicts_total", {"cause": "loop"}),
        ("segue_guard_given_up_total", {"cause": "silence"}),
        ("segue_late_steps_total", {}),
        ("segue_audit_lost_total", {"cause": "disk"}),
    ):
        assert registry.get_sample_value(name, labels) == 0.0
