"""Traces of cases from intake to result, for a collector of OpenTelemetry; off unless one is named.

All spans of one case make one trace, in whichever process they arise: its id is derived from the number of
the case and the name of the service, so nothing has to travel with the case. A span carries a case number,
the id of a request and words of ours, never what an image, a report or an address says.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer
from structlog.contextvars import get_contextvars

REQUEST_ID = "request_id"
"""Name under which the id of a request stands in logs and, with a prefix, in spans."""

_DEFAULT_NAME = "overread"  # of the service, where OTEL_SERVICE_NAME says none
_OFF = "none"  # of OTEL_TRACES_EXPORTER
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_trace_id_of_case: ContextVar[int | None] = ContextVar("trace_id_of_case", default=None)

Value = str | int | float | bool


class Step(StrEnum):
    """Step of a case on its way, and name of its span."""

    IMAGES = "intake images"  # from the first of a study to its closing
    REPORT = "intake report"
    CLAIM = "claim"
    LOOK = "look"
    CONCLUDE = "conclude"
    MAKE_RESULTS = "make results"
    SEND_RESULT = "send result"


class RunningStep:
    """A step in its course."""

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def __enter__(self) -> None:
        """Begin; the span has begun already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the span. Neither message nor values of an error are kept: they may hold what a report says."""
        if self._span is None:
            return
        if kind is not None:
            self._span.set_status(Status(StatusCode.ERROR, kind.__name__))
        self._span.end()


class Traces:
    """Spans of one process; none are made while no collector is named."""

    def __init__(
        self,
        tracer: Tracer | None = None,
        *,
        service_name: str = _DEFAULT_NAME,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Make spans.

        Args:
            tracer: makes them; None: none are made.
            service_name: under which a collector knows this installation.
            close: sends what has not been sent yet.
        """
        self._tracer = tracer
        self._service_name = service_name
        self.close = close

    def step(self, step: Step, case_id: int, **attributes: Value) -> RunningStep:
        """Return what makes a span of a `with` block; of one that raises the class of the error is told."""
        return RunningStep(self._start(step, case_id, attributes, started_ns=None))

    def past(self, step: Step, case_id: int, *, started_at: datetime | float, **attributes: Value) -> None:
        """Make a span of what ends now.

        Args:
            step: that ends.
            case_id: whose it was, which may have become known in its course.
            started_at: an aware time, or seconds since 1970.
            **attributes: in words of ours.
        """
        seconds = started_at.timestamp() if isinstance(started_at, datetime) else started_at
        span = self._start(step, case_id, attributes, started_ns=int(seconds * 1e9))
        if span is not None:
            span.end()

    def _start(
        self, step: Step, case_id: int, attributes: Mapping[str, Value], *, started_ns: int | None
    ) -> Span | None:
        if self._tracer is None:
            return None
        given: dict[str, Value] = {"overread.case_id": case_id}
        given |= {f"overread.{name}": value for name, value in attributes.items()}
        if request_id := get_contextvars().get(REQUEST_ID):
            given[f"overread.{REQUEST_ID}"] = request_id
        token = _trace_id_of_case.set(case_trace_id(self._service_name, case_id))
        try:
            return self._tracer.start_span(
                step.value,
                context=Context(),  # a root of the trace of its case
                attributes=given,
                start_time=started_ns if started_ns is not None else time.time_ns(),
            )
        finally:
            _trace_id_of_case.reset(token)


def case_trace_id(service_name: str, case_id: int) -> int:
    """Return the id of the trace of a case, the same in every process of an installation.

    Args:
        service_name: OTEL_SERVICE_NAME; different for installations that share a collector.
        case_id: of the case.
    """
    digest = hashlib.sha256(f"{service_name} case {case_id}".encode()).digest()
    return int.from_bytes(digest[:16])


def trace_id_asked_for() -> int | None:
    """Return the id of the trace that the span which starts now belongs to; None: it is of no case."""
    return _trace_id_of_case.get()


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether a collector is named, by the variables of OpenTelemetry, and traces are not switched off."""
    is_off = environ.get("OTEL_TRACES_EXPORTER", "") == _OFF or environ.get("OTEL_SDK_DISABLED") == "true"
    return not is_off and any(environ.get(name) for name in _ENDPOINTS)


def configure_tracing(environ: Mapping[str, str]) -> None:
    """From now on this process sends its spans by OTLP over HTTP, if a collector is named.

    Raises:
        ConfigurationError: one is named, and the extra `otel` is not installed.
    """
    if is_wanted(environ):
        from service.tracing_export import exporting_provider  # slow to import, and mostly not wanted

        close_tracing()
        name = environ.get("OTEL_SERVICE_NAME") or _DEFAULT_NAME
        provider = exporting_provider(name, trace_id_asked_for)
        tracer = provider.get_tracer("overread")
        _current[0] = Traces(tracer, service_name=name, close=provider.shutdown)


def traces() -> Traces:
    """Return the spans of this process."""
    return _current[0]


def close_tracing() -> None:
    """Send what has not been sent yet, and make no spans any more."""
    before, _current[0] = _current[0], Traces()
    before.close()


_current = [Traces()]
