"""`overread audit run` on the cases of an installation, in one command."""

import json
from dataclasses import replace

from evaluation.audit.result_folder import read_table
from overread.command import main
from service.store.drift import note_appearance
from tests.service.material import CLEAR, MASS, after, dicom_bytes, send_image, send_report
from tests.service.store.releases.whole import whole_appearance
from tests.service.triage.test_worker import drain

CASES = 24


def test_the_cases_of_an_installation_become_a_page_in_one_command(sqlite_store, tmp_path, capsys) -> None:
    for number in range(CASES):
        send_image(
            sqlite_store,
            dicom_bytes(
                study=f"2.25.{number + 1}",
                AccessionNumber=f"N{number}",
                PatientID=f"SECRET{number}",
                StudyDate=f"2025{1 + number % 2:02d}11",
                InstitutionName="North",
            ),
        )
        content = MASS if number % 2 else CLEAR
        send_report(
            sqlite_store,
            content,
            accession=f"N{number}",
            patient=f"SECRET{number}",
            author=f"Roe {number % 2}",
        )
    drain(sqlite_store, now=after(60))
    with sqlite_store.writing() as connection:
        for number in range(1, CASES + 1):
            note_appearance(connection, number, replace(whole_appearance(), scanner="=Acme"), now=after(60))

    at = ["--data-folder", str(sqlite_store.settings.data_folder)]

    assert main(["audit", "run", *at, "--out", str(tmp_path / "audit")]) == 0

    record = json.loads((tmp_path / "audit" / "result.json").read_text(encoding="utf-8"))
    page = (tmp_path / "audit" / "report.html").read_text(encoding="utf-8")
    assert (record["cohort"]["cases"], record["cohort"]["patients"]) == (CASES, CASES)
    groups = {(row["dimension"], row["level"]) for row in read_table(tmp_path / "audit", "rates")}
    assert groups >= {("month", "2025-01"), ("site", "north"), ("scanner", "=Acme"), ("body_part", "CHEST")}
    assert groups >= {("first_reader", "reader 1"), ("first_reader", "reader 2")}
    written = (tmp_path / "audit" / "tables" / "rates.csv").read_text(encoding="utf-8")
    assert ",'=Acme," in written  # what a sender calls its machine is no formula
    assert "roe" not in (page + written + json.dumps(record)).casefold()
    assert "SECRET" not in page + json.dumps(record)
    assert "2.25." not in page + json.dumps(record)
    assert "report.html" in capsys.readouterr().out
    assert main(["audit", "report", str(tmp_path / "audit")]) == 0
    assert (tmp_path / "audit" / "report.html").read_text(encoding="utf-8") == page
