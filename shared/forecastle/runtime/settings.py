"""Settings of the server, its logs and its traces, from the environment."""

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from forecastle.web.queries import must_be, wrong
from forecastle.web.settings import Environment, WebSettings

Level = Literal["debug", "info", "warning", "error", "critical"]
PROTOCOL = "http/protobuf"


def _lower(value: str) -> str:
    return value.lower()


class TraceSettings(Environment):
    """The variables of OpenTelemetry that say whether traces are sent; its SDK reads all others itself."""

    otel_exporter_otlp_endpoint: str | None = None
    otel_exporter_otlp_traces_endpoint: str | None = None
    otel_exporter_otlp_protocol: str = PROTOCOL
    otel_exporter_otlp_traces_protocol: str = PROTOCOL
    otel_traces_exporter: str = "otlp"
    otel_sdk_disabled: str = "false"

    @property
    def traces_wanted(self) -> bool:
        """Whether a receiver of traces is named, and traces are not turned off."""
        endpoint = self.otel_exporter_otlp_traces_endpoint or self.otel_exporter_otlp_endpoint
        disabled = self.otel_sdk_disabled.lower() == "true" or self.otel_traces_exporter == "none"
        return endpoint is not None and not disabled

    @model_validator(mode="after")
    def over_http(self) -> Self:
        """Refuse other protocols than OTLP over HTTP, if traces are wanted."""
        for name in ("otel_exporter_otlp_traces_protocol", "otel_exporter_otlp_protocol"):
            if self.traces_wanted and (protocol := getattr(self, name)) != PROTOCOL:
                raise wrong(
                    "{} must be {} (port 4318 of receivers), not {!r}", name.upper(), PROTOCOL, protocol
                )
        return self


class ServerSettings(TraceSettings, WebSettings):
    """All that the server reads.

    Attributes:
        workers: Worker processes.
        log_level: The lowest level that is logged; None leaves it to the command.
        bind: Address and port to listen at.
        forwarded_allow_ips: Peers whose `X-Forwarded-Proto` and `-For` count; all, since a gateway's address
            varies.
        revision: The commit, for metrics.
    """

    workers: Annotated[int, Field(ge=1), must_be("a whole number of at least 1")] = 1
    log_level: (
        Annotated[Level, BeforeValidator(_lower), must_be(f"one of {', '.join(get_args(Level))}")] | None
    ) = None
    bind: str = "0.0.0.0:8000"
    forwarded_allow_ips: str = "*"
    revision: str = "unknown"
