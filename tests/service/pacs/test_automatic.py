"""What is fetched without being asked for, from a real PACS and from one that fails."""

import threading
from datetime import timedelta

import pytest

from overread.case import CaseState
from overread.errors import PeerError
from service.intake.closing import close_quiet_studies, close_study
from service.pacs.archive import Archive, FoundSeries, FoundStudy, Progress, Retrieved, StudyQuery
from service.pacs.automatic import fetch_by_itself
from service.pacs.settings import PacsSettings
from service.store.backlog import ATTEMPTS_MAX
from service.store.database import Store
from service.store.fetches import (
    FetchKind,
    FetchState,
    claim_fetch,
    list_fetches,
    note_missed,
    postpone_fetch,
)
from service.store.leases import NamedLease, take_lease
from service.store.worklist import count_cases, find_case, load_case
from tests.service.material import NOW, after, dicom_bytes, send_image, send_report
from tests.service.pacs.conftest import earlier

QUICK = 1e6  # studies a minute
MINUTES = 10.0
LATER = after(MINUTES * 60)


def settings(**changed: object) -> PacsSettings:
    archive = "http://127.0.0.1:1"  # the one that is asked is given; no other is made
    return PacsSettings(archive=archive, studies_per_minute=QUICK, **changed)  # type: ignore[arg-type]


def drain(store: Store, archive: Archive, *, now=LATER, **changed: object) -> None:
    stop = threading.Event()
    fetch_by_itself(store, archive, settings(**changed), clock=lambda: now, stop=stop, drain=True)


def fetches(store: Store) -> dict[tuple[str, str], tuple[str, str | None]]:
    found = list_fetches(store, list(FetchState), limit=100)
    return {(fetch.kind.value, fetch.subject): (fetch.state.value, fetch.detail) for fetch in found}


