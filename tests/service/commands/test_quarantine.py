"""`overread quarantine` as a person uses it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from overread.command import main
from overread.errors import InputError
from service.store.database import Store
from service.store.quarantine import list_actions, load_entry
from service.store.records import QuarantineState
from tests.service.material import after, dicom_bytes, send_image, send_report


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


Quarantine = Callable[..., Said]


@pytest.fixture
def quarantine(sqlite_store: Store, capsys: pytest.CaptureFixture[str]) -> Iterator[Quarantine]:
    """The command on the store, in this process."""

    def run(*words: str) -> Said:
        folder = str(sqlite_store.settings.data_folder)
        status = main(["quarantine", "--data-folder", folder, *words])
        return Said(status, *capsys.readouterr())

    yield run
    structlog.reset_defaults()


@pytest.fixture
def filled(sqlite_store: Store) -> Store:
    """A store with a report without names (1), one that is empty (2), and an image of another patient (3)."""
    send_image(sqlite_store)
    for refused in ({"accession": None}, {"content": ""}):
        with pytest.raises(InputError):
            send_report(sqlite_store, **refused)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        send_image(sqlite_store, dicom_bytes(number=2, PatientID="P2"))
    return sqlite_store


def test_it_is_told_when_a_refused_report_was_issued(sqlite_store: Store, quarantine: Quarantine) -> None:
    with pytest.raises(InputError):
        send_report(sqlite_store, accession=None, issued=after(-60))

    assert "issued     2026-03-01 11:59:00 UTC" in quarantine("show", "1").out
    listed = json.loads(quarantine("list", "--json").out)
    assert (listed["report_issued_at"], listed["report_status"]) == ("2026-03-01T11:59:00+00:00", "FINAL")


def test_a_person_looks_through_corrects_and_discards_and_each_step_is_told(
    filled: Store, quarantine: Quarantine
) -> None:
    listed = quarantine("list", "--kind", "report").out
    assert [line.split()[0] for line in listed.splitlines()] == ["2", "1", "2"]  # the last: 2 in all
    assert "INVALID_REPORT" in listed
    shown = quarantine("show", "1").out
    assert "neither an accession number" in shown
    assert "P1" not in shown
    assert "No mass" not in shown
    revealed = quarantine("show", "1", "--identify", "--text").out
    assert "patient    P1" in revealed
    assert "No mass is seen." in revealed

    corrected = quarantine("correct", "1", "--accession", "A1", "--by", "Dr Roe")
    assert (corrected.status, corrected.out) == (0, "1: stored, case 1\n1 of 1 resolved\n")
    accepted = quarantine("correct", "3", "--accept", "--by", "Dr Roe")
    assert accepted.out.startswith("3: stored")
    assert quarantine("discard", "2", "--because", "empty", "--by", "Dr Roe").status == 0
    assert quarantine("list").out == "0 in all\n"
    assert "corrected (accession number A1), stored by Dr Roe" in quarantine("show", "1").out
    assert load_entry(filled, 2).state is QuarantineState.DISCARDED


def test_all_of_a_reason_are_replayed_and_the_status_says_whether_all_are_resolved(
    filled: Store, quarantine: Quarantine
) -> None:
    replayed = quarantine("replay", "--reason", "INVALID_REPORT", "--by", "Dr Roe")

    assert replayed.status == 1
    assert replayed.out.splitlines()[-1] == "0 of 2 resolved"
    assert [len(list_actions(filled, number)) for number in (1, 2, 3)] == [1, 1, 0]
    assert quarantine("replay", "99", "1").out.splitlines()[0] == "99: there is no entry 99 of the quarantine"
    assert quarantine("replay").status == 1
    assert "give the numbers" in quarantine("replay").err


def test_the_bytes_of_an_entry_are_saved_as_they_came_and_no_file_is_overwritten(
    filled: Store, quarantine: Quarantine, tmp_path: Path
) -> None:
    assert quarantine("save", "3", str(tmp_path / "3.dcm")).status == 0
    assert (tmp_path / "3.dcm").read_bytes() == dicom_bytes(number=2, PatientID="P2")
    again = quarantine("save", "1", str(tmp_path / "3.dcm"))
    assert (again.status, "File exists" in again.err) == (1, True)


def test_programs_get_json(filled: Store, quarantine: Quarantine) -> None:
    lines = [json.loads(line) for line in quarantine("list", "--json").out.splitlines()]
    assert [line["quarantine_id"] for line in lines] == [3, 2, 1]
    assert "patient_id" not in lines[0]
    shown = json.loads(quarantine("show", "3", "--json").out)
    assert shown["header"]["Modality"] == "DX"
    assert (shown["state"], shown["reason"], shown["actions"]) == ("WAITING", "CONTRADICTION", [])
