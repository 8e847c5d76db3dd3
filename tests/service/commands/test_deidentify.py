import csv
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread

from service.intake.closing import close_study
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from tests.service.material import NOW, STUDY, dicom_bytes, send_image, send_report

NAME = "Zyxwvut"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "overread", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def deidentify(store: Store, *words: str) -> subprocess.CompletedProcess[str]:
    return run("deidentify", "--data-folder", str(store.settings.data_folder), *words)


@pytest.fixture
def case_id(sqlite_store: Store) -> int:
    named = {"PatientName": f"{NAME}^Anna", "PatientID": "MRN4711", "AccessionNumber": "ACC12345"}
    send_image(sqlite_store, dicom_bytes(number=1, **named))
    send_image(sqlite_store, dicom_bytes(number=2, BurnedInAnnotation="YES", **named))
    report = f"Ms. {NAME} was seen on 2026-01-10. No mass. ACC12345."
    number = send_report(sqlite_store, report, accession="ACC12345", patient="MRN4711").case_id
    close_study(sqlite_store, STUDY, now=NOW)
    return number


def test_a_copy_names_nobody_and_another_installation_takes_it_in(
    sqlite_store: Store, case_id: int, tmp_path: Path
) -> None:
    out, elsewhere = tmp_path / "copies", tmp_path / "elsewhere"

    done = deidentify(sqlite_store, str(case_id), "--with-reports", "--out", str(out))

    assert done.returncode == 1, done.stderr  # one image was left out
    assert "1 cases, 1 images, 1 reports" in done.stdout
    for path in (path for path in out.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert not any(word in content for word in (NAME.encode(), b"4711", b"ACC12345", b"2026-01-10"))
    (image,) = out.glob("images/*/*.dcm")
    with (out / "reports.csv").open(newline="") as file:
        (report,) = csv.DictReader(file)
    assert report["accession"] == dcmread(image).AccessionNumber
    assert "No mass." in report["text"]
    with (out / "left-out.csv").open(newline="") as file:
        assert ["text is burnt" in row["why"] for row in csv.DictReader(file)] == [True]

    taken = run(
        "import",
        "--data-folder",
        str(elsewhere),
        "--images",
        str(out / "images"),
        "--reports",
        str(out / "reports.csv"),
    )
    assert taken.returncode == 0, taken.stderr


def test_copying_is_recorded_and_reports_stay_unless_they_are_asked_for(
    sqlite_store: Store, case_id: int, tmp_path: Path
) -> None:
    deidentify(sqlite_store, "--listed", "5", "--out", str(tmp_path / "none"))
    done = deidentify(sqlite_store, str(case_id), "--out", str(tmp_path / "copies"))

    assert "0 reports" in done.stdout
    entries = [sealed.entry for sealed in find_entries(sqlite_store, TrailFilter())]
    assert [(entry.what, entry.subject) for entry in entries if entry][-1:] == [
        ("overread deidentify", f"case {case_id}")
    ]


def test_what_is_wrong_is_said_in_words(sqlite_store: Store, case_id: int, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()

    nothing = deidentify(sqlite_store, "--out", str(tmp_path / "new"))
    full = deidentify(sqlite_store, str(case_id), "--out", str(tmp_path / "full"))
    unknown = deidentify(sqlite_store, "99", "--out", str(tmp_path / "unknown"))

    assert [done.returncode for done in (nothing, full, unknown)] == [1, 1, 1]
    assert "name cases by their numbers" in nothing.stderr
    assert "is not empty" in full.stderr
    assert "99" in unknown.stderr
