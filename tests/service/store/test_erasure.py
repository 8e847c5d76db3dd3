"""All that is kept of a patient is erased, but the audit trail; the guard of everything else stands."""

import io
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import DatabaseError

from overread.command import main
from overread.errors import InputError, NotFoundError
from service.audit_trail.verification import verify_trail
from service.hl7.settings import Hl7Settings
from service.intake.closing import close_study
from service.maintenance.patient import erase_rows
from service.quarantine.replay import replay_entry
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries, seal_trail
from service.store.database import Store
from service.store.erasure import NAME_CASES_IN_PASSING, Erasure, erase_case
from service.store.metadata import metadata
from service.store.patients import holdings_of_patient
from service.store.quarantine import Correction, list_quarantine
from service.store.queue import claim_case
from service.store.records import ReportStatus
from service.store.schema import APPEND_ONLY
from service.store.worklist import count_cases, load_case
from tests.service.audit_trail.material import ROE
from tests.service.material import (
    CLEAR,
    NOW,
    after,
    dicom_bytes,
    ready_case,
    send_image,
    send_report,
    triage_one,
)

MARKED = "MRN-4711-marked"
WORDS = "Zyxwvut marked text"
STUDY, ACCESSION = "2.25.4711", "ACC-4711-marked"
ERASURE = Erasure(actor=ROE, at=after(100), why="request 7")


def marked_case(store: Store) -> int:
    """A triaged case of the marked patient, with versions, a refusal that was corrected, one that waits."""
    names = {"PatientID": MARKED, "AccessionNumber": ACCESSION, "StudyDescription": WORDS}
    send_image(store, dicom_bytes(study=STUDY, **names))
    given: dict[str, Any] = {"accession": ACCESSION, "patient": MARKED}
    number = send_report(store, f"{CLEAR} {WORDS}", **given).case_id
    close_study(store, STUDY, now=NOW)
    claimed = claim_case(store, worker="w", now=NOW)
    assert claimed is not None
    triage_one(store, claimed, clock=lambda: NOW)
    given |= {"status": ReportStatus.CORRECTED, "issued": after(5), "now": after(6)}
    send_report(store, f"A mass. {WORDS}", **given)
    claimed = claim_case(store, worker="w", now=after(7))
    assert claimed is not None
    triage_one(store, claimed, clock=lambda: after(8))
    for text in ("", f"Nothing. {WORDS}"):
        with pytest.raises(InputError):
            send_report(store, text, accession=None, patient=MARKED)
    entry = list_quarantine(store)[0].quarantine_id
    correction = Correction(accession_number=ACCESSION, patient_id=MARKED, accepts=True)
    replay_entry(store, entry, actor=ROE, now=after(9), hl7=Hl7Settings(), correction=correction)
    again = claim_case(store, worker="w", now=after(10))
    if again is not None:
        triage_one(store, again, clock=lambda: after(11))
    return number


def words_in(connection: Connection) -> dict[str, str]:
    """Everything that each table says, as text."""
    return {
        table.name: " ".join(str(tuple(row)) for row in connection.execute(select(table)))
        for table in metadata.sorted_tables
    }


def test_nothing_that_names_a_patient_is_left_but_in_the_audit_trail(store: Store) -> None:
    other = ready_case(store, 1)
    number = marked_case(store)
    last = ready_case(store, 2)
    before = load_case(store, other)
    with store.reading() as connection:
        said = " ".join(words_in(connection).values())
    assert all(mark in said for mark in (MARKED, WORDS, STUDY, ACCESSION))

    count = erase_rows(store, holdings_of_patient(store, MARKED), ERASURE)

    assert (count.cases, count.refused, count.kept) == (1, 2, ())
    with store.reading() as connection:
        for name, text in words_in(connection).items():
            for mark in (MARKED, WORDS, ACCESSION, *([STUDY] if name != "audit_trail" else [])):
                assert mark not in text, (name, mark)
            assert name == "audit_trail" or f"case {number}" not in text
    kept = [path for path in store.settings.data_folder.rglob("*") if path.is_file()]
    assert not [path for path in kept if "sqlite3" not in path.name and WORDS.encode() in path.read_bytes()]
    with pytest.raises(NotFoundError):
        load_case(store, number)
    assert holdings_of_patient(store, MARKED).is_empty
    assert load_case(store, other) == before
    assert sum(count_cases(store).values()) == 2
    assert send_report(store, CLEAR, accession="A77").case_id > last  # whose number nobody has had


