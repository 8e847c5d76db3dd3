"""Nothing of what was sent is repeated: neither in logs, nor answers, nor the reasons of what was refused."""

import io
import json
import logging
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import config, dcmread
from pydicom.uid import ImplicitVRLittleEndian
from sqlalchemy import select

from overread.command import main
from service.application import make_app
from service.dicomweb.stow import make_stow_app
from service.hl7.framing import frame
from service.hl7.settings import Hl7Settings
from service.intake.closing import close_study
from service.log import configure_logging
from service.runtime.http_process import JsonFormatter
from service.store.database import Store
from service.store.quarantine import list_quarantine
from service.store.schema import events, quarantine
from service.triage.worker import work
from service.watch.folder import FolderWatcher
from service.watch.settings import WatchSettings
from service.web.guard import access_for
from tests.service.dicom.conftest import listening as listening_dicom
from tests.service.dicom.senders import RawSender, store_command
from tests.service.hl7.messages import oru
from tests.service.hl7.test_listener import listening as listening_hl7
from tests.service.material import NOW, after, dicom_bytes, readers
from tests.service.web.listening import listening, opener

MARK = "ZAPHODMARK"
_BAD_BASE64 = f"{MARK}=*="


def _edited(**elements: object) -> bytes:
    """An object with values that are none of their representation, which pydicom writes with a warning."""
    dataset = dcmread(io.BytesIO(dicom_bytes()))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def objects() -> list[bytes]:
    """DICOM objects with the mark in them, most of them broken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = config.settings.writing_validation_mode
        config.settings.writing_validation_mode = config.IGNORE
        try:
            named = _edited(PatientName=MARK, PatientComments=MARK)
            wrong = [
                _edited(PatientName=MARK, PatientBirthDate=MARK, StudyDate=MARK, StudyTime=MARK),
                _edited(PatientAge=MARK, PatientSex=MARK, PatientWeight="1"),
                _edited(SpecificCharacterSet=MARK, PatientName=MARK),
                _edited(PhotometricInterpretation=MARK, PatientName=MARK),
                _edited(SeriesInstanceUID=MARK),
                _edited(StudyInstanceUID=MARK),
                _edited(SOPInstanceUID=MARK),
                _edited(PatientID=MARK * 40),
                _edited(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", ValueType=MARK, TextValue=MARK),
                _edited(
                    SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
                    EncapsulatedDocument=MARK.encode(),
                    MIMETypeOfEncapsulatedDocument=MARK,
                ),
                _edited(
                    SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1",
                    EncapsulatedDocument=f"%PDF-1.4 {MARK} ".encode(),
                    MIMETypeOfEncapsulatedDocument="application/pdf",
                ),
            ]
        finally:
            config.settings.writing_validation_mode = before
    cut = [named[: len(named) - bytes_] for bytes_ in (5, 100, 200, 300)]
    lengths = named.replace(MARK.encode(), b"\xff\xff" + MARK.encode()[2:], 1)
    return [*wrong, *cut, lengths, MARK.encode() * 20, b"\0" * 128 + b"DICM" + MARK.encode() * 9]


MESSAGES = [
    f"MSH|^~\\&|{MARK}",
    MARK,
    oru(MARK).replace("MSH|^~\\&|", f"MSH|^~\\&|{MARK}"),
    oru(MARK).replace("ORU^R01", f"{MARK}^{MARK}"),
    oru(MARK).replace("|2.5.1", f"|{MARK}"),
    oru(MARK).replace("|P|", f"|{MARK}|"),
    oru(MARK).replace("UNICODE UTF-8", MARK),
    oru(f"{MARK} \\X{MARK}\\ \\Z").replace("OBX|1|TX", f"OBX|1|{MARK}"),
    oru(_BAD_BASE64).replace("OBX|1|TX", "OBX|1|ED"),
    oru(MARK).replace("OBX|", f"{MARK}|"),
    oru(MARK).replace("OBR|", f"OBR|{MARK}|{MARK}|"),
    oru("", control=MARK[:10]).replace("PID|", f"PID|{MARK}|"),
]


def _resource(**members: object) -> bytes:
    given = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": MARK}}
    return json.dumps(given | members).encode()


DOCUMENTS = [
    _resource(),
    _resource(status=MARK),
    _resource(issued=MARK, conclusion=MARK),
    _resource(**{MARK: MARK}, identifier=MARK),
    _resource(presentedForm=[{"contentType": MARK, "data": _BAD_BASE64}]),
    _resource(presentedForm=[{"contentType": f"text/plain; charset={MARK}", "data": "/w=="}]),
    _resource(presentedForm=[{"contentType": "application/pdf", "data": "WkFQSE9ETUFSSw=="}]),
    _resource(presentedForm=[{"contentType": "text/xml", "data": "PFpBUEhPRE1BUks+"}]),
    _resource(resourceType=MARK),
    json.dumps(
        {"resourceType": "Bundle", "type": MARK, "entry": [{"resource": {"resourceType": MARK}}]}
    ).encode(),
    b'{"resourceType": "' + MARK.encode(),
]
BODIES = [
    {"text": MARK},
    {"text": "---", "accession_number": f" {MARK}", "patient_id": MARK},
    {"text": MARK, "accession_number": "A1", "status": MARK},
    {"text": MARK, "accession_number": "A1", "issued_at": MARK},
    {"text": MARK, "accession_number": "A1", MARK: 1},
    {"text": f"\x01{MARK}", "accession_number": "A1"},
    MARK,
]


@pytest.fixture
def shown(sqlite_store: Store, capfd: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Answers that a test collects; nothing of them, of the logs and of the stored reasons holds the mark."""
    root = logging.getLogger()
    before, found = list(root.handlers), list[str]()
    yield found
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
    with sqlite_store.reading() as connection:
        reasons = [row.detail for row in connection.execute(select(quarantine.c.detail))]
        told = [row.detail or "" for row in connection.execute(select(events.c.detail))]
    for text in (*found, *reasons, *told, *capfd.readouterr()):
        assert MARK not in text, text[text.index(MARK) - 300 :][:600]


