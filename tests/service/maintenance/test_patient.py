"""A patient's data are copied whole, and what may go goes."""

import json
from pathlib import Path

import pytest

from overread.appearance import Appearance
from overread.errors import ConfigurationError, InputError, InvalidReportError, RemovedError
from overread.second_read import Judgement, Radpeer
from service.adjudication.reads import judge
from service.maintenance.patient import copy_everything, remove_bytes
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries, record_acts
from service.store.database import Store
from service.store.drift import note_appearance
from service.store.json_format import from_json
from service.store.patients import holdings_of_patient
from service.store.quarantine import load_entry
from service.store.queue import claim_case
from service.store.worklist import load_case
from tests.service.adjudication.test_reads import sender
from tests.service.audit_trail.material import ROE, view
from tests.service.material import CLEAR, NOW, PATIENT, ready_case, send_image, send_report, triaged_case
from tests.service.store.releases.whole import whole_appearance


def refused_report(store: Store) -> None:
    with pytest.raises(InvalidReportError):
        send_report(store, "", patient=PATIENT)


def test_a_copy_has_what_the_image_looked_like_where_a_detector_said(kept: Store, tmp_path: Path) -> None:
    plain, described = triaged_case(kept, 1), triaged_case(kept, 2)
    with kept.writing() as connection:
        note_appearance(connection, described, whole_appearance(), now=NOW)

    copy_everything(kept, holdings_of_patient(kept, PATIENT), tmp_path / "copy")

    of_cases = tmp_path / "copy" / "cases"
    told = (of_cases / str(described) / "appearance.json").read_text()
    assert from_json(Appearance, told.strip()) == whole_appearance()
    assert not (of_cases / str(plain) / "appearance.json").exists()


def test_a_copy_has_reports_images_results_history_refusals_and_the_trail(
    kept: Store, tmp_path: Path
) -> None:
    number = triaged_case(kept)
    refused_report(kept)
    record_acts(kept, [view(number), view(number + 1)])
    folder = tmp_path / "copy"

    count = copy_everything(kept, holdings_of_patient(kept, PATIENT), folder)

    of_case = folder / "cases" / str(number)
    assert (of_case / "reports" / "1-final.txt").read_text() == CLEAR
    (image,) = (of_case / "objects").iterdir()
    assert image.read_bytes() == load_case(kept, number).instances[0].path.read_bytes()
    assert "discrepancies" in (of_case / "results.json").read_text()
    assert json.loads((of_case / "history.json").read_text())[0]["event"] == "OPENED"
    assert (folder / "quarantine" / "1").read_bytes() == b""
    trail = [json.loads(line) for line in (folder / "who-saw-what.jsonl").read_text().splitlines()]
    assert [entry["subject"] for entry in trail] == [f"case {number}"]
    assert (folder / "missing.txt").read_text() == ""
    assert count == 7


def test_a_copy_holds_what_second_readers_said(kept: Store, tmp_path: Path) -> None:
    number = triaged_case(kept)
    judge(kept, number, Judgement(radpeer=Radpeer.CONCUR, comment="calm"), sender())

    copy_everything(kept, holdings_of_patient(kept, PATIENT), tmp_path / "copy")

    (said,) = json.loads((tmp_path / "copy" / "cases" / str(number) / "second-reads.json").read_text())
    assert (said["act"], said["by"], said["said"]["comment"]) == ("JUDGED", "Ada", "calm")


def test_what_is_not_kept_any_more_is_named_in_the_copy(sqlite_store: Store, tmp_path: Path) -> None:
    triaged_case(sqlite_store)
    held = holdings_of_patient(sqlite_store, PATIENT)
    remove_bytes(sqlite_store, held, actor=ROE, because="request 7", now=NOW)

    copy_everything(sqlite_store, held, tmp_path / "copy")

    assert "request 7" in (tmp_path / "copy" / "missing.txt").read_text()


def test_a_folder_with_something_in_it_is_left_alone(sqlite_store: Store, tmp_path: Path) -> None:
    triaged_case(sqlite_store)
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="not empty"):
        copy_everything(sqlite_store, holdings_of_patient(sqlite_store, PATIENT), tmp_path)


def test_images_and_refusals_go_and_the_report_and_the_result_stay(kept: Store) -> None:
    number = triaged_case(kept)
    refused_report(kept)

    count = remove_bytes(kept, holdings_of_patient(kept, PATIENT), actor=ROE, because="request 7", now=NOW)

    case = load_case(kept, number)
    assert (count.objects, count.refused, count.kept) == (1, 1, ())
    with pytest.raises(RemovedError, match="request 7"):
        _ = case.instances[0].path
    assert load_entry(kept, 1).removal is not None
    assert case.report is not None
    assert case.report.text == CLEAR
    assert case.triage is not None
    removed = [
        sealed.entry.actor
        for sealed in find_entries(kept, TrailFilter())
        if sealed.entry and sealed.entry.action is AuditAction.REMOVED
    ]
    assert removed == [ROE, ROE]


def test_what_is_in_work_or_open_is_named_and_stays(store: Store) -> None:
    ready_case(store)
    claim_case(store, worker="w", now=NOW)

    count = remove_bytes(store, holdings_of_patient(store, PATIENT), actor=ROE, because="request 7", now=NOW)

    assert count.objects == 0
    assert "in work" in count.kept[0]


def test_images_without_a_closed_study_stay_and_are_named(sqlite_store: Store) -> None:
    send_image(sqlite_store)

    count = remove_bytes(
        sqlite_store, holdings_of_patient(sqlite_store, PATIENT), actor=ROE, because="r", now=NOW
    )

    assert len(count.kept) == 1


def test_without_a_reason_nothing_goes(sqlite_store: Store) -> None:
    triaged_case(sqlite_store)

    with pytest.raises(InputError, match="why"):
        remove_bytes(
            sqlite_store, holdings_of_patient(sqlite_store, PATIENT), actor=ROE, because=" ", now=NOW
        )
