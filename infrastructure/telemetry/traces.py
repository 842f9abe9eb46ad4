"""Traces by OpenTelemetry: an observer that makes spans of calls, batches and the database's work.

A call joins the trace that its client sent. A batch works for many calls, so it has a trace of its
own, and spans of calls and batch link to each other. What the database did for a batch is below
the batch. Spans are made when something ends, by the time it took: what is observed carries nothing
for them.
"""

import time
from threading import local

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infrastructure.telemetry.observer import EndedCall, InertObserver

_SECOND = 1_000_000_000  # nanoseconds
_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""Codes that mean an error of the server, by OpenTelemetry's conventions for RPC."""


def exporting_to(collector: str) -> TracerProvider:
    """A provider whose spans go to a collector by OTLP over HTTP; it must be shut down.

    OTEL_TRACES_SAMPLER and the like hold, as in any program that uses OpenTelemetry.
    """
    provider = TracerProvider(resource=Resource.create({"service.name": "workflows"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=collector)))
    return provider


class TracingObserver(InertObserver):
    """Makes spans. A thread has one batch at a time, and answers its calls while it has it."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._propagator = TraceContextTextMapPropagator()
        self._thread = _Thread()

    def call_ended(self, method: str, code: str, seconds: float, call: EndedCall) -> None:
        """See Observer."""
        now = time.time_ns()
        sent = {"traceparent": call.traceparent} if call.traceparent else {}
        batch = self._thread.batch
        span = self._tracer.start_span(
            method,
            context=self._propagator.extract(sent, context=Context()),
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system.name": "grpc",
                "rpc.method": method,
                "rpc.response.status_code": code,
            },
            links=[] if batch is None else [Link(batch.get_span_context())],
            start_time=now - int(seconds * _SECOND),
        )
        if code in _FAULTS:
            span.set_status(StatusCode.ERROR)
        span.end(now)
        if batch is not None:
            batch.add_link(span.get_span_context())

    def batch_taken(self, lane: str, waiting: int, taken: int, waited: float) -> None:
        """See Observer."""
        self._thread.batch = self._tracer.start_span(
            f"batch of {lane}",
            context=Context(),
            attributes={
                "workflows.lane": lane,
                "workflows.batch.size": taken,
                "workflows.batch.wait": waited,
                "workflows.lane.waiting": waiting,
            },
        )

    def batch_finished(self, lane: str, taken: int, seconds: float) -> None:  # noqa: ARG002 - see Observer
        """See Observer."""
        if self._thread.batch is not None:
            self._thread.batch.end()
            self._thread.batch = None

    def appended(self, events: int, seconds: float) -> None:
        """See Observer."""
        self._statement("append", seconds, events)

    def loaded(self, seconds: float) -> None:
        """See Observer."""
        self._statement("load", seconds)

    def _statement(self, operation: str, seconds: float, events: int = 0) -> None:
        """A span below the batch; work of no batch, such as readiness, has none."""
        if self._thread.batch is None:
            return
        now = time.time_ns()
        span = self._tracer.start_span(
            operation,
            context=set_span_in_context(self._thread.batch, Context()),
            kind=SpanKind.CLIENT,
            attributes={
                "db.system.name": "postgresql",
                "db.operation.name": operation,
                "workflows.events": events,
            },
            start_time=now - int(seconds * _SECOND),
        )
        span.end(now)


class _Thread(local):
    """The batch that this thread works on."""

    batch: Span | None = None
