# SPDX-License-Identifier: Apache-2.0
"""The front door's bounds: they hold, and listeners hear nothing of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from ruamel.yaml import YAML

from segue.v1 import live_soundtrack_service_pb2 as pb
from segue.v1.live_soundtrack_service_pb2_grpc import LiveSoundtrackServiceStub
from segue_service.security.keys import new_key

CREATE: Final = "/segue.v1.LiveSoundtrackService/CreateSession"
SLOTS: Final = 2
"""Of each of the three servers."""


def refusals(street: Any, reason: str) -> float:
    """CreateSessions that servers have refused, all together."""
    labels = ("CreateSession", "resource_exhausted", reason)
    return sum(float(server.metrics.refused.labels(*labels)._value.get()) for server in street.servers)


def large(size: int) -> pb.CreateSessionRequest:
    """A request of so many bytes, by a field that a later version might have."""
    field = 15
    length = b"".join(bytes([size >> shift & 127 | 128]) for shift in (0, 7)) + bytes([size >> 14])
    request = pb.CreateSessionRequest(soundtrack_id="quiet")
    request.MergeFromString(bytes([field << 3 | 2]) + length + bytes(size))
    return request


async def test_streams_outlast_what_a_request_may_take(open_street: Any, manifests_with: Any) -> None:
    async with open_street(manifests_with(tlsSecretName="", limits={"requestSeconds": 1})) as street:
        made = await street.create()
        call: Any = street.live.StreamAudio(
            pb.StreamAudioRequest(session_id=made.session.session_id), metadata=street.bearer(made.session_token)
        )
        began, stopped = time.monotonic(), asyncio.Event()

        async def never() -> AsyncIterator[bytes]:
            await stopped.wait()
            yield b""

        endless = street.channel.stream_unary(CREATE)(never())
        async with asyncio.timeout(20):
            assert await endless.code() is not grpc.StatusCode.OK
        stopped.set()
        async with asyncio.timeout(20):
            async for _ in call:
                if time.monotonic() - began > 3:
                    break
        call.cancel()


async def test_large_requests_are_taken_to_another_pod_too(open_street: Any, manifests_with: Any) -> None:
    # Envoy looks at health once, and then takes full servers for ones with room.
    async with open_street(manifests_with(tlsSecretName=""), look_every=60.0) as street:
        for server in street.servers[:2]:
            async with grpc.aio.insecure_channel(server.address) as channel:
                for _ in range(SLOTS):
                    await LiveSoundtrackServiceStub(channel).CreateSession(large(1))
        for _ in range(20):
            made = await street.live.CreateSession(large(500_000))
            assert street.where(made.session.session_id) == [2]
            if refusals(street, "server_full"):
                break
            await street.live.CloseSession(
                pb.CloseSessionRequest(session_id=made.session.session_id), metadata=street.bearer(made.session_token)
            )
        assert refusals(street, "server_full"), "nobody was full"


async def test_what_a_quota_refuses_is_asked_of_nobody_else(open_street: Any, overlays: Any, tmp_path: Path) -> None:
    key, tenants = new_key(), tmp_path / "tenants.yaml"
    entry = f"{{ id: studio, api_keys: [{{ id: {key.id}, sha256: {key.sha256} }}], quotas: {{ sessions: 0 }} }}"
    tenants.write_text(f"tenants: [{entry}]\n")
    async with open_street(overlays["gpu"], tenants_file=tenants) as street:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await street.live.CreateSession(
                pb.CreateSessionRequest(soundtrack_id="quiet"), metadata=street.bearer(key.key)
            )
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refusals(street, "quota") == 1


async def test_one_connection_too_many_is_closed_and_probes_are_answered(open_street: Any, manifests_with: Any) -> None:
    async with open_street(manifests_with(tlsSecretName="", limits={"connections": 2})) as street:
        kept = [await asyncio.open_connection("127.0.0.1", street.port)]  # beside the street's own
        reader, writer = await asyncio.open_connection("127.0.0.1", street.port)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        assert "envoy_server_live{} 1\n" in await street.stats()
        await street.create()
        for one in (writer, *(writer for _, writer in kept)):
            one.close()


async def test_large_requests_end_before_listeners_do_where_memory_is_short(
    open_street: Any, manifests_with: Any
) -> None:
    small = {"requests": {"cpu": "1"}, "limits": {"memory": "40Mi"}}
    async with open_street(manifests_with(tlsSecretName="", resources=small)) as street:
        made = await street.create()
        call: Any = street.live.StreamAudio(
            pb.StreamAudioRequest(session_id=made.session.session_id), metadata=street.bearer(made.session_token)
        )
        heard = 0

        async def listen() -> None:
            nonlocal heard
            async for _ in call:
                heard += 1

        async def send(channel: grpc.aio.Channel) -> grpc.StatusCode:
            call: Any = channel.unary_unary(CREATE)
            code: grpc.StatusCode = await call(bytes(2_000_000)).code()
            return code

        def asks() -> Any:
            return street.live.GetServerInfo(pb.GetServerInfoRequest())

        listening = asyncio.create_task(listen())
        codes: set[grpc.StatusCode] = set()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{street.port}") as others, asyncio.timeout(60):
            while grpc.StatusCode.INTERNAL not in codes:  # a stream that was reset
                codes |= set(await asyncio.gather(*(send(others) for _ in range(30))))
        then = heard
        async with asyncio.timeout(30):
            while heard < then + 20:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while await asks().code() is not grpc.StatusCode.OK:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert not listening.done()
        listening.cancel()


@pytest.mark.parametrize(
    ("memory", "heap"),
    [("512Mi", 429_496_729), ("1.5G", 1_200_000_000), ("1e9", 800_000_000), (1 << 30, 858_993_459), (None, None)],
)
def test_memory_is_bounded_by_the_containers(memory: Any, heap: int | None, manifests_with: Any) -> None:
    manifests = manifests_with(resources={"requests": {"cpu": "1"}, "limits": {"memory": memory}})
    [data] = [one["data"] for one in manifests if one["metadata"]["name"] == "segue-front-door" and "data" in one]
    manager = YAML(typ="safe").load(data["envoy.yaml"])["overload_manager"]
    monitors = {one["name"]: one["typed_config"] for one in manager["resource_monitors"]}
    bound = monitors.get("envoy.resource_monitors.fixed_heap", {})
    assert bound.get("max_heap_size_bytes") == heap
    for action in manager.get("actions", ()):
        assert {one["name"] for one in action["triggers"]} <= monitors.keys()
    assert ("actions" in manager) == (heap is not None)