def log_as_a_process() -> None:
    """Log as the processes of HTTP do, to the streams of the test, which its fixtures do not have yet."""
    configure_logging()
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)


def refused(store: Store) -> int:
    return len(list_quarantine(store, limit=1000))


def test_objects_by_c_store(sqlite_store: Store, objects: list[bytes], shown: list[str]) -> None:
    log_as_a_process()
    with listening_dicom(sqlite_store) as port:
        for content in objects:
            with RawSender(port, transfer_syntax=ImplicitVRLittleEndian) as sender:
                start = 144 + int.from_bytes(content[140:144], "little") if content[128:132] == b"DICM" else 0
                sender.send(store_command("2.25.1.1.1"), b"\x02" + content[start:])
                shown.append(sender.read_pdu().decode("latin-1"))
    assert refused(sqlite_store) > 3


def test_objects_by_stow_and_what_triage_makes_of_them(
    sqlite_store: Store, objects: list[bytes], shown: list[str]
) -> None:
    log_as_a_process()
    with listening(make_stow_app(opener(sqlite_store), access_for("127.0.0.1", None))) as url:
        kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
        for content in objects:
            part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--x--\r\n"
            shown.append(httpx.post(f"{url}/studies", content=part, headers=kind, timeout=60).text)
        bad = {"Content-Type": f'multipart/related; type="{MARK}"; boundary={MARK}'}
        shown.append(httpx.post(f"{url}/studies", content=MARK.encode(), headers=bad).text)
        shown.append(httpx.get(f"{url}/studies?{MARK}=1").text)
    close_study(sqlite_store, "2.25.1", now=NOW)
    httpx_body = {"text": "No mass.", "accession_number": "A1", "patient_id": "P1"}
    with listening(make_app(opener(sqlite_store), list)) as url:
        httpx.post(f"{url}/api/v1/reports", json=httpx_body)
    work(sqlite_store, readers(), name="w", clock=lambda: after(60), stop=threading.Event(), drain=True)
    assert refused(sqlite_store) > 5


