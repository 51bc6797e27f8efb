# SPDX-License-Identifier: Apache-2.0
"""Lines of the log about a session name it, and no line ever holds a token."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any, Literal

import grpc
import pytest
import structlog

from segue_engine.batch.fake import FakeEngine
from segue_engine.contract import SlotHandle
from segue_service.observe.log import configure, logger
from segue_service.session.device_thread import DeviceThread


class Clumsy(FakeEngine):
    """Fails where it is told to."""

    fails = ""

    def steer(self, *given: Any, **named: Any) -> None:
        self._stumble("steer")
        super().steer(*given, **named)

    def release(self, handle: SlotHandle) -> None:
        super().release(handle)
        self._stumble("release")

    def _stumble(self, what: str) -> None:
        if self.fails == what:
            raise RuntimeError(f"{what} failed")


class Lines:
    """A log that is being written."""

    def __init__(self, form: Literal["console", "json"]) -> None:
        self.stream = io.StringIO()
        configure(form, "debug", self.stream)

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]


async def test_every_line_about_a_session_names_it(start: Any, wait_until: Any, tmp_path: Any) -> None:
    lines, engine = Lines("json"), Clumsy(slots=2)
    async with start(engine=engine, session_log_dir=tmp_path, session_log_bytes=1_024) as rig:
        opened = await rig.create()
        engine.fails = "steer"
        with pytest.raises(grpc.aio.AioRpcError):
            await opened.call("PostEvent", control=opened.header(request_id="r" * 16), event="enemy_spotted")
        rig.session(opened)._steering.batching.nudge()
        await wait_until(lambda: lines.said("a session could not go on"))
        engine.fails = "release"
        await opened.call("CloseSession")
        await wait_until(lambda: lines.said("a command to the device failed"))
        engine.fails = ""
    for event in ("session created", "a call failed", "a session could not go on", "a command to the device failed"):
        assert [line["session"] for line in lines.said(event)] == [opened.session_id], event
    (failed,) = lines.said("a call failed")
    assert failed["request"] == "r" * 16
    assert failed["method"] == "PostEvent"
    assert "steer failed" in failed["exception"]
    (closed,) = lines.said("session closed")
    assert closed["session"] == opened.session_id
    assert "request" not in closed


async def test_lines_said_while_a_call_is_served_name_its_session(start: Any, monkeypatch: Any) -> None:
    lines = Lines("json")
    submit = DeviceThread.submit

    def chatty(self: DeviceThread, *given: Any) -> Any:
        structlog.get_logger().info("deep inside")
        return submit(self, *given)

    async with start() as rig:
        opened, other = await rig.create(), await rig.create()
        monkeypatch.setattr(DeviceThread, "submit", chatty)
        await asyncio.gather(opened.call("Pause"), other.call("Pause"))
        monkeypatch.undo()
    said = [line["session"] for line in lines.said("deep inside")]
    assert sorted(said) == sorted([opened.session_id, other.session_id])


def stumble(token: str) -> None:
    raise RuntimeError("it failed")


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_does_not_print_what_was_in_memory(form: Any) -> None:
    lines, token = Lines(form), "opens-everything"
    try:
        stumble(token)
    except RuntimeError as error:
        logger("test").error("a call failed", exc_info=error)
    assert "it failed" in lines.stream.getvalue()
    assert token not in lines.stream.getvalue()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
def test_a_full_disk_loses_lines_and_breaks_nothing() -> None:
    with Path("/dev/full").open("w") as full:
        configure("json", "debug", full)
        logger("test").info("said")
