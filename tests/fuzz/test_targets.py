# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes a client sends, by whatever way: a refusal or an answer, never a fault, and the server goes on.

Some hundred inputs of each target, always the same ones; `bench/fuzz.py` goes on for as long as one likes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import pytest
from fuzzing.chance import Chance
from fuzzing.messages import every_method, path_of
from fuzzing.subject import LIVE, OPERATOR_TOKEN, bearer
from fuzzing.target_rpc import draw_call, send
from fuzzing.target_web import release
from fuzzing.targets import TARGETS

from segue.v1 import live_soundtrack_service_pb2 as live
from segue.v1 import operations_service_pb2 as operations

SEED = 1
INPUTS = {"rpc": 60, "web": 200, "soundtrack": 80, "resume": 200, "audio": 100}


@pytest.fixture(autouse=True)
async def _nothing_is_left_unsaid(caplog: Any) -> Any:
    """What the event loop and uvicorn would only log."""
    said: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: said.append(str(context)))
    yield
    said += [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert said == []


async def is_well(server: Any, subject: Any, *, draining: bool = False) -> None:
    answer = await subject.call(LIVE + "GetServerInfo", b"")
    assert answer.code is grpc.StatusCode.OK
    assert live.GetServerInfoResponse.FromString(answer.messages[0]).draining == draining
    faults = [sample for family in server.metrics.faults.collect() for sample in family.samples if sample.value]
    assert [sample for sample in faults if sample.name.endswith("_total")] == []


async def test_every_rpc_takes_anything(serve: Any) -> None:
    """Every method that the wire contract has, a new one included. Drain last: there is no way back from it."""
    wrong: list[str] = []
    methods = sorted(every_method(), key=lambda method: method.name == "Drain")
    async with serve() as (server, subject):
        for method in methods:
            if method.name == "Drain":
                await is_well(server, subject)
                subject.may_drain = True
            for number in range(INPUTS["rpc"]):
                case = draw_call(Chance(SEED, method.full_name, number), subject, method)
                what = await send(case, subject)
                wrong += [] if what is None else [f"{number}: {what}"]
        drain = await subject.call(
            path_of(methods[-1]), operations.DrainRequest().SerializeToString(), bearer(OPERATOR_TOKEN)
        )
        assert drain.code is grpc.StatusCode.OK
        await is_well(server, subject, draining=True)
        assert subject.answers["OK"] > 10 * len(methods), "most inputs should get past the door"
    assert wrong == []


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "rpc"])
async def test_a_target_takes_anything(serve: Any, name: str) -> None:
    target, wrong = TARGETS[name], list[str]()
    async with serve() as (server, subject):
        for number in range(INPUTS[name]):
            case = target.draw(Chance(SEED, name, number), subject, number)
            what = await target.send(case, subject)
            wrong += [] if what is None else [f"{number} ({case.kind}): {what}"]
        release()
        await is_well(server, subject)
    assert wrong == []
