"""What the audit trail says of requests: who saw which case, and who searched for what."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from service.audit_trail.recorder import WAITING_MAX
from service.dicomweb.stow import make_stow_app
from service.store.audit_entries import AuditAction, AuditEntry
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.web.audit import SEARCHES, SHOW_NO_PATIENT
from service.web.guard import access_for
from tests.service.audit_trail.material import view
from tests.service.material import STUDY, triaged_case
from tests.service.web.listening import guarded_app, listening, opener

ACCESS = access_for("127.0.0.1", None)


@contextmanager
def asking(app) -> Iterator[httpx.Client]:
    with listening(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def entries(store: Store) -> list[AuditEntry]:
    return [sealed.entry for sealed in find_entries(store, TrailFilter()) if sealed.entry]


def paths(routes: Iterable[Any]) -> Iterator[str]:
    for route in routes:
        if hasattr(route, "path"):
            yield route.path
        else:  # an included router
            yield from paths(route.original_router.routes)


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("/cases/{}", "case {}"),
        ("/api/v1/cases/{}", "case {}"),
        (f"/api/v1/studies/{STUDY}/case", f"study {STUDY}"),
        (f"/api/v1/instances/{STUDY}.1.1/rendered.png", f"instance {STUDY}.1.1"),
    ],
)
def test_who_sees_a_case_is_recorded_with_the_case(sqlite_store: Store, address: str, subject: str) -> None:
    number = triaged_case(sqlite_store)
    with asking(guarded_app(sqlite_store)) as client:
        assert client.get(address.format(number)).status_code == 200

    (entry,) = (each for each in entries(sqlite_store) if each.action is AuditAction.SAW)
    assert entry.subject == subject.format(number)
    assert entry.sent_from == "127.0.0.1"
    assert entry.what.startswith("GET /")
    assert entry.what.endswith(("{case_id}", "{study_instance_uid}/case", "{sop_instance_uid}/rendered.png"))


def test_a_search_is_recorded_with_its_words(sqlite_store: Store) -> None:
    with asking(guarded_app(sqlite_store)) as client:
        client.get("/api/v1/worklist", params={"subspecialty": "thoracic"})
        client.get("/")

    assert [(entry.action, entry.what, entry.detail) for entry in entries(sqlite_store)] == [
        (AuditAction.SEARCHED, "GET /api/v1/worklist", "subspecialty=thoracic"),
        (AuditAction.SEARCHED, "GET /", None),
    ]


def test_dicomweb_searches_and_retrievals_are_recorded(sqlite_store: Store) -> None:
    triaged_case(sqlite_store)
    with asking(make_stow_app(opener(sqlite_store, access=ACCESS), ACCESS)) as client:
        client.get("/studies", params={"PatientID": "P1"})
        assert client.get(f"/studies/{STUDY}/metadata").status_code == 200

    searched, seen = entries(sqlite_store)
    assert (searched.action, searched.detail) == (AuditAction.SEARCHED, "PatientID=P1")
    assert (seen.action, seen.subject) == (AuditAction.SAW, f"study {STUDY}")


def test_what_is_not_there_or_shows_no_patient_is_not_recorded(sqlite_store: Store) -> None:
    with asking(guarded_app(sqlite_store)) as client:
        for address in ("/cases/99", "/nope", "/health/live", "/metrics", "/desk/static/page.css", "/docs"):
            client.get(address)

    assert entries(sqlite_store) == []


def test_nothing_is_shown_while_the_trail_cannot_be_written(sqlite_store: Store) -> None:
    number = triaged_case(sqlite_store)
    app = guarded_app(sqlite_store)
    with asking(app) as client:
        recorder = app.state.recorder
        with sqlite_store.writing():  # on SQLite nobody else can write meanwhile
            for count in range(WAITING_MAX + 1000):
                recorder.note(view(count))
            answer = client.get(f"/api/v1/cases/{number}")

    assert answer.status_code == 503
    assert "audit" in answer.json()["title"]


def test_every_route_that_is_left_out_or_counts_as_a_search_exists(sqlite_store: Store) -> None:
    apps = (guarded_app(sqlite_store), make_stow_app(opener(sqlite_store, access=ACCESS), ACCESS))

    known = {path for app in apps for path in paths(app.routes)}

    assert known >= SEARCHES
    assert known >= SHOW_NO_PATIENT
