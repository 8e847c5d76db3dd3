"""The workers over the API."""

import httpx

from service.store.database import Store
from service.store.workers import WorkerRecord, note_worker
from tests.service.material import NOW


def test_workers_that_live_are_listed_with_what_they_work_on(api: httpx.Client, sqlite_store: Store) -> None:
    record = WorkerRecord(
        name="worker a 1",
        host="a",
        pid=1,
        release="0.1.0",
        detectors=("chest-radiograph 5",),
        started_at=NOW,
        seen_at=NOW,
        case_id=7,
    )
    note_worker(sqlite_store, record)

    assert api.get("/api/v1/workers").json() == {
        "workers": [
            {
                "name": "worker a 1",
                "host": "a",
                "pid": 1,
                "release": "0.1.0",
                "detectors": ["chest-radiograph 5"],
                "started_at": "2026-03-01T12:00:00Z",
                "seen_at": "2026-03-01T12:00:00Z",
                "case_id": 7,
            }
        ]
    }
