"""Triage of a study and its report in one request."""

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import anyio
import httpx
import pytest

from overread.observation import Detection
from service.api import triage
from service.application import make_app
from service.store.database import Store
from service.store.quarantine import count_quarantine
from service.store.worklist import count_cases
from service.triage.confined_looks import ConfinedLooks
from tests.service.material import BLACK, CLEAR, MASS, MassDetector, dicom_bytes, readers, triaged_case
from tests.service.triage import child_tools
from tests.service.web.listening import listening, opener

ADDRESS = "/api/v1/triage"
CUT = b'--b\r\nContent-Disposition: form-data; name="report"\r\n\r\nNo mass'
Part = tuple[str, tuple[str | None, bytes | str]]


def image(content: bytes | None = None, **elements: object) -> Part:
    return ("image", ("image.dcm", dicom_bytes(**elements) if content is None else content))  # type: ignore[arg-type]


def text(name: str, content: str | bytes) -> Part:
    return (name, (None, content))


def send(api: httpx.Client, *parts: Part) -> httpx.Response:
    return api.post(ADDRESS, files=list(parts))


def left(store: Store) -> list[Path]:
    return list(store.files.incoming.iterdir())


def test_the_answer_is_what_the_worker_concludes_and_nothing_is_stored(
    api: httpx.Client, sqlite_store: Store
) -> None:
    answer = send(api, image(), text("report", CLEAR))

    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["outcome"] == "DISCREPANT"
    assert set(count_cases(sqlite_store).values()) == {0}
    assert left(sqlite_store) == []
    stored = api.get(f"/api/v1/cases/{triaged_case(sqlite_store)}").json()["triage"]
    assert answer.json() == {name: stored[name] for name in ("result", "reading", "detections")}


def test_where_report_and_image_agree_nothing_is_listed(api: httpx.Client) -> None:
    answer = send(api, image(value=BLACK), image(value=BLACK, number=2), text("report", CLEAR))
    assert answer.json()["result"]["outcome"] == "CONCORDANT"


def test_what_an_earlier_report_calls_stable_is_set_aside(api: httpx.Client) -> None:
    report = text("report", "As before.")
    earlier = [text("prior", "stable " + MASS), text("prior_date", "2025-01-02")]

    alone, with_prior = (send(api, image(StudyDate="20260101"), report, *more) for more in ([], earlier))

    assert alone.json()["result"]["discrepancies"]
    result = with_prior.json()["result"]
    assert result["discrepancies"] == []
    assert [known["days_before"] for known in result["known_before"]] == [364.0]


@pytest.mark.parametrize(
    ("parts", "slug", "detail"),
    [
        ([text("report", CLEAR)], "invalid-input", "field image"),
        ([image()], "invalid-report", "field report"),
        ([image(), text("report", b"\xff\xfe")], "invalid-report", "not UTF-8"),
        ([image(), text("report", "x" * ((1 << 20) + 1))], "invalid-report", "larger than"),
        ([image(), text("report", "a"), text("report", "b")], "invalid-input", "too often"),
        ([image(b"Doe^Jane"), text("report", CLEAR)], "invalid-dicom", ""),
        (
            [image(study="2.25.1"), image(study="2.25.2"), text("report", CLEAR)],
            "invalid-input",
            "several studies",
        ),
        ([image(PixelData=b"1"), text("report", CLEAR)], "undecodable-pixels", ""),
        ([image(), text("report", CLEAR), text("patient", "Doe^Jane")], "invalid-input", "none of"),
        ([image(), text("report", CLEAR), text("prior", MASS)], "invalid-input", "prior_date"),
        (
            [image(), text("report", CLEAR), text("prior", MASS), text("prior_date", "2025-01-02")],
            "invalid-input",
            "do not state",
        ),
        (
            [
                image(StudyDate="20260101"),
                text("report", CLEAR),
                text("prior", MASS),
                text("prior_date", "Doe^Jane"),
            ],
            "invalid-input",
            "YYYY-MM-DD",
        ),
        ([*[image(b"")] * 33, text("report", CLEAR)], "invalid-input", "more than 32"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason_and_kept_nowhere(
    api: httpx.Client, sqlite_store: Store, parts: list[Part], slug: str, detail: str
) -> None:
    refused = send(api, *parts)

    assert (refused.status_code, refused.json()["type"]) == (422, f"/problems/{slug}")
    assert detail in refused.json()["detail"]
    assert "Doe" not in refused.text
    assert left(sqlite_store) == []
    assert count_quarantine(sqlite_store) == 0


def test_the_body_has_to_be_a_whole_form_of_bounded_length(api: httpx.Client) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    assert api.post(ADDRESS, json={"report": CLEAR}).status_code == 415
    assert api.post(ADDRESS, content=CUT, headers=form).status_code == 400
    assert api.post(ADDRESS, content=b"no form", headers=form).status_code == 400
    endless = (bytes(1 << 20) for _ in range((triage.BODY_BYTES_MAX >> 20) + 1))
    assert api.post(ADDRESS, content=endless, headers=form).status_code == 413


def test_pages_are_answered_while_studies_wait_and_one_too_many_is_told_so(sqlite_store: Store) -> None:
    go_on = threading.Event()

    class SlowDetector(MassDetector):
        def detect(self, instances: Sequence[Path]) -> Detection:
            go_on.wait()
            return super().detect(instances)

    app = make_app(opener(sqlite_store, looks=lambda: readers(detectors=(SlowDetector(),))), list)
    limiter = app.state.triage_limiter

    async def wait_for_turns() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client, anyio.create_task_group() as group:
            files = [image(), text("report", CLEAR)]
            answers: list[int] = []

            async def ask() -> None:
                answers.append((await client.post(ADDRESS, files=files)).status_code)

            for _ in range(1 + triage.WAITING_MAX):
                group.start_soon(ask)
            while limiter.statistics().tasks_waiting < triage.WAITING_MAX:
                await anyio.sleep(0.01)
            alive = await client.get("/health/live")
            turned_away = await client.post(ADDRESS, files=files)
            go_on.set()
        assert alive.status_code == 200
        assert (turned_away.status_code, "retry-after" in turned_away.headers) == (503, True)
        assert answers == [200] * (1 + triage.WAITING_MAX)

    with listening(app) as url:
        anyio.run(wait_for_turns)


def test_a_study_that_takes_too_much_is_refused_and_the_next_is_answered(sqlite_store: Store) -> None:
    settings = sqlite_store.settings.model_copy(update={"case_memory_bytes_max": 1 << 28})
    looks = ConfinedLooks(child_tools.hoarding, settings, registry_version=None)
    app = make_app(opener(sqlite_store, looks=lambda: looks), list)
    with closing(looks), listening(app) as url, httpx.Client(base_url=url, timeout=120) as client:
        refused = send(client, image(value=BLACK), text("report", CLEAR))
        answered = send(client, image(), text("report", CLEAR))

    assert (refused.status_code, answered.status_code) == (413, 200)
    assert "256 MiB of memory" in refused.json()["detail"]


def test_without_detectors_it_says_so(sqlite_store: Store) -> None:
    app = make_app(opener(sqlite_store, looks=None), list)
    with listening(app) as url:
        answer = httpx.post(url + ADDRESS, files=[image(), text("report", CLEAR)])
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/model-unusable")
