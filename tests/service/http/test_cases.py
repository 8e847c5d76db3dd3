"""Order over time and what was known before, as programs see them."""

import httpx

from service.store.database import Store
from tests.service.desk.test_pages import known_case
from tests.service.http.seeing import seen_case
from tests.service.material import after, triaged_case


def listed(api: httpx.Client, **query: str) -> list[int]:
    return [case["case_id"] for case in api.get("/api/v1/worklist", params=query).json()["cases"]]


def test_the_list_starts_with_what_waited_too_long_and_says_since_when(
    api: httpx.Client, sqlite_store: Store
) -> None:
    urgent = seen_case(sqlite_store, 1, findings=("pneumothorax",))
    late = triaged_case(sqlite_store, 2, now=after(-80 * 3600))

    assert listed(api) == [late, urgent]
    line = api.get("/api/v1/worklist").json()["cases"][0]
    assert line["waiting_since"] == "2026-02-26T04:00:00Z"
    assert line["overdue_at"] == "2026-03-01T04:00:00Z"


def test_a_subspecialty_is_given_its_own_cases(api: httpx.Client, sqlite_store: Store) -> None:
    heart = seen_case(sqlite_store, 1, findings=("cardiomegaly",))
    lung = seen_case(sqlite_store, 2)

    assert listed(api, subspecialty="cardiac") == [heart]
    assert listed(api, subspecialty="thoracic") == [lung]


def test_a_program_reads_what_was_known_before_and_brings_it_back(
    api: httpx.Client, sqlite_store: Store
) -> None:
    case_id = known_case(sqlite_store)
    (known,) = api.get(f"/api/v1/cases/{case_id}").json()["triage"]["result"]["known_before"]
    assert (known["study_instance_uid"], known["days_before"]) == ("2.25.1", 365.0)
    assert known["discrepancy"]["finding"] == "mass"
    path = f"/api/v1/cases/{case_id}/known-before/mass/restore"

    reply = api.post(path).json()

    assert reply["summary"]["state"] == "LISTED"
    assert [event["event"] for event in reply["events"][-2:]] == ["RESTORED", "FOUND_DISCREPANT"]
    assert api.post(path).status_code == 404
