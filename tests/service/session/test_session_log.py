# SPDX-License-Identifier: Apache-2.0
"""The session event log: records come back as they went, what is lost is said, and nobody else's lines get in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from segue.v1 import control_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import NOTES, VITALS, Blocks, Conditioning, Guidance, Past, Sampling, SlotHandle
from segue_engine.journal import (
    Began,
    Ended,
    Faulted,
    Handed,
    Listened,
    Made,
    MadeBy,
    Record,
    Restored,
    Steered,
    Stepped,
    TookIn,
    WentBack,
    Window,
)
from segue_service.cli.app import app
from segue_service.observe import session_log
from segue_service.observe.log_lines import Heard, crc_of, line_of, record_of
from segue_service.observe.session_log import WrittenSessionLogs
from segue_service.session.crossfade import mixed
from segue_service.session.replay import LogError, Logged, Run, frames_of, read_log, replay

SLOT = SlotHandle(0, 3)
RICH = Conditioning(
    style_codes=(5, -1, 1023),
    notes=tuple(i % 5 - 1 for i in range(NOTES)),
    drums=1,
    guidance=Guidance(2.5, 1.0, 0.1),
    gain_db=float(np.float32(-3.3)),
    true_peak_dbtp=-0.1,
    sampling=Sampling(temperature=0.1, top_k=0),
)
RECORDS = [
    Began(SLOT, 0, -(2**63), RICH, np.zeros((0, 0), np.int32), Past()),
    Steered(SLOT, 7, ((9, RICH), (12, Conditioning()))),
    TookIn(SLOT, 0, 8, 2),
    Listened(SLOT, 3, 1, Window(4, 2), Window(16, 9)),
    MadeBy(SLOT, 4, Window(16, 3), True),
    WentBack(SLOT, 40, 31, -1),
    Faulted(SLOT, 5),
    Restored(SLOT, 6),
    Heard(SLOT, 25, 0, "0badcafe"),
    Ended(SLOT, 60),
]


@pytest.mark.parametrize("record", RECORDS[1:], ids=lambda record: type(record).__name__)
def test_records_come_back(record: Any) -> None:
    assert record_of(json.loads(json.dumps(line_of(record))), SLOT) == record


def test_a_beginning_comes_back() -> None:
    codes = np.random.default_rng(1).integers(0, 1024, (30, 12)).astype(np.int32)
    past = Past(((-20, RICH), (-3, Conditioning())), (-1.25, -19.5, 33.0))
    given = Began(SLOT, 0, 2**63 + 5, RICH, codes, past)
    back = record_of(json.loads(json.dumps(line_of(given))), SLOT)
    assert isinstance(back, Began)
    assert (back.seed, back.conditioning, back.past) == (given.seed, RICH, past)
    np.testing.assert_array_equal(back.history, codes)


def handed(slot: SlotHandle, frame: int) -> Handed:
    pcm = np.random.default_rng(frame).integers(-9, 9, (1, 1920, 2)).astype(np.int16)
    one = np.array([frame], np.int64)
    where = np.array([slot.index], np.int32), np.array([slot.epoch], np.int64)
    return Handed(Blocks(*where, one, pcm, np.zeros((1, 1, 4), np.int16), np.zeros((1, 1, VITALS), np.int16)))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_are_their_sessions(tmp_path: Path) -> None:
    logs = WrittenSessionLogs(tmp_path, {"model": "m"}, 1 << 20)
    other = SlotHandle(1, 4)
    for slot in (SLOT, other):
        logs.journal(Began(slot, 0, 1, Conditioning(), np.zeros((0, 0), np.int32), Past()))
    both = np.array([0, 1]), np.array([3, 4]), np.array([0, 0]), np.array([2, 2]), np.array([0, 1])
    logs.journal(Stepped(*both, np.array([False, False])))
    for place, slot in ((0, SLOT), (1, other)):
        logs.begin(place, {"session": f"s-{place}"})
        logs.bind(place, slot, 0, 0)
    logs.note(0, "PostEvent", request=pb.PostEventRequest(event="x" * 999, control=control_pb2.ControlHeader()))
    for frame in range(30):
        logs.journal(handed(SLOT, frame))
    logs.journal(WentBack(SLOT, 31, 28, 24))
    logs.journal(handed(SLOT, 28))
    logs.end(0)
    logs.journal(Ended(other, 5))
    logs.close()
    mine, theirs = lines_of(tmp_path / "s-0.jsonl"), lines_of(tmp_path / "s-1.jsonl")
    assert [line["what"] for line in theirs] == ["session", "bind", "began", "made_by", "ended", "end"]
    assert theirs[3]["window"] == [2, 1]
    heard = [(line["first"], line["at"]) for line in mine if line["what"] == "heard"]
    assert heard == [(0, 25), (25, 30), (28, 29)]
    crc = 0
    for frame in range(25, 30):
        crc = crc_of(handed(SLOT, frame).blocks.pcm, crc)
    assert next(line for line in mine if line.get("first") == 25)["crc"] == f"{crc:08x}"
    assert "999 characters" in mine[4]["request"]["event"]
    assert mine[-1]["what"] == "end"


def test_what_is_lost_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_log, "_PAUSE", 60.0)
    monkeypatch.setattr(session_log, "_MOST", 4)
    monkeypatch.setattr(session_log, "_MOST_BLOCKS", 1)
    logs = WrittenSessionLogs(tmp_path, {}, 1 << 20)
    logs.begin(0, {"session": "s"})
    logs.journal(handed(SLOT, 0))
    logs.journal(handed(SLOT, 1))  # audio is only for checksums
    logs.journal(Began(SLOT, 0, 1, Conditioning(), np.zeros((0, 0), np.int32), Past()))
    logs.bind(0, SLOT, 0, 0)
    for frame in range(3):
        logs.journal(Steered(SLOT, frame, ((frame, Conditioning()),)))
    logs.close()
    assert [line["what"] for line in lines_of(tmp_path / "s.jsonl")] == ["session", "bind", "began", "lost", "end"]
    logged = read_log(tmp_path / "s.jsonl")
    assert "3 entries were lost" in logged.cut


def test_a_half_written_line_is_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text('{"what":"session","format":1}\n{"what":"bind","slot":0,"offset":0,"floor":0}\n{"what":"be')
    logged = read_log(path)
    assert len(logged.runs) == 1
    assert not logged.ended
    path.write_text('{"what":"session","format":1}\nnonsense\n{}\n')
    with pytest.raises(LogError, match="line 2: expected a JSON object"):
        read_log(path)
    path.write_text('{"what":"session","format":2}\n')
    with pytest.raises(LogError, match="line 1: expected format 1, got 2"):
        read_log(path)


def at_frames(run: Run, level: int) -> Iterator[Made | Record]:
    """Frames whose samples are their level, each record after those before it, as an engine makes them."""
    head = 0
    for record in run.records:
        while head < record.at:
            yield Made(head, np.full((1920, 2), level + head, np.int16), np.zeros(4, np.int16), np.zeros(8, np.int16))
            head += 1
        if isinstance(record, WentBack):
            head = record.reached
        yield record


def test_slots_follow_each_other_on_one_timeline() -> None:
    """A session that was resumed at frame 100; it went back, was reset at 110 and again before that was heard."""
    info = FakeEngine(slots=1, mastering_delay_samples=72).info
    runs = [
        Run(100, 100, [WentBack(SLOT, 8, 6, -1), Ended(SLOT, 11)]),
        Run(109, 110, [Ended(SLOT, 2)], crossfade=110),
        Run(109, 110, [WentBack(SLOT, 5, 4, -1)], crossfade=110),
    ]
    levels = {id(run.records): level for run, level in zip(runs, (1000, 2000, 3000), strict=True)}
    by_records = {id(run.records): run for run in runs}
    done = replay(Logged({}, runs), info, lambda records: at_frames(by_records[id(records)], levels[id(records)]))
    assert done.first == 100 * 1920 - 72
    frames = done.pcm.reshape(-1, 1920, 2)
    assert frames[:10, 0, 0].tolist() == [1000 + frame for frame in range(10)]
    whole = np.full((1920, 2), 1, np.int16)
    np.testing.assert_array_equal(frames[10], mixed(whole * 2001, whole * 3001, 72))
    assert frames[10, 0, 0] == 2001, "mastering's delay is the old slot's"
    assert frames[11:, 0, 0].tolist() == [3002, 3003]
    assert frames_of(Logged({}, runs)) == done.made == 8 + 5 + 2 + 5


async def test_a_log_without_a_journal_is_for_people(start: Any, tmp_path: Path) -> None:
    async with start(engine=FakeEngine(slots=2), session_log_dir=tmp_path) as rig:
        opened = await rig.create()
        await opened.call("PostEvent", event="enemy_spotted")
    log = tmp_path / f"{opened.session_id}.jsonl"
    told = [line["what"] for line in lines_of(log)]
    assert {"PostEvent", "event", "bind", "end"} <= set(told)
    done = CliRunner().invoke(app, ["render", "--replay", str(log)])
    assert "the engine fake" in str(done.exception)
    assert "keeps no journal" in str(done.exception)
