"""A full quarantine takes nothing more, and whoever sends what would go there keeps it."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from overread.errors import InvalidDicomError, InvalidReportError, OutOfResourcesError
from service.dicom.status import status_of
from service.dicomweb.stow import make_stow_app
from service.intake.closing import close_study
from service.intake.receipt import ReceiptOutcome
from service.maintenance.retention import retain
from service.store.database import Store
from service.store.quarantine import (
    ActionOutcome,
    QuarantineAction,
    count_quarantine,
    discard,
    list_actions,
    load_entry,
)
from service.store.quarantine_room import read_room
from service.web.guard import access_for
from service.web.pressure import pressure_words
from tests.service.material import NOW, ROE, dicom_bytes, send_image, send_report
from tests.service.web.listening import guarded_app, listening, opener

DAY = timedelta(days=1)
DRAFT = b'{"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Chest"}}'  # says nothing


def holding(store: Store, **limits: float) -> Store:
    """The same store with other limits."""
    settings = store.settings.model_copy(update={"free_bytes_warn": 0, **limits})
    return replace(store, settings=settings)


def files(store: Store) -> int:
    folder = store.settings.data_folder
    return sum(path.is_file() for part in ("quarantine", "incoming") for path in (folder / part).rglob("*"))


@pytest.mark.parametrize("limits", [{"quarantine_entries_max": 1}, {"quarantine_bytes_max": 10}])
def test_a_full_quarantine_lets_senders_try_again_and_takes_what_can_be_used(store, limits) -> None:
    full = holding(store, **limits)
    with pytest.raises(InvalidDicomError):
        send_image(full, b"no DICOM")

    with pytest.raises(OutOfResourcesError, match="the quarantine is full"):
        send_image(full, b"no DICOM either")
    with pytest.raises(OutOfResourcesError, match="OVERREAD_QUARANTINE_ENTRIES_MAX"):
        send_report(full, "---")

    assert (count_quarantine(full), files(full)) == (1, 1)
    assert send_image(full).outcome is ReceiptOutcome.STORED
    assert send_report(full).outcome is ReceiptOutcome.STORED
    with pytest.raises(InvalidDicomError):  # it is kept already
        send_image(full, b"no DICOM")


def test_every_way_in_says_that_it_is_for_now(sqlite_store) -> None:
    full = holding(sqlite_store, quarantine_bytes_max=1)
    with pytest.raises(OutOfResourcesError) as error:
        send_image(full, b"no DICOM")
    assert status_of(error.value).code == 0xA700
    body = b"--x\r\nContent-Type: application/dicom\r\n\r\nno DICOM\r\n--x--\r\n"
    kind = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
    with listening(make_stow_app(opener(full), access_for("127.0.0.1", None))) as url:
        stow = httpx.post(f"{url}/studies", content=body, headers=kind)
    with listening(guarded_app(full)) as url:
        report = httpx.post(f"{url}/api/v1/reports", json={"text": "---", "accession_number": "A1"})
        fhir = httpx.post(f"{url}/fhir", content=DRAFT, headers={"Content-Type": "application/fhir+json"})

    assert [answer.status_code for answer in (stow, report, fhir)] == [503, 503, 503]
    assert (count_quarantine(full), files(full)) == (0, 0)


def test_what_is_discarded_makes_room_when_its_bytes_have_gone_which_is_recorded(store) -> None:
    full = holding(store, quarantine_entries_max=1, keep_days_quarantine=7.0)
    with pytest.raises(InvalidReportError):
        send_report(full, "")
    discard(full, 1, actor=ROE, because="empty", now=NOW + 3 * DAY)

    assert [sum(each.refused for each in retain(full, now=NOW + days * DAY)) for days in (9, 10)] == [0, 1]

    assert read_room(full).entries == 0
    with pytest.raises(InvalidReportError):
        send_report(full, " ")
    assert load_entry(full, 1).removed_at == NOW + 10 * DAY
    _, removed = list_actions(full, 1)
    assert (removed.action, removed.outcome) == (QuarantineAction.REMOVED, ActionOutcome.REMOVED)
    assert removed.actor.display_name == "retention"
    assert removed.detail == "it was dealt with more than 7 days ago (OVERREAD_KEEP_DAYS_QUARANTINE)"


def test_what_was_acknowledged_before_is_set_apart_whatever_the_room(store) -> None:
    full = holding(store, quarantine_bytes_max=1)
    send_report(full, patient="P2")
    send_image(full, dicom_bytes(PatientID="P1"))

    close_study(full, "2.25.1", now=NOW)

    assert count_quarantine(full) == 1


def test_page_and_readiness_say_how_full_it_is(sqlite_store) -> None:
    for number in range(9):
        with pytest.raises(InvalidDicomError):
            send_image(sqlite_store, f"no DICOM {number}".encode())

    assert pressure_words(holding(sqlite_store, quarantine_entries_max=11), now=NOW) == ()
    (nearly,) = pressure_words(holding(sqlite_store, quarantine_entries_max=10), now=NOW)
    assert nearly.startswith("The quarantine is nearly full: it holds 9 things")
    full = holding(sqlite_store, quarantine_entries_max=9)
    with listening(guarded_app(full)) as url:
        page = httpx.get(url, headers={"Accept": "text/html"}).text
        ready = httpx.get(f"{url}/health/ready")
        metrics = httpx.get(f"{url}/metrics").text
    assert "The quarantine is full: it holds 9 things" in page
    assert (ready.status_code, len(ready.json()["warnings"])) == (200, 1)
    assert "overread_quarantine_filled_ratio 1.0" in metrics
