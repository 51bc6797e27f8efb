# SPDX-License-Identifier: Apache-2.0
"""What fuzzing rests on: no RPC is left out, an input can be drawn and sent again, faults are seen."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fuzzing.cases import Case, Findings, cases_of
from fuzzing.chance import Chance
from fuzzing.messages import every_method
from fuzzing.recordings import recording
from fuzzing.subject import Subject
from fuzzing.target_resume import draw as draw_resume
from fuzzing.target_rpc import draw as draw_rpc
from fuzzing.target_web import draw as draw_web
from fuzzing.texts import soundtrack
from fuzzing.watching import Log
from fuzzing.web_requests import Reader

ROOT = Path(__file__).parents[2]


def test_no_rpc_of_the_contract_is_left_out() -> None:
    written = [
        name
        for file in (ROOT / "proto" / "segue" / "v1").glob("*.proto")
        for name in re.findall(r"^\s*rpc (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert sorted(method.name for method in every_method()) == sorted(written)
    subject = Subject("127.0.0.1:1", words=["go"])
    cases = [draw_rpc(Chance(1, "rpc", number), subject, number) for number in range(3 * len(written))]
    paths = {case.options["path"].rpartition("/")[2] for case in cases if case.kind != "http2"}
    assert paths == set(written)


def test_an_input_is_that_of_its_seed_and_number() -> None:
    subject = Subject("127.0.0.1:1", words=["go"], points=[{"machine": {"head": 5}, "seed": 3}], pieces=[bytes(30)])
    for draw in (draw_rpc, draw_web):
        one, again, other = (draw(Chance(1, "x", number), subject, 7) for number in (7, 7, 8))
        assert one == again != other
    assert soundtrack(Chance(1, "x", 7)) == soundtrack(Chance(1, "x", 7))
    assert recording(Chance(1, "x", 7)) == recording(Chance(1, "x", 7))
    kinds = {draw_resume(Chance(1, "x", number), subject, number).kind for number in range(100)}
    assert kinds == {"noise", "flipped", "cut", "signed", "pieces", "sample", "prefill"}


def test_a_finding_is_kept_once_and_can_be_sent_again(tmp_path: Path) -> None:
    cases = [Case("web", "call", bytes([number]), {"answers": number}) for number in range(3)]
    findings = Findings(tmp_path, 1)
    for number in range(4):
        findings.note(f'INTERNAL: session "{number}" at 0x7f{number:02x}', cases)
    findings.note("UNKNOWN: else", cases[:1])
    assert [finding.times for finding in findings.found.values()] == [4, 1]
    first, second = (finding.file for finding in findings.found.values())
    assert first is not None
    assert second is not None
    assert cases_of(first) == cases
    assert first.with_suffix(".bin").read_bytes() == cases[-1].data
    second.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected a file that fuzz\.py wrote"):
        cases_of(second)


def test_a_log_tells_errors_and_what_no_logger_wrote(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    lines = [
        json.dumps({"event": "ready", "level": "info"}),
        "Note: Illegal Audio-MPEG-Header 0x00000000 at offset 134.",
        json.dumps({"event": "session closed", "level": "info"}) + "Note: Trying to resync...",
        json.dumps({"event": "a call failed", "level": "error", "error": "KeyError('a')"}),
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
    ]
    path.write_text("\n".join(lines) + "\nhalf a li", encoding="utf-8")
    log = Log(path)
    found = log.wrong()
    assert [text.splitlines()[0] for text in found] == [
        "log: a call failed: KeyError('a')",
        "log: Traceback (most recent call last):",
    ]
    with path.open("a", encoding="utf-8") as file:
        file.write("ne\n")
    assert log.wrong() == ["log: half a line"]
    assert log.wrong() == []


def test_responses_are_read_one_after_the_other() -> None:
    trailers = b"grpc-status: 13\r\n"
    body = b"\x80" + len(trailers).to_bytes(4, "big") + trailers
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: %d\r\n\r\n" % len(body)
    reader = Reader()
    for byte in (head + body) * 2 + b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\nno HTTP\r\n\r\n":
        reader.feed(bytes([byte]))
    found = [(response.status, response.grpc_status, response.is_whole) for response in reader.responses]
    assert found == [(200, 13, True), (200, 13, True), (500, None, True)]
    assert reader.is_broken
