"""Order over time and what was known before, as programs see them."""

import httpx
import pytest

from service.store.database import Store
from tests.service.desk.test_list_pages import long_list
from tests.service.desk.test_pages import known_case
from tests.service.material import after, triaged_case
from tests.service.web.seeing import seen_case


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


def test_each_row_says_on_which_side_of_the_line_it_stands(api: httpx.Client, sqlite_store: Store) -> None:
    cases = long_list(sqlite_store)

    page = api.get("/api/v1/worklist").json()

    assert [row["case_id"] for row in page["cases"]] == cases
    assert [row["above_line"] for row in page["cases"]] == [True] * 10 + [False] * 2
    assert page["line"] == {
        "share": 0.1,
        "priority": page["cases"][9]["priority"],
        "triaged": 12,
        "above": 10,
        "below": 2,
    }
    assert listed(api, above_line="true") == cases[:10]
    assert listed(api, above_line="false") == cases[10:]
    assert listed(api, share="1", above_line="true") == cases
    assert api.get("/api/v1/worklist", params={"state": "READY"}).json()["line"] is None
    assert api.get(f"/api/v1/cases/{cases[10]}").json()["summary"]["above_line"] is False


def test_pages_of_another_share_keep_it(api: httpx.Client, sqlite_store: Store) -> None:
    cases = long_list(sqlite_store)

    first = api.get("/api/v1/worklist", params={"share": "1", "limit": "11"}).json()
    second = api.get("/api/v1/worklist", params={"limit": "11", "after": first["next"]}).json()

    assert [row["case_id"] for row in second["cases"]] == cases[11:]
    assert second["cases"][0]["above_line"] is True
    assert second["line"] == first["line"]


@pytest.mark.parametrize("share", ["0", "-1", "1.5", "nan", "x"])
def test_what_is_no_share_is_refused(api: httpx.Client, share: str) -> None:
    assert api.get("/api/v1/worklist", params={"share": share}).status_code == 422


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
