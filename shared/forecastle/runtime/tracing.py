"""Traces by OpenTelemetry, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set; without it its SDK is not even imported.

A request continues the trace that its `traceparent` names (W3C Trace Context), or starts one. The variables
of OpenTelemetry's specification configure the rest, such as `OTEL_TRACES_SAMPLER` and
`OTEL_TRACES_SAMPLER_ARG` the sampling. A thread sends spans in batches (OTLP over HTTP, protobuf); while the
receiver is down spans are lost, and nothing else is.

A route adds a span with `with tracing.span("price"): ...`. OpenTelemetry's global provider stays unset, or
FastAPI would trace every request a second time.
"""

import os
import re
import threading
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forecastle.runtime import logs
from forecastle.runtime.metrics import route_of

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

# A valid `traceparent`: its trace id and flags, in hexadecimal digits.
PARENT = re.compile(
    rb"(?!ff|00.{53}-)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?"
)
FLUSH_SECONDS = 2  # a process that ends waits so long to send its last spans

# The tracer of the request that is being answered, if it is traced.
_tracer: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)


def span(name: str, **attributes: str | int | float) -> AbstractContextManager[Any]:
    """A span around a block, inside the span of the current request; nothing if that is not traced."""
    tracer = _tracer.get()
    return tracer.start_as_current_span(name, attributes=attributes) if tracer else nullcontext()


class Tracing:
    """Spans of an app's requests: OpenTelemetry's ASGI middleware, for requests that are sampled.

    Making one imports OpenTelemetry's SDK. Spans are sent between `start`, called after a fork, and `stop`.

    Args:
        app: The app.
        model: The model's name, the resource's `service.name`.
        version: The version that is served, the resource's `service.version`.
    """

    def __init__(self, app: ASGIApp, model: str, version: str) -> None:
        # Stable names of attributes; the library's default is the old names.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Ids(RandomIdGenerator):
            """Spans get the trace id that the request's log lines have."""

            def generate_trace_id(self) -> int:
                request = logs.request.get()
                return int(request["trace_id"], 16) if request else super().generate_trace_id()

        self.app = app
        self.trace = trace
        # Contexts for the sampler, by whether the request's parent is sampled; None if it has no parent.
        self.parents: dict[bool | None, Context] = {None: Context()}
        for sampled in (False, True):
            remote = trace.SpanContext(1, 1, is_remote=True, trace_flags=trace.TraceFlags(sampled))
            self.parents[sampled] = trace.set_span_in_context(trace.NonRecordingSpan(remote), Context())
        self.provider = TracerProvider(
            resource=Resource.create({"service.name": model, "service.version": version}),
            id_generator=Ids(),
            shutdown_on_exit=False,  # see `stop`
        )
        self.tracer = self.provider.get_tracer("forecastle")
        self.middleware: ASGIApp = OpenTelemetryMiddleware(
            self._within,
            tracer_provider=self.provider,
            meter_provider=NoOpMeterProvider(),
            exclude_spans=["receive", "send"],
        )

    def start(self) -> None:
        """Send spans from now on, in a thread."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

    def stop(self) -> None:
        """Send the remaining spans, in at most `FLUSH_SECONDS`."""
        flush = threading.Thread(target=self.provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_SECONDS)

    def record(self, name: str, started: int, ended: int) -> None:
        """Record a span that has already ended; times in nanoseconds since the epoch."""
        self.tracer.start_span(name, start_time=started).end(ended)

    def samples(self, trace_id: str, parent: re.Match[bytes] | None) -> bool:
        """Whether a request's trace is sent, asked before any work on it.

        Args:
            trace_id: In hexadecimal digits.
            parent: The match of `PARENT` in the request's header.
        """
        context = self.parents[int(parent[2], 16) % 2 == 1 if parent else None]
        return self.provider.sampler.should_sample(context, int(trace_id, 16), "").decision.is_sampled()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.middleware(scope, receive, send)

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app inside the server's span, which gets the route's name and loses personal data."""
        server_span = self.trace.get_current_span()
        method: str = scope["method"]
        if client := scope.get("client"):
            server_span.set_attribute("client.address", logs.anonymous(client[0]))
        if method not in ("GET", "HEAD") and scope.get("query_string"):
            server_span.set_attribute("url.query", "***")

        async def send_and_name(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = route_of(scope)
                server_span.update_name(f"{method} {route}" if route else method)
                if route:
                    server_span.set_attribute("http.route", route)
            await send(message)

        token = _tracer.set(self.tracer)
        try:
            await self.app(scope, receive, send_and_name)
        except Exception:  # `Monitoring` answers it
            server_span.set_attribute("http.response.status_code", 500)
            raise
        finally:
            _tracer.reset(token)
