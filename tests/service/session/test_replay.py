# SPDX-License-Identifier: Apache-2.0
"""A served session's log makes its audio again: takes, a reset and neighbours that come and go, byte for byte."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import segue
from segue.v1 import control_pb2
from segue_engine.assemble import Assembly
from segue_engine.batch.config import SlotEngineConfig
from segue_engine.batch.engine import SlotEngine
from segue_engine.batch.fake_styles import HashStyleEncoder
from segue_engine.mastering import Mastering
from segue_service.cli.app import app

sys.path.insert(0, str(Path(__file__).parents[2] / "engine" / "laws"))

from tiny_model import TinyModel

pytestmark = pytest.mark.timeout(600)  # compiling takes a while on a busy machine

FRAME = 1920
LEAD = 1200
END = 110 * FRAME


class Lagging(TinyModel):
    """Counts as one whose first frame is never heard, as with a codec that lags."""

    codec_delay = 1


@pytest.fixture(scope="module")
def engine() -> Iterator[SlotEngine]:
    """Compiling is nearly all here."""
    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", True)
    config = SlotEngineConfig(slots=4, bank_rows=4, sizes=(4,), side_cost=4, rewind_frames=50, guidance=True)
    made = SlotEngine(Lagging(two_pass=True), Mastering(), config)
    made.warm_up()
    made.close = lambda: None  # type: ignore[method-assign]  # the server and the command use it, one after the other
    yield made
    jax.config.update("jax_disable_most_optimizations", before)


class Listener:
    """Hears a session to its end, and does something whenever it holds so many frames."""

    def __init__(self, opened: Any, deeds: dict[int, Callable[[], Any]]) -> None:
        self.opened, self.deeds = opened, sorted(deeds.items())
        self.newest = segue.NewestTakes()
        self.takes: set[int] = set()

    async def listen(self) -> None:
        async for message in self.opened.stream():
            if message.WhichOneof("message") != "audio":
                continue
            chunk = message.audio
            pcm = np.frombuffer(chunk.payload, "<i2").reshape(-1, 2)
            self.newest.put(segue.Block(chunk.first_sample, pcm, chunk.take))
            self.takes.add(chunk.take)
            if self.deeds and self.newest.end >= self.deeds[0][0] * FRAME:
                await self.deeds.pop(0)[1]()
            if self.newest.end >= END:
                return


@pytest.fixture(scope="module")
def played() -> dict[str, Any]:
    """Filled by the first test, for those that read what it has written."""
    return {}


def command(monkeypatch: pytest.MonkeyPatch, engine: SlotEngine, *words: str) -> Any:
    engine.keep_journal(None)
    monkeypatch.setattr("segue_service.cli.replay.build_again", lambda *_: Assembly(engine, HashStyleEncoder()))
    return CliRunner().invoke(app, ["render", "--replay", *words])


async def test_the_same_bytes_as_were_heard(
    start: Any, engine: SlotEngine, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any, played: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    async with start(engine=engine, session_log_dir=folder, history_ms=6000, max_lead_ms=3000) as rig:
        streams = []

        async def join(lead_ms: int, seed: int) -> Any:
            other = await rig.create(target_lead_ms=lead_ms, seed=seed)
            streams.append(asyncio.create_task(other.hear(10 * END)))
            return other

        first, other = await join(400, 1), await join(700, 3)
        opened = await rig.create(target_lead_ms=LEAD, seed=2)
        now = opened.header(exit_source_at=control_pb2.EXIT_SOURCE_AT_IMMEDIATE)

        listener = Listener(
            opened,
            {
                30: lambda: opened.call("PostEvent", event="enemy_spotted"),
                40: lambda: first.call("CloseSession"),
                45: lambda: join(2000, 4),
                52: lambda: opened.call("SetState", state="boss", control=now),
                60: lambda: other.call("CloseSession"),
                70: lambda: opened.call("ResetContext", seed=9),
                90: lambda: opened.call("PostEvent", event="chest_opened"),
            },
        )
        await listener.listen()
        await opened.call("CloseSession")
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    log = folder / f"{opened.session_id}.jsonl"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    told = [line["what"] for line in lines]
    assert told[0] == "session"
    assert told[-1] == "end"
    assert {"bind", "crossfade", "began", "steered", "made_by", "went_back", "heard", "PostEvent", "event"} <= set(told)
    assert len({tuple(line["window"]) for line in lines if line["what"] == "made_by"}) > 2, "neighbours moved it about"
    assert opened.token not in log.read_text(encoding="utf-8")
    assert len(listener.takes) > 1

    out = folder / "again.wav"
    done = command(monkeypatch, engine, str(log), "-o", str(out), "--verify")
    assert done.exit_code == 0, done.output
    again, _ = soundfile.read(out, dtype="int16")
    heard = listener.newest.pcm
    assert len(again) >= len(heard) >= END
    np.testing.assert_array_equal(again[: len(heard)], heard)
    played.update(log=log, lines=lines)


def test_what_differs_is_named(
    engine: SlotEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, played: dict[str, Any]
) -> None:
    other = tmp_path / "other.jsonl"

    def write(lines: list[dict[str, Any]]) -> str:
        other.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
        return str(other)

    lines = played["lines"]
    header = {**lines[0], "provenance": {**lines[0]["provenance"], "jax": "0.1"}}
    done = command(monkeypatch, engine, write([header, *lines[1:]]), "--verify")
    assert "jax: 0.1" in str(done.exception)
    assert "device" not in str(done.exception).split("\n", 1)[1]
    done = command(monkeypatch, engine, str(other), "--verify", "--force")
    assert done.exit_code == 0, done.output

    third = [number for number, line in enumerate(lines) if line["what"] == "heard"][2]
    damaged = [*lines[:third], {**lines[third], "crc": "00000000"}, *lines[third + 1 :]]
    done = command(monkeypatch, engine, write(damaged), "--verify")
    assert "the first difference is from sample" in str(done.exception)
    done = command(monkeypatch, engine, write([lines[1], *lines[1:]]))
    assert "line 1: expected the beginning of a session log" in str(done.exception)
    done = command(monkeypatch, engine, write([*lines[:9], {"what": "steered", "slot": 0, "at": 1}]))
    assert "line 10: steered" in str(done.exception)


async def test_a_log_ends_at_its_limit_and_the_session_goes_on(start: Any, engine: SlotEngine, tmp_path: Path) -> None:
    async with start(engine=engine, session_log_dir=tmp_path, session_log_bytes=1500) as rig:
        opened = await rig.create(seed=2)
        await opened.hear(60 * FRAME)
    text = (tmp_path / f"{opened.session_id}.jsonl").read_text(encoding="utf-8")
    assert json.loads(text.splitlines()[-1])["what"] == "full"
    assert len(text.encode()) < 1600
