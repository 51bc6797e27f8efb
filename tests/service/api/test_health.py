# SPDX-License-Identifier: Apache-2.0
"""What gRPC's health service says while sessions come and go, and while an operator drains."""

from __future__ import annotations

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from segue.v1 import operations_service_pb2 as operations
from segue_engine.batch.fake import FakeEngine
from segue_service.api.health import ROOM

SERVING, NOT_SERVING = 1, 2
LIVE = "segue.v1.LiveSoundtrackService"


async def test_it_follows_the_registry(start: Any) -> None:
    async with start(FakeEngine(slots=1)) as rig:
        stub = health_pb2_grpc.HealthStub(rig.channel)

        async def becomes(**wanted: int) -> None:
            names = {"whole": "", "live": LIVE, "room": ROOM}
            async with asyncio.timeout(10):
                for what, status in wanted.items():
                    while (await stub.Check(health_pb2.HealthCheckRequest(service=names[what]))).status != status:  # noqa: ASYNC110
                        await asyncio.sleep(0.005)

        await becomes(whole=SERVING, live=SERVING, room=SERVING)
        made = await rig.create()
        await becomes(room=NOT_SERVING, whole=SERVING, live=SERVING)
        await made.call("CloseSession")
        await becomes(room=SERVING)
        await rig.operations.Drain(operations.DrainRequest(grace_ms=60_000))
        await becomes(whole=NOT_SERVING, live=NOT_SERVING, room=NOT_SERVING)