class BrokenArchive:
    """Fails in the way that it is told."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_studies(self, wanted: StudyQuery) -> tuple[FoundStudy, ...]:
        raise self.error

    def find_series(self, study_instance_uid: str) -> tuple[FoundSeries, ...]:
        raise self.error

    def retrieve(self, series: FoundSeries, progress: Progress) -> Retrieved:
        raise self.error


def test_a_report_that_waits_long_enough_gets_its_images(archive: Archive, sqlite_store: Store) -> None:
    send_report(sqlite_store, accession="A7", patient="P7")

    drain(sqlite_store, archive, now=LATER - timedelta(seconds=1), missed_minutes=MINUTES)
    assert fetches(sqlite_store) == {}
    drain(sqlite_store, archive, missed_minutes=MINUTES)
    close_quiet_studies(sqlite_store, now=after(3600))

    assert fetches(sqlite_store) == {("MISSED", "1"): ("DONE", "study 2.25.70: 1 images came")}
    assert load_case(sqlite_store, find_case(sqlite_store, "2.25.70")).summary.state is CaseState.READY


def test_priors_come_once_and_wait_without_a_report(archive: Archive, sqlite_store: Store) -> None:
    send_image(sqlite_store, earlier(0, "20260301", AccessionNumber="A7"))
    send_report(sqlite_store, accession="A7", patient="P7")
    close_study(sqlite_store, "2.25.70", now=NOW)

    for minutes in (1, 60):  # the second time the priors have been closed themselves
        drain(sqlite_store, archive, now=after(60 * minutes), priors_max=2)
        close_quiet_studies(sqlite_store, now=after(60 * minutes + 30))

    assert fetches(sqlite_store) == {
        ("PRIORS", "2.25.70"): ("DONE", "2 earlier studies of the same kind"),
        ("PRIOR", "2.25.71"): ("DONE", "study 2.25.71: 1 images came"),
        ("PRIOR", "2.25.72"): ("DONE", "study 2.25.72: 1 images came"),
    }
    counts = count_cases(sqlite_store)
    assert counts[CaseState.READY] == 1
    assert counts[CaseState.AWAITING_REPORT] == 2


@pytest.mark.parametrize("elements", [{"StudyDate": "20260101"}, {"StudyDate": None}, {"PatientID": None}])
def test_priors_are_sought_of_new_studies_of_somebody_only(sqlite_store: Store, elements) -> None:
    send_image(sqlite_store, dicom_bytes(**({"StudyDate": "20260228"} | elements)))
    close_study(sqlite_store, "2.25.1", now=NOW)

    drain(sqlite_store, BrokenArchive(PeerError("asked")), priors_max=2)

    assert fetches(sqlite_store) == {}


def test_images_that_are_just_arriving_are_not_fetched(sqlite_store: Store) -> None:
    send_report(sqlite_store)
    send_image(sqlite_store)

    assert note_missed(sqlite_store, before=LATER, now=LATER) == 0


def test_images_that_came_by_themselves_are_not_fetched(sqlite_store: Store) -> None:
    send_report(sqlite_store)
    note_missed(sqlite_store, before=LATER, now=LATER)
    send_image(sqlite_store)
    close_study(sqlite_store, "2.25.1", now=LATER)

    drain(sqlite_store, BrokenArchive(RuntimeError()))

    assert fetches(sqlite_store) == {("MISSED", "1"): ("DONE", "its images have come by themselves")}


def test_a_pacs_that_fails_is_asked_again_ever_later_and_given_up_with_the_reason(store: Store) -> None:
    send_report(store)
    broken, now = BrokenArchive(PeerError("it is switched off")), LATER
    waits = []
    for _ in range(ATTEMPTS_MAX):
        drain(store, broken, now=now, missed_minutes=MINUTES)
        (fetch,) = list_fetches(store, list(FetchState), limit=9)
        waits.append((fetch.due_at - now).total_seconds())
        now = max(fetch.due_at, now)

    assert waits[:8] == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert fetches(store) == {("MISSED", "1"): ("GIVEN_UP", "it is switched off")}
    drain(store, broken, now=now + timedelta(days=9), missed_minutes=MINUTES)
    (fetch,) = list_fetches(store, list(FetchState), limit=9)
    assert fetch.attempts == ATTEMPTS_MAX


def test_what_cannot_be_asked_for_is_given_up_at_once(sqlite_store: Store) -> None:
    send_report(sqlite_store, accession="A*")

    drain(sqlite_store, BrokenArchive(RuntimeError()), missed_minutes=MINUTES)

    ((state, detail),) = fetches(sqlite_store).values()
    assert state == "GIVEN_UP"
    assert detail == r"an identifier that holds *, ? or \ cannot be asked for"


def test_a_fetch_is_one_process_s_at_a_time_and_is_not_lost_with_it(store: Store) -> None:
    send_report(store)
    note_missed(store, before=LATER, now=LATER)

    first = claim_fetch(store, now=LATER)
    assert first is not None
    assert (first.kind, first.subject, first.attempts) == (FetchKind.MISSED, "1", 1)
    assert claim_fetch(store, now=LATER) is None
    again = claim_fetch(store, now=LATER + timedelta(hours=1))  # the process died
    assert again is not None
    assert again.attempts == 2


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_neither_stops_fetching_nor_gives_up(store: Store, days: int) -> None:
    send_report(store)
    note_missed(store, before=LATER, now=LATER)
    first = claim_fetch(store, now=LATER)
    assert first is not None
    postpone_fetch(store, first, "busy", now=LATER)

    jumped = LATER + timedelta(days=days)
    again = claim_fetch(store, now=jumped)

    assert again is not None
    assert again.attempts == 2
    assert postpone_fetch(store, again, "busy", now=jumped) is FetchState.DUE


def test_no_line_of_the_log_names_a_patient(
    archive: Archive, sqlite_store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    send_image(sqlite_store, dicom_bytes(study="2.25.70", PatientID="P7", StudyDate="20260301"))
    close_study(sqlite_store, "2.25.70", now=NOW)
    send_report(sqlite_store, accession="A7", patient="SECRET")

    drain(sqlite_store, archive, missed_minutes=MINUTES, priors_max=9)

    logged = "".join(capfd.readouterr())
    assert "not_fetched" in logged
    assert not any(word in logged for word in ("SECRET", "P7", "Doe", "P70"))


def test_while_another_machine_fetches_this_one_asks_the_pacs_for_nothing(store: Store) -> None:
    send_report(store)
    take_lease(store, NamedLease(name="fetch", owner="another machine", seconds=30.0), now=LATER)

    drain(store, BrokenArchive(AssertionError("asked")), missed_minutes=MINUTES)

    assert fetches(store) == {}
