"""The API over a real socket."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest
from PIL import Image

from overread.errors import ModelError
from service.application import make_app
from service.store.database import Store
from service.store.quarantine import count_quarantine
from service.store.queue import claim_case, fail_case
from service.store.worklist import load_case
from service.web.context import ServerContext
from tests.service.material import NOW, dicom_bytes, ready_case, send_image, send_report
from tests.service.web.listening import listening, opener
from tests.service.web.seeing import seen_case

TEXT = "FINDINGS: The heart is of normal size.\nIMPRESSION: Normal chest."


def picture(answer: httpx.Response) -> Image.Image:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(answer.content))


def test_a_report_is_taken_as_json_and_found_in_its_case(api: httpx.Client) -> None:
    sent = api.post("/api/v1/reports", json={"text": TEXT, "accession_number": "A1", "status": "PRELIMINARY"})
    assert sent.status_code == 201
    assert sent.json()["outcome"] == "STORED"
    case = api.get(sent.headers["location"]).json()
    assert [(report["text"], report["status"]) for report in case["reports"]] == [(TEXT, "PRELIMINARY")]
    assert case["summary"]["state"] == "AWAITING_IMAGES"


def test_a_report_is_taken_as_text_in_its_own_charset(api: httpx.Client) -> None:
    sent = api.post(
        "/api/v1/reports",
        params={"accession_number": "A1", "study_instance_uid": "2.25.1"},
        content="Röntgen: unauffällig.".encode("latin-1"),
        headers={"Content-Type": "text/plain; charset=iso-8859-1"},
    )
    assert sent.status_code == 201
    assert api.get(sent.headers["location"]).json()["reports"][0]["text"] == "Röntgen: unauffällig."


@pytest.mark.parametrize("way", ["JSON", "text"])
def test_a_report_says_when_it_was_made(api: httpx.Client, way: str) -> None:
    names = {"accession_number": "A1", "issued_at": "2026-03-01T12:00:00+01:00"}
    if way == "JSON":
        sent = api.post("/api/v1/reports", json={"text": TEXT, **names})
    else:
        header = {"Content-Type": "text/plain"}
        sent = api.post("/api/v1/reports", params=names, content=TEXT, headers=header)

    (version,) = api.get(sent.headers["location"]).json()["reports"]
    assert datetime.fromisoformat(version["issued_at"]) == datetime(2026, 3, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize("issued_at", ["2026-03-01T12:00:00", "20260301", 1772366400, "Jane Doe"])
def test_a_time_without_its_zone_is_refused(api: httpx.Client, issued_at: object) -> None:
    report = {"text": TEXT, "accession_number": "A1", "issued_at": issued_at}
    answer = api.post("/api/v1/reports", json=report)
    assert answer.status_code == 422
    assert "Jane" not in answer.text


def test_the_same_report_again_is_acknowledged_and_changes_nothing(api: httpx.Client) -> None:
    report = {"text": TEXT, "accession_number": "A1"}
    first, again = (api.post("/api/v1/reports", json=report) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"outcome": "ALREADY_STORED"}


@pytest.mark.parametrize(
    ("request_parts", "status", "quarantined"),
    [
        pytest.param({"json": {"text": " \n", "accession_number": "A1"}}, 422, 1, id="empty"),
        pytest.param({"json": {"text": "Jane Doe: normal."}}, 422, 1, id="no names"),
        pytest.param({"json": {"text": "Jane Doe", "accession_number": 5}}, 422, 0, id="a number for a text"),
        pytest.param({"json": {"text": "Jane Doe", "patient": "Jane Doe"}}, 422, 0, id="an unknown member"),
        pytest.param({"json": {"text": "x", "Jane Doe": 1}}, 422, 0, id="a name for a member"),
        pytest.param(
            {"content": b'{"text": "Jane Doe', "headers": {"Content-Type": "application/json"}},
            422,
            0,
            id="cut",
        ),
        pytest.param({"content": b"Jane Doe", "headers": {"Content-Type": "text/html"}}, 415, 0, id="HTML"),
        pytest.param({"content": b"Jane Doe"}, 415, 0, id="no type"),
        pytest.param(
            {
                "content": b"\xff\xfeJane Doe",
                "headers": {"Content-Type": "text/plain"},
                "params": {"accession_number": "A1"},
            },
            422,
            1,
            id="not UTF-8",
        ),
        pytest.param({"json": {"text": "J" * (8 << 20), "accession_number": "A1"}}, 413, 0, id="endless"),
    ],
)
def test_what_is_no_report_is_refused_without_repeating_it(
    api: httpx.Client, sqlite_store: Store, request_parts: dict[str, object], status: int, quarantined: int
) -> None:
    answer = api.post("/api/v1/reports", **request_parts)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert "Jane" not in answer.text
    assert count_quarantine(sqlite_store) == quarantined
    assert api.get("/api/v1/quarantine").json()["total"] == quarantined


def test_a_report_for_another_patient_is_a_conflict(api: httpx.Client, sqlite_store: Store) -> None:
    ready_case(sqlite_store)
    report = {"text": TEXT, "accession_number": "A1", "patient_id": "P2"}
    answer = api.post("/api/v1/reports", json=report)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/contradiction")
    assert api.get("/api/v1/quarantine").json()["entries"][0]["reason"] == "CONTRADICTION"


def test_the_worklist_is_ordered_paged_and_filtered(api: httpx.Client, sqlite_store: Store) -> None:
    for number in (1, 2, 3):
        seen_case(sqlite_store, number, findings=("mass",) if number == 2 else ("cardiomegaly",))
    seen_case(sqlite_store, 4, not_applicable="no radiograph")
    first = api.get("/api/v1/worklist", params={"limit": 2}).json()
    rest = api.get("/api/v1/worklist", params={"limit": 2, "after": first["next"]}).json()
    cases = first["cases"] + rest["cases"]
    assert [case["case_id"] for case in cases] == [2, 1, 3]
    assert [case["priority"] for case in cases] == sorted((case["priority"] for case in cases), reverse=True)
    assert rest["next"] is None
    assert cases[0]["headline"]["finding"] == "mass"
    other = api.get("/api/v1/worklist", params={"state": ["NOT_APPLICABLE", "FAILED"]}).json()["cases"]
    assert [(case["case_id"], case["headline"]) for case in other] == [(4, None)]
    counts = api.get("/api/v1/counts").json()
    assert (counts["cases"]["LISTED"], counts["cases"]["NOT_APPLICABLE"], counts["quarantine"]) == (3, 1, 0)
    assert api.get("/api/v1/worklist", params={"after": "nonsense"}).status_code == 422


def test_a_case_tells_findings_spans_reasons_provenance_and_events(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = seen_case(sqlite_store, report="FINDINGS: No mass is seen.")
    case = api.get(f"/api/v1/cases/{case_id}").json()
    discrepancy = case["triage"]["result"]["discrepancies"][0]
    assert (discrepancy["kind"], discrepancy["finding"]) == ("POSSIBLE_MISS", "mass")
    span = discrepancy["report_observations"][0]["span"]
    assert case["reports"][0]["text"][span["start"] : span["end"]] == "mass"
    assert case["triage"]["detections"][0]["detector"] == {"name": "tiny", "version": "7", "sha256": "c" * 64}
    assert case["triage"]["detections"][0]["operating_point"] == "balanced"
    assert case["triage"]["result"]["policy_version"]
    assert [event["event"] for event in case["events"]][-1] == "FOUND_DISCREPANT"
    assert api.get("/api/v1/studies/2.25.1/case").json() == case


def test_a_case_never_tells_who_the_patient_is_or_where_files_lie(
    api: httpx.Client, sqlite_store: Store
) -> None:
    text = api.get(f"/api/v1/cases/{seen_case(sqlite_store)}").text
    assert "Doe" not in text
    assert '"P1"' not in text
    assert str(sqlite_store.settings.data_folder) not in text


@pytest.mark.parametrize(
    "path", ["/api/v1/cases/99", "/api/v1/studies/2.25.99/case", "/api/v1/instances/2.25.9/rendered.png"]
)
def test_what_is_not_stored_is_not_found(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("path", ["/api/v1/cases/0", "/api/v1/cases/x", "/api/v1/worklist?limit=0"])
def test_what_does_not_fit_its_description_is_refused_by_place(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"]


def test_a_study_is_closed_by_word(api: httpx.Client, sqlite_store: Store) -> None:
    send_image(sqlite_store)
    receipt = send_report(sqlite_store)
    closed = api.post("/api/v1/studies/2.25.1/close").json()
    assert closed == {"case_id": receipt.case_id, "state": "READY"}
    assert api.post("/api/v1/studies/2.25.2/close").status_code == 404


def test_a_failed_case_is_tried_again_by_word_and_no_other(api: httpx.Client, sqlite_store: Store) -> None:
    case_id = ready_case(sqlite_store)
    assert api.post(f"/api/v1/cases/{case_id}/retry").status_code == 409
    claimed = claim_case(sqlite_store, worker="w", now=NOW)
    assert claimed is not None
    fail_case(sqlite_store, claimed.lease, "broken", now=NOW)
    answer = api.post(f"/api/v1/cases/{case_id}/retry")
    assert (answer.status_code, answer.json()["summary"]["state"]) == (200, "READY")
    assert answer.json()["events"][-1]["actor_identifier"].startswith("account:")


def test_an_image_is_rendered_to_fit_and_kept_by_the_client(api: httpx.Client, sqlite_store: Store) -> None:
    pixels = np.tile(np.linspace(0, 255, 200, dtype=np.uint8), (100, 1))
    send_image(sqlite_store, dicom_bytes(Rows=100, Columns=200, PixelData=pixels.tobytes()))
    path = "/api/v1/instances/2.25.1.1.1/rendered.png"
    full = api.get(path)
    assert picture(full).size == (200, 100)
    assert picture(api.get(path, params={"max_side": 64})).size == (64, 32)
    known = {"If-None-Match": full.headers["etag"]}
    assert api.get(path, headers=known).status_code == 304
    assert api.get(path, headers=known, params={"max_side": 64}).status_code == 200
    assert "private" in full.headers["cache-control"]


def test_the_overlay_shows_where_the_finding_is(api: httpx.Client, sqlite_store: Store) -> None:
    case_id = seen_case(sqlite_store)
    path = f"/api/v1/cases/{case_id}/overlay.png"
    layer = np.asarray(picture(api.get(path, params={"ground": "transparent"})))
    assert layer.shape == (8, 8, 4)
    assert layer[:2, :2, 3].max() == 0
    assert layer[5:, 5:, 3].min() > 0
    on_image = picture(api.get(path, params={"finding": "mass"}))
    assert on_image.mode == "RGB"
    assert api.get(path, params={"finding": "hernia"}).status_code == 404


def test_the_overlay_of_a_case_without_result_is_not_found(api: httpx.Client, sqlite_store: Store) -> None:
    assert api.get(f"/api/v1/cases/{ready_case(sqlite_store)}/overlay.png").status_code == 404


def test_readiness_looks_at_database_disk_and_model(api: httpx.Client) -> None:
    answer = api.get("/health/ready")
    assert answer.status_code == 200
    assert [(check["name"], check["ok"]) for check in answer.json()["checks"]] == [
        ("database", True),
        ("disk", True),
        ("objects", True),
        ("model", True),
        ("workers", True),
        ("queue", True),
    ]


def test_a_model_that_cannot_be_used_makes_the_service_unready_and_says_why(sqlite_store: Store) -> None:
    def broken() -> None:
        raise ModelError("the hash of the network differs; install the release again")

    @contextmanager
    def open_context() -> Iterator[ServerContext]:
        with opener(sqlite_store)() as context:
            yield replace(context, model=broken)  # type: ignore[arg-type]

    with listening(make_app(open_context, list)) as url:
        answer = httpx.get(f"{url}/health/ready")
        assert answer.status_code == 503
        assert (
            answer.json()["checks"][3]["detail"]
            == "the hash of the network differs; install the release again"
        )
        assert httpx.get(f"{url}/health/live").status_code == 200


def test_an_error_outside_the_tables_is_answered_without_its_text(sqlite_store: Store) -> None:
    app = make_app(opener(sqlite_store), list)

    @app.get("/broken")
    def broken() -> None:
        raise ValueError("Jane Doe")

    with listening(app) as url:
        answer = httpx.get(f"{url}/broken")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "Jane" not in answer.text


def test_a_case_seen_before_a_further_revision_is_still_shown(api: httpx.Client, sqlite_store: Store) -> None:
    case_id = seen_case(sqlite_store)
    send_report(sqlite_store, "IMPRESSION: Mass.", accession="A1")
    assert load_case(sqlite_store, case_id).summary.state == "READY"
    assert api.get(f"/api/v1/cases/{case_id}").json()["triage"]["report_version"] == 1