def answer_to(port: int, message: str) -> bytes:
    """What is answered to a message, which may be nothing, and to a good one that follows."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(frame(message.encode()) + frame(oru(control="LAST").encode()))
        read = b""
        while b"|LAST" not in read:
            piece = connection.recv(1 << 16)
            assert piece
            read += piece
        return read


def test_messages_by_hl7(sqlite_store: Store, shown: list[str]) -> None:
    log_as_a_process()
    with listening_hl7(sqlite_store) as port:
        for message in MESSAGES:
            answer = answer_to(port, message)
            # An acknowledgement names whom it answers and what (MSH-5, MSA-2), as the sender wrote it.
            segments = answer.decode("utf-8", "replace").split("\r")
            shown += [each for each in segments if each.startswith("ERR")]
            shown += [each.split("|", 3)[-1] for each in segments if each.startswith("MSA")]
    assert refused(sqlite_store) > 5


def test_documents_by_fhir_and_reports_by_http(sqlite_store: Store, shown: list[str]) -> None:
    log_as_a_process()
    with listening(make_app(opener(sqlite_store), list)) as url:
        fhir = {"Content-Type": "application/fhir+json"}
        shown += [
            httpx.post(f"{url}/fhir", content=each, headers=fhir, timeout=60).text for each in DOCUMENTS
        ]
        shown += [httpx.post(f"{url}/api/v1/reports", json=body).text for body in BODIES]
        plain = {"Content-Type": f"text/plain; charset={MARK}"}
        shown.append(
            httpx.post(f"{url}/api/v1/reports?accession_number=A1", content=b"\xff", headers=plain).text
        )
        shown.append(httpx.post(f"{url}/api/v1/reports?{MARK}={MARK}", content=b"x", headers=plain).text)
    assert refused(sqlite_store) > 5


def test_files_in_a_watched_folder(
    sqlite_store: Store, objects: list[bytes], shown: list[str], tmp_path: Path
) -> None:
    log_as_a_process()
    folder = tmp_path / "watched"
    folder.mkdir()
    for number, content in enumerate(objects):
        (folder / f"{number}.dcm").write_bytes(content)
    for number, message in enumerate(MESSAGES):
        (folder / f"{number}.hl7").write_text(message)
    for number, document in enumerate([*DOCUMENTS, *(json.dumps(body).encode() for body in BODIES)]):
        (folder / f"{number}.json").write_bytes(document)
        (folder / f"beside{number}.txt").write_text(MARK)
        (folder / f"beside{number}.txt.json").write_bytes(document)
    settings = WatchSettings(folder=folder, settled_seconds=0.1)
    seconds = iter(range(10_000))
    watcher = FolderWatcher(
        store=sqlite_store,
        folder=folder,
        settings=settings,
        hl7=Hl7Settings(),
        clock=lambda: NOW,
        ticks=lambda: float(next(seconds)),
    )
    with watcher:
        for _ in range(3):
            watcher.look()

    reasons = list((folder / "refused").rglob("*.reason.txt"))
    assert len(reasons) > 20
    shown += [reason.read_text() for reason in reasons]


def test_an_archive_that_is_imported(
    sqlite_store: Store, objects: list[bytes], shown: list[str], tmp_path: Path
) -> None:
    images, table = tmp_path / "images", tmp_path / "reports.csv"
    images.mkdir()
    for number, content in enumerate(objects):
        (images / f"{number}.dcm").write_bytes(content)
    table.write_text(f'accession,status,issued,text\nA1,FINAL,{MARK},"{MARK}"\n,FINAL,,{MARK}\nA2,FINAL,,\n')
    (tmp_path / "none.zip").write_bytes(MARK.encode())
    (tmp_path / "none.tar").write_bytes(MARK.encode() * 100)
    folder = str(sqlite_store.settings.data_folder)
    archives = [str(images), str(tmp_path / "none.zip"), str(tmp_path / "none.tar")]
    for words in (["--images", archive] for archive in archives):
        main(["import", "--data-folder", folder, *words])
    main(["import", "--data-folder", folder, "--reports", str(table)])
    assert refused(sqlite_store) > 3


def test_the_warnings_and_messages_of_libraries_are_told_without_their_text(
    shown: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log_as_a_process()
        warnings.warn(f"a value {MARK}", UserWarning, stacklevel=1)
        logging.getLogger("library").error("it broke on %s", MARK)
        logging.captureWarnings(True)
        try:
            warnings.warn(f"another {MARK}", RuntimeWarning, stacklevel=1)
        finally:
            logging.captureWarnings(False)

    said = capfd.readouterr().err
    shown.append(said)
    assert '"kind": "UserWarning"' in said
    assert "it broke on %s" in said
    assert "a warning" in said
