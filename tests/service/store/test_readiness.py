"""What is written to the database is read back, and how the queue and its workers stand."""

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from overread.errors import OutOfResourcesError
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.queue import claim_case, fail_case, release_case
from service.store.readiness import TriageProgress, read_progress, verify_writes
from service.store.schema import leases
from service.store.workers import WorkerRecord, note_worker
from tests.service.material import NOW, after, ready_case, send_report, triaged_case

WORKER = WorkerRecord(
    name="w",
    host="a",
    pid=1,
    release="0.1.0",
    detectors=("chest-radiograph 5",),
    started_at=NOW,
    seen_at=NOW,
    case_id=None,
)


def progress(store: Store, seconds: float) -> TriageProgress:
    return read_progress(store, now=after(seconds))


def test_what_was_written_is_read_back_and_leaves_nothing(store: Store) -> None:
    verify_writes(store, now=NOW)

    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(leases)).scalar() == 0


def test_a_full_disk_is_found_by_writing(small_disk: Path, tmp_path: Path) -> None:
    environ = {"OVERREAD_FREE_BYTES_MIN": "0", "OVERREAD_DATABASE_URL": f"sqlite:///{small_disk}/o.sqlite3"}
    subprocess.run(["mount", "-o", "remount,size=4M", str(small_disk)], check=True)
    store = open_store(load_settings(environ, data_folder=tmp_path / "data"))
    verify_writes(store, now=NOW)
    with (small_disk / "filler").open("wb", 0) as filler, pytest.raises(OSError, match="No space left"):
        filler.writelines(bytes(4096) for _ in range(2000))

    def write_more_than_the_log_has_room_for() -> None:
        for _ in range(100):
            verify_writes(store, now=NOW)

    with pytest.raises(OutOfResourcesError, match="cannot grow, since the disk is full: make room"):
        write_more_than_the_log_has_room_for()
    store.close()


def test_a_damaged_file_is_told_and_takes_nothing(sqlite_store: Store) -> None:
    triaged_case(sqlite_store)
    sqlite_store.close()
    file = sqlite_store.settings.data_folder / "overread.sqlite3"
    content = file.read_bytes()
    with file.open("r+b") as raw:  # in place: another file would be told as such
        raw.seek(4096)
        raw.write(b"\x5a" * (len(content) - 4096))

    for use in (send_report, lambda store: verify_writes(store, now=NOW), lambda store: progress(store, 0)):
        with pytest.raises(OutOfResourcesError, match=r"is damaged.*overread db check"):
            use(sqlite_store)
    with file.open("r+b") as raw:
        raw.write(b"not a database at all")
    sqlite_store.close()
    with pytest.raises(OutOfResourcesError, match="is damaged, or is no database"):
        verify_writes(sqlite_store, now=NOW)


def test_a_case_waits_once_it_has_been_due_for_minutes(store: Store) -> None:
    assert not progress(store, 1000).waits(now=after(1000))
    ready_case(store)

    assert not progress(store, 120).waits(now=after(120))
    assert progress(store, 121).waits(now=after(121))


def test_workers_are_alive_or_silent(store: Store) -> None:
    note_worker(store, WORKER)
    note_worker(store, replace(WORKER, name="v", seen_at=after(60)))

    found = progress(store, 121)

    assert [worker.name for worker in found.alive] == ["v"]
    assert [worker.name for worker in found.silent] == ["w"]


def test_a_worker_hangs_that_keeps_a_case_for_longer_than_it_may(store: Store) -> None:
    case_id = ready_case(store)
    claimed = claim_case(store, worker="w", now=NOW)
    assert claimed is not None
    longest = store.settings.case_seconds_max + store.settings.lease_seconds

    def hanging(seconds: float) -> list[str]:
        note_worker(store, replace(WORKER, case_id=case_id, seen_at=after(seconds)))
        return [worker.name for worker in progress(store, seconds).hanging]

    assert hanging(longest) == []
    assert hanging(longest + 1) == ["w"]
    release_case(store, claimed.lease, "it stops", failed=False, now=after(longest))
    claim_case(store, worker="w", now=after(longest + 60))  # the same worker, anew
    assert hanging(longest + 61) == []


def test_the_queue_has_stalled_when_a_case_is_due_and_no_triage_ends(store: Store) -> None:
    quarter = timedelta(minutes=15)

    def stalled(seconds: float) -> bool:
        return progress(store, seconds).has_stalled(now=after(seconds), after=quarter)

    triaged_case(store)
    assert not stalled(10_000)  # nothing waits
    ready_case(store, 2)
    assert not stalled(900)
    assert stalled(901)
    ready_case(store, 3)
    claimed = claim_case(store, worker="w", now=after(800))
    assert claimed is not None
    fail_case(store, claimed.lease, "broken", now=after(850))
    assert not stalled(1700)
    assert stalled(1751)
