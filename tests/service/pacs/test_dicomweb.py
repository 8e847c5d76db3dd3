"""DICOMweb from a server that answers as it is told, wrong ways included."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from overread.errors import PeerError
from service.pacs.archive import ANSWERS_MAX, FoundSeries, StudyQuery
from service.pacs.dicomweb import DicomwebArchive
from service.pacs.settings import DicomwebAddress
from service.store.database import Store
from service.store.fetches import stored_instances
from service.store.quarantine import count_quarantine
from tests.service.material import NOW, dicom_bytes
from tests.service.orthanc import free_port

SERIES = FoundSeries(study_instance_uid="2.25.1", series_instance_uid="2.25.1.1")
PART = b"--edge\r\nContent-Type: application/dicom\r\n\r\n"
END = b"\r\n--edge--\r\n"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=edge'
LISTED = json.dumps(
    [
        {
            "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.1.1"]},
            "00080018": {"vr": "UI", "Value": ["2.25.1.1.1"]},
        }
    ]
).encode()


@dataclass(kw_only=True)
class Answer:
    """One answer, whatever is asked."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/dicom+json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Server:
    """Gives its answers in order, and notes what it was asked."""

    answers: list[Answer]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)

    @contextmanager
    def running(self, store: Store, *, authorization: str = "") -> Iterator[DicomwebArchive]:
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                script.asked.append((self.path, dict(self.headers)))
                script.connections.add(self.client_address)
                answer = script.answers.pop(0)
                self.send_response(answer.status)
                length = {"Content-Length": str(len(answer.body))}
                for name, value in ({"Content-Type": answer.media_type} | length | answer.headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = answer.headers.get("X-Then") == "close"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/web"
        archive = DicomwebArchive(DicomwebAddress(url=url, authorization=authorization), store, lambda: NOW)
        try:
            yield archive
        finally:
            archive.close()
            server.shutdown()
            server.server_close()
            thread.join()


def instance(body: bytes, **changed: object) -> list[Answer]:
    given = {"media_type": MULTIPART} | changed
    return [Answer(body=LISTED), Answer(body=body, **given)]  # type: ignore[arg-type]


def incoming(store: Store) -> list[str]:
    return [path.name for path in store.files.incoming.iterdir()]


@pytest.mark.parametrize(
    ("body", "media_type"),
    [(PART + dicom_bytes() + END, MULTIPART), (dicom_bytes(), "application/dicom")],
    ids=["multipart", "single"],
)
def test_an_instance_comes_as_a_part_or_by_itself(sqlite_store: Store, body: bytes, media_type: str) -> None:
    server = Server(answers=instance(body, media_type=media_type))
    counts: list[int] = []

    with server.running(sqlite_store, authorization="Bearer t") as archive:
        retrieved = archive.retrieve(SERIES, counts.append)

    assert (retrieved.completed, retrieved.failed, counts) == (1, 0, [1])
    assert stored_instances(sqlite_store, "2.25.1", "2.25.1.1") == {"2.25.1.1.1"}
    path, headers = server.asked[1]
    assert path == "/web/studies/2.25.1/series/2.25.1.1/instances/2.25.1.1.1"
    assert headers["Authorization"] == "Bearer t"
    assert headers["Accept-Encoding"] == "identity"
    assert "transfer-syntax=*" in headers["Accept"]
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("body", "why", "quarantined"),
    [
        (PART + dicom_bytes()[:300], "did not come whole", 0),
        (PART + dicom_bytes() + b"\r\n" + PART + dicom_bytes() + END, "more than one part", 0),
        (b"no multipart at all", "did not come whole", 0),
        (PART + dicom_bytes(number=2) + END, "2.25.1.1.1 was announced", 1),
        (PART + b"Doe^Jane" + END, "not a DICOM file", 1),
    ],
    ids=["cut", "two parts", "other framing", "other object", "no object"],
)
def test_an_instance_that_cannot_be_used_is_counted_with_the_reason(
    sqlite_store: Store, body: bytes, why: str, quarantined: int
) -> None:
    with Server(answers=instance(body)).running(sqlite_store) as archive:
        retrieved = archive.retrieve(SERIES, lambda _: None)

    assert (retrieved.completed, retrieved.failed) == (0, 1)
    assert why in retrieved.why
    assert "Doe" not in retrieved.why
    assert count_quarantine(sqlite_store) == quarantined
    assert incoming(sqlite_store) == []


def test_a_connection_that_is_cut_in_an_instance_leaves_nothing_half(sqlite_store: Store) -> None:
    cut = instance(PART + dicom_bytes()[:300], headers={"Content-Length": "9999", "X-Then": "close"})

    with Server(answers=cut).running(sqlite_store) as archive, pytest.raises(PeerError, match="answer"):
        archive.retrieve(SERIES, lambda _: None)

    assert incoming(sqlite_store) == []
    assert stored_instances(sqlite_store, "2.25.1", "2.25.1.1") == frozenset()


def test_a_connection_that_was_closed_meanwhile_is_opened_anew(sqlite_store: Store) -> None:
    answers = [
        Answer(body=LISTED, headers={"X-Then": "close"}),
        Answer(body=PART + dicom_bytes() + END, media_type=MULTIPART),
    ]
    server = Server(answers=answers)

    with server.running(sqlite_store) as archive:
        assert archive.retrieve(SERIES, lambda _: None).completed == 1
    assert len(server.connections) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(status=401), "OVERREAD_PACS_AUTHORIZATION"),
        (Answer(status=404), "the address to which /studies is added"),
        (Answer(status=503), "it is busy"),
        (Answer(status=302, headers={"Location": "http://elsewhere/"}), "HTTP status 302"),
        (Answer(body=b"<html>"), "does not answer"),
        (Answer(body=b"[" * 100_000 + b"]" * 100_000), "does not answer"),
        (Answer(body=b'{"a": 1}'), "application/dicom"),
        (Answer(body=json.dumps([{}] * (ANSWERS_MAX + 1)).encode()), "ask for less"),
    ],
    ids=["refused", "not found", "busy", "redirect", "no JSON", "nested", "no list", "too many"],
)
def test_an_answer_that_is_none_says_what_to_do(sqlite_store: Store, answer: Answer, why: str) -> None:
    with Server(answers=[answer]).running(sqlite_store) as archive, pytest.raises(PeerError, match=why):
        archive.find_studies(StudyQuery(accession_number="A1"))


def test_no_answer_means_that_there_is_no_such_study(sqlite_store: Store) -> None:
    with Server(answers=[Answer(status=204)]).running(sqlite_store) as archive:
        assert archive.find_studies(StudyQuery(accession_number="A1")) == ()


def test_an_archive_that_passes_over_a_key_is_not_believed(sqlite_store: Store) -> None:
    strangers = [{"0020000D": {"vr": "UI", "Value": ["2.25.5"]}, "00080050": {"vr": "SH", "Value": ["B"]}}]
    answer = Answer(body=json.dumps(strangers).encode())

    with Server(answers=[answer]).running(sqlite_store) as archive:
        assert archive.find_studies(StudyQuery(accession_number="A1")) == ()


def test_a_server_that_is_not_there_is_named(sqlite_store: Store) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    archive = DicomwebArchive(DicomwebAddress(url=url), sqlite_store, lambda: NOW)

    with pytest.raises(PeerError, match=url):
        archive.find_series("2.25.1")
