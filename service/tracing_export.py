"""Sends spans to a collector of OpenTelemetry, by its own SDK.

The provider is not the global one: spans of libraries, which would carry addresses, are not sent.
"""

from collections.abc import Callable

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from overread import __version__
from overread.errors import ConfigurationError


class _GivenIds(RandomIdGenerator):
    """Gives a root span the trace that is asked for."""

    def __init__(self, trace_id: Callable[[], int | None]) -> None:
        self._trace_id = trace_id

    def generate_trace_id(self) -> int:
        """Return the id of the trace that the span which starts now belongs to."""
        return self._trace_id() or super().generate_trace_id()


def exporting_provider(service_name: str, trace_id: Callable[[], int | None]) -> TracerProvider:
    """Return a provider whose spans are sent by OTLP over HTTP, as the variables OTEL_... say.

    A thread sends them in batches. What cannot be sent, or comes faster than it can be sent, is dropped: no
    case waits for a collector.

    Args:
        service_name: under which a collector knows this installation.
        trace_id: gives the id of the trace of the span that starts now; None: any.

    Raises:
        ConfigurationError: the extra `otel` is not installed.
    """
    return provider_to(BatchSpanProcessor(_exporter()), service_name, trace_id)


def provider_to(
    processor: SpanProcessor, service_name: str, trace_id: Callable[[], int | None]
) -> TracerProvider:
    """Return a provider whose spans a processor takes; else as `exporting_provider`."""
    resource = Resource.create({SERVICE_NAME: service_name, SERVICE_VERSION: __version__})
    provider = TracerProvider(resource=resource, id_generator=_GivenIds(trace_id))
    provider.add_span_processor(processor)
    return provider


def _exporter() -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the package that sends traces is not installed: install "
            "overread with the extra `otel`"
        ) from None
    return OTLPSpanExporter()
