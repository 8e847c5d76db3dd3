"""The quarantine over the API."""

import httpx
import pytest

from overread.errors import InputError
from service.store.database import Store
from tests.service.material import dicom_bytes, send_image, send_report


@pytest.fixture
def filled(sqlite_store: Store) -> Store:
    """A report without names (1) and an image of another patient (2)."""
    send_image(sqlite_store)
    with pytest.raises(InputError):
        send_report(sqlite_store, accession=None)
    with pytest.raises(InputError):
        send_image(sqlite_store, dicom_bytes(number=2, PatientID="P2"))
    return sqlite_store


def test_entries_are_found_by_kind_reason_state_and_time(api: httpx.Client, filled: Store) -> None:
    def found(**wanted: str) -> list[int]:
        answer = api.get("/api/v1/quarantine", params=wanted).json()
        assert answer["total"] == len(answer["entries"])
        return [entry["quarantine_id"] for entry in answer["entries"]]

    assert found() == [2, 1]
    assert found(kind="REPORT") == [1]
    assert found(reason="CONTRADICTION") == [2]
    assert found(state="RESOLVED") == []
    assert found(since="2026-03-01T12:00:01Z") == []
    assert api.get("/api/v1/quarantine", params={"since": "yesterday"}).status_code == 422


def test_an_entry_is_corrected_and_names_its_case_and_who_did_it(api: httpx.Client, filled: Store) -> None:
    body = {"actor": "Dr Roe", "accession_number": "A1"}
    corrected = api.post("/api/v1/quarantine/1/correct", json=body)
    assert corrected.json() == {"quarantine_id": 1, "outcome": "STORED", "case_id": 1, "detail": None}

    shown = api.get("/api/v1/quarantine/1").json()
    assert (shown["entry"]["state"], shown["case_id"], shown["form"]) == ("RESOLVED", 1, "text")
    assert [(action["action"], action["actor"]) for action in shown["actions"]] == [("CORRECTED", "Dr Roe")]
    assert api.post("/api/v1/quarantine/1/correct", json=body).status_code == 409
    assert api.get("/api/v1/counts").json()["quarantine"] == 1


def test_a_header_is_shown_without_the_patient(api: httpx.Client, filled: Store) -> None:
    answer = api.get("/api/v1/quarantine/2")
    assert answer.json()["header"]["Modality"] == "DX"
    assert "Doe" not in answer.text
    assert "P2" not in answer.text


def test_refused_again_is_said_and_discarding_asks_for_a_name(api: httpx.Client, filled: Store) -> None:
    tried = api.post("/api/v1/quarantine/2/replay", json={"actor": "Dr Roe"})
    assert tried.json()["outcome"] == "REFUSED"
    assert "another patient" in tried.json()["detail"]
    nameless = api.post("/api/v1/quarantine/2/discard", json={"actor": " ", "because": "a test"})
    assert nameless.status_code == 422
    done = api.post("/api/v1/quarantine/2/discard", json={"actor": "Dr Roe", "because": "a test"})
    assert done.status_code == 204
    assert api.get("/api/v1/quarantine/2").json()["entry"]["state"] == "DISCARDED"
    assert api.post("/api/v1/quarantine/9/replay", json={"actor": "Dr Roe"}).status_code == 404
