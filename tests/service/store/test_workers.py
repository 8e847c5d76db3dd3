"""Which workers live, as the store knows them."""

from dataclasses import replace

from sqlalchemy import func, select

from service.store.database import Store
from service.store.schema import workers
from service.store.workers import (
    WorkerRecord,
    alive_workers,
    note_worker,
    remove_gone_workers,
    remove_worker,
    workers_alive,
)
from tests.service.material import NOW, after

FIRST = WorkerRecord(
    name="worker a 1",
    host="a",
    pid=1,
    release="0.1.0",
    detectors=("chest-radiograph 5",),
    started_at=NOW,
    seen_at=NOW,
    case_id=None,
)
SECOND = replace(FIRST, name="worker b 1", host="b", started_at=after(1), seen_at=after(60))


def test_a_worker_is_shown_as_it_was_last_seen(store: Store) -> None:
    note_worker(store, FIRST)
    note_worker(store, SECOND)
    seen = replace(FIRST, seen_at=after(5), case_id=7)
    note_worker(store, seen)

    assert alive_workers(store, now=after(60)) == (seen, SECOND)
    assert workers_alive(store, now=after(60)) == 2


def test_a_worker_that_has_not_been_seen_for_minutes_is_gone_and_its_row_is_removed(store: Store) -> None:
    note_worker(store, FIRST)
    note_worker(store, SECOND)

    assert alive_workers(store, now=after(121)) == (SECOND,)
    remove_gone_workers(store, now=after(121))

    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(workers)).scalar_one() == 1
    assert alive_workers(store, now=after(60)) == (SECOND,)


def test_a_worker_that_a_clock_ahead_of_time_saw_is_gone(store: Store) -> None:
    note_worker(store, replace(FIRST, seen_at=after(86_400)))

    assert workers_alive(store, now=NOW) == 0
    remove_gone_workers(store, now=NOW)
    assert workers_alive(store, now=after(86_400)) == 0


def test_a_worker_that_ends_is_gone_at_once(store: Store) -> None:
    note_worker(store, FIRST)

    remove_worker(store, FIRST.name)

    assert workers_alive(store, now=NOW) == 0
