# SPDX-License-Identifier: Apache-2.0
"""Who did what, in a file; and a file that can't be written."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1 import operations_service_pb2 as ops
from segue_service.observe.metrics import Metrics
from segue_service.security.audit import Audit


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def lost(metrics: Metrics, cause: str) -> float:
    return metrics.registry.get_sample_value("segue_audit_lost_total", {"cause": cause}) or 0.0


async def test_what_is_written_and_what_is_not(start: Any, tenants: Any, tmp_path: Path) -> None:
    key, path = tenants.add("studio", sessions=1), tmp_path / "audit.jsonl"
    async with start(tenants_file=tenants.path, audit_log=path, operator_token="operator's secret") as rig:
        request = pb.CreateSessionRequest(soundtrack_id="dungeon")
        made = await rig.live.CreateSession(request, metadata=key)
        own = (("segue-session-token", made.session_token),)
        await rig.refused(rig.live.CreateSession(request, metadata=key))
        wrong = (("authorization", "Bearer sgk_00000000_" + "s" * 43),)
        await rig.refused(rig.live.CreateSession(request, metadata=wrong))
        named = {"session_id": made.session.session_id}
        granted = await rig.live.GrantToken(pb.GrantTokenRequest(**named), metadata=own)
        await rig.refused(rig.live.GetSession(pb.GetSessionRequest(**named), metadata=wrong))
        await rig.live.CloseSession(pb.CloseSessionRequest(**named), metadata=own)
        drain = ops.DrainRequest(reason="an update\nforged: line")
        await rig.operations.Drain(drain, metadata=(("authorization", "Bearer operator's secret"),))
    found = lines(path)
    shown = [(line["action"], line["outcome"], line.get("tenant"), line.get("key")) for line in found]
    key_id = key[0][1].removeprefix("Bearer ")[:12]
    assert shown == [
        ("create", "ok", "studio", key_id),
        ("refused CreateSession", "quota", "studio", key_id),
        ("refused CreateSession", "token_wrong", None, None),
        ("grant", "ok", "studio", None),
        ("refused GetSession", "token_wrong", None, None),
        ("close", "ok", "studio", None),
        ("drain", "ok", None, "operator"),
    ]
    assert {line.get("session") for line in found[3:6]} == {made.session.session_id}
    assert all(line["peer"].startswith(("ipv4:", "ipv6:")) for line in found)
    secrets = (made.session_token, granted.session_token, key[0][1].split("_", 2)[2], "s" * 43, "operator's secret")
    assert not any(secret in path.read_text() for secret in secrets)
    assert path.stat().st_mode & 0o077 == 0


def test_a_renamed_file_is_left_alone(tmp_path: Path) -> None:
    path, metrics = tmp_path / "audit", Metrics()
    audit = Audit(path, metrics)
    audit.note("create", session="one")
    while not path.read_text():
        pass
    path.rename(tmp_path / "old")
    audit.note("create", session="two", detail="x" * 1000)
    audit.close()
    audit.close()
    assert [line["session"] for line in lines(tmp_path / "old")] == ["one"]
    assert [(line["session"], len(line["detail"])) for line in lines(path)] == [("two", 200)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_counted_and_told_once_and_the_music_plays(start: Any) -> None:
    with capture_logs() as said:
        async with start(audit_log=Path("/dev/full")) as rig:
            for _ in range(3):
                opened = await rig.create()
                assert len((await opened.hear(1920))[0]) == 4 * 1920
            metrics = rig.server.metrics
    assert lost(metrics, "disk") >= 3
    assert len([line for line in said if "audit log can't be written" in line["event"]]) == 1


def test_a_line_that_was_torn_does_not_spoil_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, metrics, write, full = tmp_path / "audit", Metrics(), os.write, [True]

    def short(file: int, data: bytes) -> int:
        return write(file, data[:10] if full and full.pop() else data)

    monkeypatch.setattr("segue_service.security.audit.os.write", short)
    audit = Audit(path, metrics)
    audit.note("create", session="torn")
    audit.note("create", session="whole")
    audit.close()
    torn, whole = path.read_text().splitlines()
    assert (len(torn), json.loads(whole)["session"], lost(metrics, "disk")) == (10, "whole", 1)


def test_whoever_knocks_all_the_time_does_not_fill_the_disk(tmp_path: Path) -> None:
    audit, metrics = Audit(tmp_path / "audit", (metrics := Metrics())), metrics
    for _ in range(2_000):
        audit.note("refused CreateSession", "token_wrong")
    audit.note("create")
    audit.close()
    found = lines(tmp_path / "audit")
    assert 500 <= len(found) - 1 < 700
    assert found[-1]["action"] == "create", "what went well is always told"
    assert lost(metrics, "flood") == 2_000 - (len(found) - 1)


def test_without_a_file_nothing_is_begun() -> None:
    before = threading.active_count()
    audit = Audit(None, Metrics())
    audit.note("create")
    assert threading.active_count() == before
    audit.close()
