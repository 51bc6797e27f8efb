# SPDX-License-Identifier: Apache-2.0
"""A control's spans, from its call to its first audible sample; and what the caller says of the trace it is part of."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import urllib.request
from typing import Any

import grpc
import pytest
from pydantic import ValidationError

from segue.v1 import control_pb2
from segue.v1 import live_soundtrack_service_pb2 as pb
from segue_service.config import Settings
from segue_service.observe.tracing import NOTHING, Tracing, current, shared, within

sdk = pytest.importorskip("opentelemetry.sdk.trace.export", reason="needs segue[otel]")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

LIVE = "segue.v1.LiveSoundtrackService"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
ORDER = ["plan", "styles", "device_wait", "device_steer", "to_sound", "step", "chunk_wait", "encode", "send", "playout"]


class Kept:
    """Spans as they end, in memory."""

    def __init__(self, share: float = 1.0) -> None:
        from segue_service.observe.spans import SpanTracing

        self.exporter = memory.InMemorySpanExporter()
        self.tracing = SpanTracing(sdk.SimpleSpanProcessor(self.exporter), share, "0")

    def named(self, name: str) -> list[Any]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def under(self, trace: int) -> list[Any]:
        """Spans of a trace, by when they began."""
        spans = [span for span in self.exporter.get_finished_spans() if span.context.trace_id == trace]
        return sorted(spans, key=lambda span: (span.start_time, span.name in ORDER and ORDER.index(span.name)))


def seconds(span: Any) -> float:
    return float(span.end_time - span.start_time) / 1e9


async def listen(opened: Any) -> None:
    async for _ in opened.stream():
        pass


async def test_a_control_is_followed_to_its_audible_sample(start: Any, wait_until: Any) -> None:
    kept = Kept()
    async with start(tracing=kept.tracing) as rig:
        opened = await rig.create(target_lead_ms=2000)
        session, listening = rig.session(opened), asyncio.create_task(listen(opened))
        # On a machine that is busy a small lead may be used up, and then nothing is taken back.
        await wait_until(lambda: session.playhead > 4 * 1920 and session.head_sample > session.playhead + 48_000)
        request = pb.PostEventRequest(control=opened.header(request_id="r" * 16), event="enemy_spotted")
        response = await rig.live.PostEvent(request, metadata=(*opened.metadata, ("traceparent", SAMPLED)))
        await wait_until(lambda: kept.named("to_sound"))
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
            await listening

    outcome = response.outcome
    (call,) = kept.named(f"{LIVE}/PostEvent")
    assert (call.context.trace_id, call.parent.span_id) == (int(TRACE, 16), int(PARENT, 16))
    facts = dict(call.attributes)
    assert facts["rpc.method"] == "PostEvent"
    assert facts["segue.session"] == opened.session_id
    assert facts["segue.request"] == "r" * 16
    assert facts["segue.take"] == outcome.take == 1
    assert facts["segue.landing"] == "rewound"
    assert facts["segue.audible_at_sample"] == outcome.audible_at_sample > 0

    spans = kept.under(call.context.trace_id)
    names = [span.name for span in spans]
    # planned twice if it is not known at first from where on it changes what plays
    order = [name for place, name in enumerate(names) if name not in names[place + 1 :]]
    # the step may have begun on its thread before the loop was told that the control has landed
    if order.index("step") < order.index("to_sound"):
        order.remove("step")
        order.insert(order.index("to_sound") + 1, "step")
    assert order == [call.name, *ORDER]
    by_name = {span.name: span for span in spans}
    (way,) = kept.named("to_sound")
    for name in ("plan", "styles", "device_wait", "device_steer", "to_sound"):
        assert by_name[name].parent.span_id == call.context.span_id
    for name in ("step", "chunk_wait", "encode", "send", "playout"):
        assert by_name[name].parent.span_id == way.context.span_id
    # one thing after the other, none of them longer than the whole
    assert call.start_time <= by_name["plan"].start_time
    assert by_name["step"].end_time == by_name["chunk_wait"].start_time
    assert by_name["chunk_wait"].end_time == by_name["encode"].start_time
    assert by_name["encode"].end_time == by_name["send"].start_time
    assert by_name["send"].end_time == by_name["playout"].start_time
    assert by_name["playout"].end_time == way.end_time
    assert all(0 <= seconds(span) < 10 for span in spans)


async def test_what_changes_nothing_or_is_refused_ends_with_its_reply(start: Any) -> None:
    kept = Kept()
    async with start(tracing=kept.tracing) as rig:
        opened = await rig.create()
        await opened.call("SetState", state="explore")
        await rig.refused(opened.call("PostEvent", event="nope"))
    (unchanged,), (refused,) = kept.named(f"{LIVE}/SetState"), kept.named(f"{LIVE}/PostEvent")
    assert unchanged.attributes["segue.landing"] == "unchanged"
    assert refused.attributes["segue.refused"] == "unknown_name"
    assert refused.attributes["rpc.grpc.status_code"] == grpc.StatusCode.NOT_FOUND.value[0]
    assert not kept.named("to_sound")
    (created,) = kept.named(f"{LIVE}/CreateSession")
    assert created.attributes["segue.session"] == opened.session_id


async def test_nobody_hears_it_and_the_way_is_given_up_with_the_session(start: Any) -> None:
    kept = Kept()
    async with start(tracing=kept.tracing) as rig:
        opened = await rig.create()
        for state in ("combat", "explore") * 12:
            await opened.call("SetState", state=state)
        assert not kept.named("playout")
        await opened.call("CloseSession")
    ways = kept.named("to_sound")
    assert ways
    assert all(way.attributes["segue.given_up"] for way in ways)


@pytest.mark.parametrize(
    ("share", "parent", "traced"), [(0.0, SAMPLED, True), (1.0, UNSAMPLED, False), (0.0, "", False)]
)
async def test_the_caller_decides_and_else_the_share(start: Any, share: float, parent: str, traced: bool) -> None:
    kept = Kept(share)
    async with start(tracing=kept.tracing, web_port=0) as rig:
        metadata = (("traceparent", parent),) if parent else ()
        await rig.live.GetServerInfo(pb.GetServerInfoRequest(), metadata=metadata)
        headers = {"content-type": "application/grpc-web+proto"} | dict(metadata)
        url = f"{rig.server.web_address}/{LIVE}/GetServerInfo"
        request = urllib.request.Request(url, data=bytes(5), headers=headers)
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=20).read())
    spans = kept.named(f"{LIVE}/GetServerInfo")
    assert len(spans) == (2 if traced else 0)
    assert all(span.parent.span_id == int(PARENT, 16) for span in spans)


def test_off_costs_nothing_and_needs_nothing() -> None:
    trace = Tracing().begin(LIVE, "PostEvent", {"traceparent": SAMPLED})
    assert trace is NOTHING is current() is shared([NOTHING, NOTHING])
    assert trace.after("to_sound", 0.0) is trace
    assert not trace.is_recording
    code = "import segue_service.server, sys; sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_what_is_done_for_several_calls_is_told_to_each() -> None:
    kept = Kept()
    traces = [kept.tracing.begin(LIVE, name, {}) for name in ("PostEvent", "SetState")]
    shared([*traces, NOTHING]).lap("plan", 1.0, 2.5, frame=7)
    with within(traces[0]):
        assert current() is traces[0]
    plans = kept.named("plan")
    assert [(seconds(span), span.attributes["segue.frame"]) for span in plans] == [(1.5, 7)] * 2
    assert len({span.context.trace_id for span in plans}) == 2


@pytest.mark.parametrize("wrong", ["collector:4317", "http://", "http://host/path"])
def test_the_endpoint_is_a_scheme_host_and_port(wrong: str) -> None:
    assert Settings(otel_endpoint="http://localhost:4317").otel_endpoint
    with pytest.raises(ValidationError, match="otel_endpoint"):
        Settings(otel_endpoint=wrong)


async def test_spans_have_reached_the_collector_when_the_server_has_stopped(start: Any) -> None:
    got: list[bytes] = []

    async def export(data: bytes, context: Any) -> bytes:
        got.append(data)
        return b""

    handler = grpc.unary_unary_rpc_method_handler(export)
    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    collector = grpc.aio.server()
    collector.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": handler}),))
    port = collector.add_insecure_port("127.0.0.1:0")
    await collector.start()
    try:
        async with start(otel_endpoint=f"http://127.0.0.1:{port}", otel_share=1.0) as rig:
            await rig.live.GetServerInfo(pb.GetServerInfoRequest())
        assert any(b"GetServerInfo" in data for data in got)
    finally:
        await collector.stop(None)


def test_the_request_names_whom_it_is_about() -> None:
    from segue_service.api.answering import about

    header = control_pb2.ControlHeader(session_id="s-1", request_id="r-1")
    assert about(pb.PostEventRequest(control=header)) == {"session": "s-1", "request": "r-1"}
    assert about(pb.GetSessionRequest(session_id="x" * 1000)) == {"session": "x" * 64}
    assert about(pb.GetServerInfoRequest()) == {}
