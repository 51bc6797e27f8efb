# SPDX-License-Identifier: Apache-2.0
"""What gRPC's health service says of a server, kept true while sessions come and go. Event loop only."""

from __future__ import annotations

from typing import Final

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from segue_service.api.calls import LIVE, SERVICE_NAMES
from segue_service.session.registry import Registry

ROOM: Final = f"{LIVE.full_name}/CreateSession"
"""Serving while one more session fits: a front door that asks for this sends new sessions to where they fit."""
_STATUS: Final = {
    False: health_pb2.HealthCheckResponse.NOT_SERVING,
    True: health_pb2.HealthCheckResponse.SERVING,
}


async def tell(health: HealthServicer, *, serving: bool, room: bool) -> None:
    """Set every name's status."""
    for name in ("", *SERVICE_NAMES):
        await health.set(name, _STATUS[serving])
    await health.set(ROOM, _STATUS[serving and room])


async def follow(health: HealthServicer, registry: Registry) -> None:
    """Tell what the registry is, again and again, until cancelled."""

    def now() -> tuple[bool, bool]:
        return registry.ready and not registry.draining, registry.free > 0

    while True:
        told = now()
        await tell(health, serving=told[0], room=told[1])
        async with registry.changed:
            await registry.changed.wait_for(lambda: now() != told)  # noqa: B023