def test_the_audit_trail_says_who_erased_what_and_is_sound(store: Store) -> None:
    number = marked_case(store)
    ready_case(store, 2)
    seal_trail(store)
    erase_rows(store, holdings_of_patient(store, MARKED), ERASURE)
    seal_trail(store)

    trail = [sealed.entry for sealed in find_entries(store, TrailFilter()) if sealed.entry]
    erased = [entry for entry in trail if entry.action is AuditAction.REMOVED and entry.what == "rows"]
    assert {entry.subject for entry in erased} == {f"case {number}", "quarantine 1", "quarantine 2"}
    assert {(entry.actor, entry.at) for entry in erased} == {(ROE, ERASURE.at)}
    assert all("request 7" in (entry.detail or "") for entry in erased)
    assert verify_trail(store).is_sound


def test_what_is_only_added_to_refuses_as_before_when_it_is_over(store: Store) -> None:
    other = ready_case(store, 1)
    number = marked_case(store)
    ready_case(store, 2)
    assert refusing(store, other) == {table.name for table in APPEND_ONLY}

    erase_rows(store, holdings_of_patient(store, MARKED), ERASURE)
    assert refusing(store, other) == {table.name for table in APPEND_ONLY}
    with pytest.raises(NotFoundError):
        erase_case(store, number, ERASURE)  # and after one that failed
    assert refusing(store, other) == {table.name for table in APPEND_ONLY}


def refusing(store: Store, case_id: int) -> set[str]:
    """The tables that refuse to change or to lose a row."""
    found = set()
    for table in APPEND_ONLY:
        first = next(iter(table.c))
        refused = 0
        for change in (delete(table), update(table).values({first.name: first})):
            try:
                with store.writing() as connection:
                    if not connection.execute(select(table)).first():  # SQLite asks a trigger row by row
                        refused += 1
                        continue
                    connection.execute(change)
            except DatabaseError as error:
                refused += "append-only" in str(error)
        if refused == 2:
            found.add(table.name)
    assert load_case(store, case_id).reports
    return found


def test_a_case_that_is_open_in_work_or_the_latest_stays_and_is_named(store: Store) -> None:
    number = marked_case(store)
    send_image(store, dicom_bytes(study=STUDY, number=2, PatientID=MARKED, AccessionNumber=ACCESSION))
    count = erase_rows(store, holdings_of_patient(store, MARKED), ERASURE)
    assert count.cases == 0
    assert any("its study is open" in words for words in count.kept)
    assert load_case(store, number).report is not None

    working = ready_case(store, 3)
    claimed = claim_case(store, worker="w", now=after(20))
    assert claimed is not None
    assert claimed.lease.case_id == working
    assert "in work" in str(erase_case(store, working, ERASURE))


def test_on_sqlite_the_number_of_the_latest_case_is_not_given_again(sqlite_store: Store) -> None:
    number = marked_case(sqlite_store)
    count = erase_rows(sqlite_store, holdings_of_patient(sqlite_store, MARKED), ERASURE)
    assert (count.cases, "it is the latest case" in count.kept[0]) == (0, True)
    later = ready_case(sqlite_store, 2)
    assert later > number
    assert erase_rows(sqlite_store, holdings_of_patient(sqlite_store, MARKED), ERASURE).cases == 1


def test_every_table_that_names_a_case_is_part_of_one_or_named_here() -> None:
    in_passing = {table.name for table in NAME_CASES_IN_PASSING}

    assert in_passing == {"quarantine", "workers"}
    assert {table.name for table in metadata.sorted_tables if "case_id" in table.c} > in_passing


def test_no_reason_no_erasure(sqlite_store: Store) -> None:
    marked_case(sqlite_store)
    ready_case(sqlite_store, 2)
    silent = Erasure(actor=ROE, at=NOW, why=" ")
    with pytest.raises(InputError, match="say why"):
        erase_rows(sqlite_store, holdings_of_patient(sqlite_store, MARKED), silent)


def test_the_command_asks_once_more_and_says_what_stays(sqlite_store: Store, monkeypatch, capsys) -> None:
    number = marked_case(sqlite_store)
    ready_case(sqlite_store, 2)
    words = ["--data-folder", str(sqlite_store.settings.data_folder), "patient", "erase", MARKED]
    words += ["--because", "request 7"]

    monkeypatch.setattr("sys.stdin", io.StringIO("another\n"))
    assert main(words) == 1
    assert load_case(sqlite_store, number).report is not None
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{MARKED}\n"))
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "erased: 1 cases, 2 in quarantine" in said
    assert "What stays: the audit trail" in said
    assert main([*words, "--yes"]) == 1  # nothing is kept under this id any more
