"""Access log, metrics and headers."""

import json

import httpx
import pytest
from structlog.testing import capture_logs

from service.store.database import Store
from service.web.access_log import AccessMiddleware
from tests.service.material import triaged_case
from tests.service.web.listening import guarded_app, listening


def test_logs_and_metrics_name_routes_and_never_what_stood_in_the_address(
    api: httpx.Client, sqlite_store: Store
) -> None:
    triaged_case(sqlite_store)
    with capture_logs() as lines:
        api.get("/api/v1/studies/2.25.987654321/case")
        api.get("/api/v1/cases/987654321", params={"name": "Doe^Jane"})
        api.get("/Doe/Jane")
        metrics = api.get("/metrics").text
    assert [line["route"] for line in lines if line["event"] == "request"] == [
        "/api/v1/studies/{study_instance_uid}/case",
        "/api/v1/cases/{case_id}",
        "(no route)",
    ]
    for text in (metrics, json.dumps(lines)):
        assert "987654321" not in text
        assert "Doe" not in text
    assert (
        'overread_http_requests_total{method="GET",route="/api/v1/cases/{case_id}",status="404"}' in metrics
    )


def test_an_unknown_method_does_not_grow_the_metrics(api: httpx.Client) -> None:
    for number in range(3):
        api.request(f"MADEUP{number}", "/")
    metrics = api.get("/metrics").text
    assert "MADEUP" not in metrics
    assert 'method="(other)"' in metrics


@pytest.mark.parametrize("path", ["/", "/api/v1/worklist", "/no-such", "/desk/static/desk.css"])
def test_every_answer_forbids_foreign_content(api: httpx.Client, path: str) -> None:
    headers = api.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_pages_are_not_kept_by_any_cache(api: httpx.Client) -> None:
    assert api.get("/").headers["cache-control"] == "no-store"


def test_a_fault_of_the_service_names_its_request_and_nothing_of_what_went_wrong(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Doe^Jane")

    monkeypatch.setattr("service.desk.listpages.list_worklist", fail)
    whole = AccessMiddleware(guarded_app(sqlite_store))  # outside of all, as the service has it
    with listening(whole) as url:  # which closes the connection after a fault
        page, problem = httpx.get(url, headers={"Accept": "text/html"}), httpx.get(url)
    assert page.status_code == 500
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["x-request-id"] in page.text
    assert "Doe" not in page.text
    assert problem.json()["type"] == "/problems/internal"
