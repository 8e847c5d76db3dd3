"""A patient whose name, birth date and identifier are marked leaves nothing outside the store and the page.

The whole service runs as a user starts it; the patient comes by every way in, well formed and broken, and is
looked at. Then logs, metrics, process arguments and environments, temporary files, and the titles, addresses
and header fields of every answer are searched.
"""

import re
from pathlib import Path

import httpx
import pytest

from tests.service.dicom.senders import RawSender, store_command
from tests.service.faults.test_marks import answer_to
from tests.service.hl7.messages import oru
from tests.service.material import dicom_bytes
from tests.service.running import Serving, serving

pytestmark = pytest.mark.slow

MARKS = ("QUXLEYMARK", "19410203", "MRN77001")
PLACES_OF_PATIENTS = ("objects", "quarantine", "overread.sqlite3")
NAMED = {
    "PatientName": f"{MARKS[0]}^ANNA",
    "PatientBirthDate": MARKS[1],
    "PatientID": MARKS[2],
    "AccessionNumber": "A1",
}
ADDRESS = re.compile(r"""(?:href|src|action)=["']([^"']*)""")
TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)


def holds_mark(text: str) -> bool:
    return any(mark in text for mark in MARKS)


def send_everything(service: Serving) -> list[httpx.Response]:
    """The patient by every way in that a network reaches, each well formed and broken."""
    good = dicom_bytes(**NAMED)
    answers = []
    for content in (good, good[:-40], good[: len(good) // 2]):
        kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
        part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n--x--\r\n"
        answers.append(httpx.post(f"{service.stow}/studies", content=part, headers=kind, timeout=60))
        with RawSender(service.ports["dicom"]) as sender:
            start = 144 + int.from_bytes(content[140:144], "little")
            sender.send(store_command("2.25.1.1.1"), b"\x02" + content[start:])
            sender.read_pdu()
    message = oru("No mass is seen.").replace("PID|", f"PID|1||{MARKS[2]}||{MARKS[0]}^ANNA||{MARKS[1]}|F|")
    for text in (message, message[: len(message) // 2], message.replace("ORU^R01", "XXX^R01")):
        answer_to(service.ports["hl7"], text)
    for status in ("final", "none"):
        body = {
            "resourceType": "DiagnosticReport",
            "status": status,
            "code": {"text": "chest"},
            "subject": {"identifier": {"value": MARKS[2]}, "display": MARKS[0]},
            "conclusion": f"{MARKS[0]}, born {MARKS[1]}: no mass.",
        }
        answers.append(httpx.post(f"{service.api}/fhir/DiagnosticReport", json=body, timeout=60))
    for accession in ("A1", ""):
        report = {"text": f"{MARKS[0]} {MARKS[1]}: no mass.", "accession_number": accession}
        report["patient_id"] = MARKS[2]
        answers.append(httpx.post(f"{service.api}/api/v1/reports", json=report, timeout=60))
    return answers


def look_at_everything(service: Serving) -> list[httpx.Response]:
    """The pages and answers about the patient, and some that go wrong."""
    addresses = (
        "/",
        "/cases/1",
        "/cases/99",
        "/quarantine",
        "/quarantine/1",
        f"/nope/{MARKS[2]}",
        "/api/v1/worklist",
        "/api/v1/cases/1",
        f"/api/v1/cases/{MARKS[0]}",
        "/api/v1/quarantine",
    )
    found = [httpx.get(service.api + address, timeout=60) for address in addresses]
    return [*found, httpx.get(f"{service.stow}/studies?PatientID={MARKS[2]}", timeout=60)]


def environments_and_arguments(service: Serving) -> list[str]:
    """Of the service and of everything below it."""
    found, wanted = [], {service.process.pid}
    for _ in range(3):  # children, theirs, and theirs
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
                if parent in wanted or int(stat.parent.name) in wanted:
                    wanted.add(int(stat.parent.name))
                    found += [
                        (stat.parent / name).read_text(errors="replace") for name in ("cmdline", "environ")
                    ]
            except OSError:
                continue
    assert len(wanted) > 4
    return found


def test_a_marked_patient_stays_within_store_and_page(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(tmp_path, TMPDIR=str(temporary), OVERREAD_QUIET_SECONDS="1") as service:
        answers = [*send_everything(service), *look_at_everything(service)]
        processes = environments_and_arguments(service)
        metrics = httpx.get(f"{service.api}/metrics", timeout=60).text
        during = [path.read_bytes() for path in temporary.rglob("*") if path.is_file()]
    log = (tmp_path / "log").read_text()

    assert any(holds_mark(answer.text) for answer in answers)  # the page does show its patient
    assert not holds_mark(log)
    assert not holds_mark(metrics)
    assert not any(holds_mark(text) for text in processes)
    left = [path.read_bytes() for path in temporary.rglob("*") if path.is_file()]
    assert not any(mark.encode() in content for content in (*during, *left) for mark in MARKS)
    for answer in answers:
        assert not any(
            holds_mark(value) for name, value in answer.headers.items() if name != "content-location"
        )
        assert not any(map(holds_mark, TITLE.findall(answer.text)))
        assert not any(map(holds_mark, ADDRESS.findall(answer.text)))
        if answer.status_code >= 400:
            assert not holds_mark(answer.text)
    data = tmp_path / "data"
    elsewhere = [
        path
        for path in data.rglob("*")
        if path.is_file() and not str(path.relative_to(data)).startswith(PLACES_OF_PATIENTS)
    ]
    assert not any(mark.encode() in path.read_bytes() for path in elsewhere for mark in MARKS)
