"""The page of the outbox, as a browser without script gets it, and what health and metrics say of it."""

import re

import httpx
import pytest

from overread.actor import Actor
from service.adjudication.reads import judge
from service.results.settings import Rule
from service.store.audit_entries import AuditAction
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from service.store.notices import make_test_notice
from service.store.outbox import ATTEMPTS_MAX, DeliveryState, Query, list_deliveries, note_not_sent
from service.store.result_occasions import Moment
from service.store.results import Form
from tests.service.adjudication.test_reads import CONFIRMED, sender
from tests.service.desk.test_pages import PERSON, get
from tests.service.material import NOW
from tests.service.results.material import TO_PACS, make_due, seen, told_case


def given_up(store: Store, number: int = 1) -> None:
    told_case(store, seen(image=f"2.25.{number}.1.1"), number=number)
    make_due(store, TO_PACS)
    for _ in range(ATTEMPTS_MAX):
        (delivery,) = list_deliveries(store, Query(), limit=1)
        note_not_sent(store, delivery, "status 0xA700: it is out of resources", now=NOW)


def test_what_waits_is_shown_with_the_reason(api: httpx.Client, sqlite_store: Store) -> None:
    told_case(sqlite_store, seen())
    make_due(sqlite_store, TO_PACS)

    page = get(api, "/results")

    assert "Waiting 1 Given up 0 Sent" in page.text
    assert "Structured report of case 1 to pacs" in page.text
    assert "not tried yet" in page.text
    assert "Doe" not in page.text
    assert get(api, "/results?state=nonsense").text == page.text


@pytest.mark.parametrize("form", Form)
def test_every_form_has_a_name_for_people(form: Form, api: httpx.Client, sqlite_store: Store) -> None:
    case_id = told_case(sqlite_store, seen("mass", (10, 20, 30, 44)))
    place = "ris" if form is Form.ORU else "pacs"
    asked = Form.SEG if form is Form.REJECTION else form  # a note follows what it rejects
    make_due(sqlite_store, [Rule(moment=Moment.TRIAGE, form=asked, destination=place)])
    judge(sqlite_store, case_id, CONFIRMED, sender())
    make_due(sqlite_store, [Rule(moment=Moment.JUDGEMENT, form=asked, destination=place)], seconds=120)

    assert re.search(rf"[A-Z][A-Za-z0-9 ]+ of case {case_id} to {place}", get(api, "/results").text)


def test_what_was_given_up_is_sent_again_by_a_person_and_recorded(
    api: httpx.Client, sqlite_store: Store
) -> None:
    given_up(sqlite_store)
    page = get(api, "/results?state=given-up")
    assert "Given up 1" in page.text
    assert "0xA700" in page.text
    assert "1 results for pacs were given up" in page.text

    answer = api.post("/results/replay", data={"name": "Dr Roe"}, headers=PERSON, follow_redirects=True)

    assert answer.status_code == 200
    (delivery,) = list_deliveries(sqlite_store, Query(), limit=1)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DUE, 0)
    acts = [item.entry for item in find_entries(sqlite_store, TrailFilter()) if item.entry.what == "results"]
    assert [(act.action, act.detail) for act in acts] == [(AuditAction.CHANGED, "1 are sent again")]


def test_messages_stand_there_too_and_lead_to_no_single_case(api: httpx.Client, sqlite_store: Store) -> None:
    make_test_notice(sqlite_store, "notice:pager", now=NOW, actor=Actor.account("root"))
    delivery = list_deliveries(sqlite_store, Query(), limit=1)[0]

    page = get(api, "/results")
    assert "Test message to pager" in page.text

    for _ in range(ATTEMPTS_MAX):
        note_not_sent(sqlite_store, list_deliveries(sqlite_store, Query(), limit=1)[0], "HTTP 500", now=NOW)
    warnings = api.get("/health/ready").json()["warnings"]
    assert any(
        "1 messages for notice:pager were given up: see `overread notices list`" in w for w in warnings
    )
    assert delivery.case_id is None


def test_health_and_metrics_tell_of_results_that_do_not_leave(api: httpx.Client, sqlite_store: Store) -> None:
    given_up(sqlite_store)

    warnings = api.get("/health/ready").json()["warnings"]
    metrics = api.get("/metrics").text

    assert any("1 results for pacs were given up" in warning for warning in warnings)
    assert 'overread_results_waiting{destination="pacs",state="GIVEN_UP"} 1.0' in metrics
    assert 'overread_oldest_result_age_seconds{destination="pacs",state="GIVEN_UP"}' in metrics
