"""Traces by OpenTelemetry, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set; without it its SDK is not even imported.

A request's trace is the one that its `traceparent` names (W3C Trace Context), or else begins here. Sampling
is told by `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`, all else by the other variables of the
specification. Spans are sent in batches from a thread of their own (OTLP over HTTP, protobuf); a receiver
that is down costs spans and nothing else.

A span of one's own, in a route: `with tracing.span("price"): ...`. OpenTelemetry's global provider is not
set, since FastAPI would take that as the wish to trace every request itself.
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
PROTOCOL = "http/protobuf"
FLUSH_SECONDS = 2  # that a process waits for its last spans to be sent

# Of the request that is being answered, if it is traced.
_tracer: ContextVar["Tracer | None"] = ContextVar("tracer", default=None)


def wanted() -> bool:
    """Whether the environment names a receiver of traces, and does not turn them off.

    Raises:
        ValueError: It asks for a protocol other than OTLP over HTTP; the message is one line.
    """
    told = os.environ.get
    endpoint = told("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") or told("OTEL_EXPORTER_OTLP_ENDPOINT")
    off = told("OTEL_SDK_DISABLED", "").lower() == "true" or told("OTEL_TRACES_EXPORTER") == "none"
    if not endpoint or off:
        return False
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if told(name, PROTOCOL) not in (PROTOCOL, ""):
            raise ValueError(f"{name} is {told(name)!r}: it must be {PROTOCOL} (receivers' port 4318)")
    return True


def span(name: str, **attributes: str | int | float) -> AbstractContextManager[Any]:
    """A span around a block, within that of the request being answered; nothing if that is not traced."""
    tracer = _tracer.get()
    return tracer.start_as_current_span(name, attributes=attributes) if tracer else nullcontext()


class Tracing:
    """Spans of an app's requests: OpenTelemetry's own ASGI middleware, for those alone that are sampled.

    It imports OpenTelemetry's SDK. Spans are sent from `start` on, which belongs behind a fork, until `stop`.

    Args:
        app: The app.
        model: Its model's name, the resource's `service.name`.
        version: The version of what it serves, the resource's `service.version`.
    """

    def __init__(self, app: ASGIApp, model: str, version: str) -> None:
        # Names of attributes as they are since they are stable; the library's default is the old ones.
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
        from opentelemetry.metrics import NoOpMeterProvider
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Ids(RandomIdGenerator):
            """The trace id that a request's log lines have is that of its spans too."""

            def generate_trace_id(self) -> int:
                request = logs.request.get()
                return int(request["trace_id"], 16) if request else super().generate_trace_id()

        self.app = app
        self.trace = trace
        # What a sampler is asked with, by whether the request's parent is sampled; None if it has none.
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
        """Send spans from now on, by a thread."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self.provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))

    def stop(self) -> None:
        """Send what there is, but wait for that no longer than `FLUSH_SECONDS`."""
        flush = threading.Thread(target=self.provider.shutdown, daemon=True)
        flush.start()
        flush.join(FLUSH_SECONDS)

    def record(self, name: str, started: int, ended: int) -> None:
        """A span of something that has ended already; times in nanoseconds since the epoch."""
        self.tracer.start_span(name, start_time=started).end(ended)

    def samples(self, trace_id: str, parent: re.Match[bytes] | None) -> bool:
        """Whether a request's trace is to be sent, asked before anything is spent on it.

        Args:
            trace_id: In hexadecimal digits.
            parent: What `PARENT` found in the request's header.
        """
        context = self.parents[int(parent[2], 16) % 2 == 1 if parent else None]
        return self.provider.sampler.should_sample(context, int(trace_id, 16), "").decision.is_sampled()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.middleware(scope, receive, send)

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, within the server's span: names it by its route, and takes from it what is personal."""
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
        except Exception:  # which `Monitoring` answers
            server_span.set_attribute("http.response.status_code", 500)
            raise
        finally:
            _tracer.reset(token)
