# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segue_service.api.memory import RequestMemory
from segue_service.errors import Refused

ID = "0123456789abcdef"


async def test_a_session_is_created_once(rig: Any) -> None:
    one, two = await asyncio.gather(rig.create(request_id=ID), rig.create(request_id=ID))
    assert (one.session_id, one.token) == (two.session_id, two.token)
    assert rig.server.registry.free == 3
    await one.call("CloseSession")
    three = await rig.create(request_id=ID)
    assert three.session_id != one.session_id, "the session of the first reply is gone"
    refusal = await rig.refused(rig.create(request_id=ID, target_lead_ms=500))
    assert refusal.fields == ["request_id"]


async def test_the_memory_is_bounded_and_forgets_failures() -> None:
    memory: RequestMemory[int] = RequestMemory(2)
    calls: list[str] = []

    async def do(name: str) -> int:
        calls.append(name)
        if name == "bad":
            raise KeyError(name)
        return len(calls)

    for name in ("a", "b", "c", "a"):
        await memory.once(name, b"", lambda name=name: do(name))
    assert calls == ["a", "b", "c", "a"]
    for _ in range(2):
        with pytest.raises(KeyError):
            await memory.once("bad", b"", lambda: do("bad"))
    assert calls[-2:] == ["bad", "bad"]
    with pytest.raises(Refused):
        await memory.once("a", b"other", lambda: do("a"))
