"""Sends spans to a collector of OpenTelemetry, by its own SDK.

The provider is not the global one: spans of libraries, which would carry addresses, are not sent.
"""

from collections.abc import Mapping

from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from overread import __version__
from overread.errors import ConfigurationError
from service.tracing import DEFAULT_NAME, Traces, trace_id_of_case


class _CaseIds(RandomIdGenerator):
    """Gives a root span the trace of its case."""

    def generate_trace_id(self) -> int:
        """Return the id of the case that the span is about."""
        return trace_id_of_case.get() or super().generate_trace_id()


def exported_traces(environ: Mapping[str, str]) -> Traces:
    """Return traces that are sent by OTLP over HTTP, as the variables OTEL_... say.

    A thread sends them in batches. What cannot be sent, or comes faster than it can be sent, is dropped: no
    case waits for a collector.

    Raises:
        ConfigurationError: the extra `otel` is not installed.
    """
    return traces_through(BatchSpanProcessor(_exporter()), environ)


def traces_through(processor: SpanProcessor, environ: Mapping[str, str]) -> Traces:
    """Return traces whose spans a processor takes."""
    name = environ.get("OTEL_SERVICE_NAME") or DEFAULT_NAME
    resource = Resource.create({SERVICE_NAME: name, SERVICE_VERSION: __version__})
    provider = TracerProvider(resource=resource, id_generator=_CaseIds())
    provider.add_span_processor(processor)
    return Traces(provider.get_tracer("overread", __version__), service_name=name, close=provider.shutdown)


def _exporter() -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, and the package that sends traces is not installed: install "
            "overread with the extra `otel`"
        ) from None
    return OTLPSpanExporter()
