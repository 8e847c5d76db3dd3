"""Metrics of the whole installation."""

from dataclasses import replace

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service.store.database import Store, open_engine
from service.store.workers import WorkerRecord, note_worker
from service.web.installation_metrics import InstallationCollector
from tests.service.dicomweb.test_stow import body, post
from tests.service.material import after, ready_case, send_report, triaged_case
from tests.service.web.listening import NOW


def values(text: str) -> dict[str, float]:
    """Samples by name, and by state where they have one."""
    return {
        "/".join((sample.name, *filter(None, [sample.labels.get("state")]))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_queue_quarantine_and_disk_are_told(api: httpx.Client, stow_url: str, sqlite_store: Store) -> None:
    ready_case(sqlite_store, 1, now=after(-90))
    triaged_case(sqlite_store, 2, now=after(-3600))
    send_report(sqlite_store, accession="A9")
    post(stow_url, body(b"no DICOM"))

    found = values(api.get("/metrics").text)

    assert found["overread_cases/READY"] == found["overread_cases/LISTED"] == 1
    assert found["overread_cases/FAILED"] == 0
    assert found["overread_oldest_case_age_seconds/READY"] == 90
    assert found["overread_oldest_case_age_seconds/LISTED"] == 3600
    assert found["overread_quarantine_waiting"] == 1
    assert found["overread_disk_free_bytes"] > 0
    assert found["overread_disk_free_min_bytes"] == sqlite_store.settings.free_bytes_min
    assert found["overread_database_up"] == 1


def test_workers_that_live_are_counted(api: httpx.Client, sqlite_store: Store) -> None:
    seen = WorkerRecord(
        name="a", host="a", pid=1, release="1", detectors=(), started_at=NOW, seen_at=NOW, case_id=None
    )
    note_worker(sqlite_store, seen)
    note_worker(sqlite_store, replace(seen, name="dead", seen_at=after(-600)))

    assert values(api.get("/metrics").text)["overread_workers_alive"] == 1


def test_without_the_database_the_rest_is_still_told(sqlite_store: Store) -> None:
    gone = Store(
        settings=sqlite_store.settings,
        engine=open_engine("postgresql+psycopg://127.0.0.1:1/gone"),
        files=sqlite_store.files,
    )
    found = {family.name: family.samples for family in InstallationCollector(gone, now=NOW).collect()}
    assert found["overread_database_up"][0].value == 0
    assert "overread_disk_free_bytes" in found
    assert "overread_cases" not in found
