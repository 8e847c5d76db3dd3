"""Traces of cases: what a collector is told of them, and what it must never be told."""

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from service import tracing
from service.store.database import Store
from service.tracing import (
    Step,
    Traces,
    case_trace_id,
    configure_tracing,
    is_wanted,
    trace_id_asked_for,
    traces,
)
from service.tracing_export import provider_to
from tests.service.material import triaged_case
from tests.service.results.peers import ScriptedReceiver
from tests.service.running import serving
from tests.service.runtime.test_serving import HEAD, MULTIPART, TAIL
from tests.service.waiting import eventually

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
MARK = "ZZQMARK"  # in everything that is a patient's, a sender's or a report's
EVERY_STEP = {step.value for step in Step}


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans of this process, in memory."""
    exporter = InMemorySpanExporter()
    provider = provider_to(SimpleSpanProcessor(exporter), "overread", trace_id_asked_for)
    monkeypatch.setattr(tracing, "_current", [Traces(provider.get_tracer("overread"))])
    return exporter


def values(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_nothing_is_traced_unless_a_collector_is_named() -> None:
    assert not is_wanted({})
    assert is_wanted({ENDPOINT: "http://collector:4318"})
    assert is_wanted({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"})
    assert not is_wanted({ENDPOINT: "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"})
    assert not is_wanted({ENDPOINT: "http://collector:4318", "OTEL_SDK_DISABLED": "true"})
    before = traces()
    configure_tracing({})
    assert traces() is before


def test_the_sdk_is_not_imported_while_nothing_is_traced() -> None:
    program = (
        "import os, sys; from service.tracing import configure_tracing; configure_tracing({}); "
        "sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_steps_of_a_case_are_one_trace_and_of_another_case_another(spans: InMemorySpanExporter) -> None:
    with traces().step(Step.LOOK, 12, revision=1):
        pass
    traces().past(Step.CLAIM, 12, started_at=1.5)
    traces().past(Step.CLAIM, 13, started_at=1.5)

    look, claim, other = spans.get_finished_spans()

    assert look.context is not None
    assert claim.context is not None
    assert other.context is not None
    assert look.context.trace_id == claim.context.trace_id == case_trace_id("overread", 12)
    assert other.context.trace_id == case_trace_id("overread", 13) != look.context.trace_id
    assert look.context.span_id != claim.context.span_id
    assert claim.start_time == 1_500_000_000
    assert values(look) == {"overread.case_id": 12, "overread.revision": 1}
    assert case_trace_id("another", 12) != case_trace_id("overread", 12)


def test_of_an_error_the_class_alone_is_told(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match=MARK), traces().step(Step.LOOK, 12):
        raise ValueError(MARK)

    (span,) = spans.get_finished_spans()

    assert span.status.description == "ValueError"
    assert MARK not in span.to_json()


def test_a_report_by_http_is_traced_under_the_id_of_its_request(
    spans: InMemorySpanExporter, api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = triaged_case(sqlite_store)
    spans.clear()

    answer = api.post(
        "/api/v1/reports",
        json={"text": "IMPRESSION: A mass.", "accession_number": "A1", "status": "CORRECTED"},
        headers={"X-Request-Id": MARK},
    )

    (span,) = spans.get_finished_spans()
    assert answer.status_code == 201
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert values(span) == {
        "overread.case_id": case_id,
        "overread.request_id": answer.headers["x-request-id"],
        "overread.version": 2,
        "overread.status": "CORRECTED",
        "overread.outcome": "STORED",
    }


class Collector:
    """A collector of OpenTelemetry that keeps what is posted to it, as it comes."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    @contextmanager
    def listening(self) -> Iterator[str]:
        bodies = self.bodies

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join(10)

    def spans(self) -> list[tuple[str, bytes, dict[str, object]]]:
        """Name, trace id and attributes of every span."""
        service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        found = []
        for body in list(self.bodies):
            for resource in service.ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    found += [
                        (
                            span.name,
                            span.trace_id,
                            {
                                item.key: getattr(item.value, str(item.value.WhichOneof("value")))
                                for item in span.attributes
                            },
                        )
                        for span in scope.spans
                    ]
        return found


def marked_radiograph() -> bytes:
    """The radiograph of the demonstration, as one of a patient whose every word can be recognised."""
    dataset = dcmread(str(get_testdata_file("RG1_UNCR.dcm", download=False)))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(dataset, keyword, generate_uid())
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyDescription", "InstitutionName"):
        setattr(dataset, keyword, MARK)
    dataset.PatientBirthDate = "19010203"
    content = BytesIO()
    dataset.save_as(content)
    return content.getvalue()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # pydicom finds fault with what the real object holds
def test_a_case_is_traced_from_its_images_to_its_result_and_nothing_of_the_patient_leaves(
    tmp_path: Path,
) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    collector, receiver, image = Collector(), ScriptedReceiver(), marked_radiograph()
    uids = dcmread(BytesIO(image), stop_before_pixels=True)
    with collector.listening() as endpoint, receiver.listening() as port:
        chosen = {
            ENDPOINT: endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OVERREAD_QUIET_SECONDS": "0",
            "OVERREAD_RESULTS_DESTINATIONS": f"ris=mllp://127.0.0.1:{port}",
            "OVERREAD_RESULTS_RULES": "triage:ORU:ris",
        }
        with serving(tmp_path, **chosen) as running:
            stored = httpx.post(
                f"{running.stow}/studies", content=HEAD + image + TAIL, headers=MULTIPART, timeout=60
            )
            assert stored.status_code == 200
            report = {"text": f"{MARK}. IMPRESSION: The lungs are clear.", "accession_number": MARK}
            answer = httpx.post(f"{running.api}/api/v1/reports", json=report, timeout=60)
            eventually(lambda: {name for name, _, _ in collector.spans()} >= EVERY_STEP)
            assert receiver.messages
    found = collector.spans()
    case_id = answer.json()["case_id"]
    assert {attributes["overread.case_id"] for _, _, attributes in found} == {case_id}
    assert {trace for _, trace, _ in found} == {case_trace_id("overread", case_id).to_bytes(16)}
    (arrived,) = (attributes for name, _, attributes in found if name == Step.REPORT.value)
    assert arrived["overread.request_id"] == answer.headers["x-request-id"]
    (sent,) = (attributes for name, _, attributes in found if name == Step.SEND_RESULT.value)
    assert (sent["overread.destination"], sent["overread.answer"]) == ("ris", "TAKEN")
    log = (tmp_path / "log").read_text()
    assert f'"request_id": "{answer.headers["x-request-id"]}"' in log
    assert MARK not in log
    exported = b"".join(collector.bodies)
    for word in (MARK, "19010203", "lungs", uids.StudyInstanceUID, uids.SOPInstanceUID):
        assert word.encode() not in exported, word
