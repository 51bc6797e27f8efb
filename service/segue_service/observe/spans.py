# SPDX-License-Identifier: Apache-2.0
"""Traces as OpenTelemetry spans. Needs the extra `segue[otel]`; nothing else imports it, so that nobody pays for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from segue_service.observe.tracing import NOTHING, Fact, Trace, Tracing

_INTERNAL: Final = 13
_FLUSH_MS: Final = 3_000


class SpanTrace(Trace):
    """A span that is open, and those under it."""

    is_recording = True

    def __init__(self, tracer: Tracer, span: Span, offset: int) -> None:
        """offset: nanoseconds from time.monotonic to the wall clock."""
        self._tracer, self._span, self._offset = tracer, span, offset
        self._within = set_span_in_context(span, Context())

    def lap(self, name: str, began: float, ended: float | None = None, **facts: Fact) -> None:
        """See Trace."""
        self._child(name, began, facts).end(self._at(time.monotonic() if ended is None else ended))

    def tell(self, **facts: Fact) -> None:
        """See Trace."""
        self._span.set_attributes(_named(facts))

    def fail(self, code: int, reason: str) -> None:
        """See Trace."""
        self._span.set_attribute("rpc.grpc.status_code", code)
        self.tell(refused=reason)
        if code == _INTERNAL:
            self._span.set_status(Status(StatusCode.ERROR))

    def after(self, name: str, began: float, **facts: Fact) -> Trace:
        """See Trace."""
        return SpanTrace(self._tracer, self._child(name, began, facts), self._offset)

    def end(self, at: float | None = None) -> None:
        """See Trace."""
        self._span.end(self._at(time.monotonic() if at is None else at))

    def _child(self, name: str, began: float, facts: Mapping[str, Fact]) -> Span:
        return self._tracer.start_span(name, self._within, attributes=_named(facts), start_time=self._at(began))

    def _at(self, moment: float) -> int:
        return round(moment * 1e9) + self._offset


class SpanTracing(Tracing):
    """share: of the calls that no caller has decided on, 0..1. processor: where spans go; closed with this."""

    def __init__(self, processor: SpanProcessor, share: float, version: str) -> None:
        resource = Resource.create({"service.name": "segue", "service.version": version})
        self._provider = TracerProvider(ParentBased(TraceIdRatioBased(share)), resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("segue")
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, service: str, method: str, metadata: Mapping[str, str]) -> Trace:
        """See Tracing."""
        parent = self._propagator.extract(metadata, Context())
        facts = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method}
        now, offset = time.monotonic(), time.time_ns() - time.monotonic_ns()
        start = round(now * 1e9) + offset
        span = self._tracer.start_span(
            f"{service}/{method}", parent, kind=SpanKind.SERVER, attributes=facts, start_time=start
        )
        return SpanTrace(self._tracer, span, offset) if span.is_recording() else NOTHING

    def close(self) -> None:
        """See Tracing."""
        self._provider.force_flush(_FLUSH_MS)
        self._provider.shutdown()


def exporting(endpoint: str, share: float, version: str) -> SpanTracing:
    """Spans to a collector that speaks OTLP over gRPC, such as http://localhost:4317; https:// is TLS. In batches, by a
    thread of its own, which drops what the collector does not take."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=3)
    return SpanTracing(BatchSpanProcessor(exporter), share, version)


def _named(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {f"segue.{name}": value for name, value in facts.items()}
