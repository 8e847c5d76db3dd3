"""The recorder writes what it is given, once a minute for the same view, and waits for the database."""

import threading

from overread.errors import OutOfResourcesError
from service.audit_trail import recorder as module
from service.audit_trail.recorder import AuditRecorder
from service.store.audit_trail import TrailFilter, find_entries
from service.store.database import Store
from tests.service.audit_trail.material import view
from tests.service.material import after


def written(store: Store) -> list[str | None]:
    return [sealed.entry.subject for sealed in find_entries(store, TrailFilter()) if sealed.entry]


def test_what_was_noted_is_written_when_the_block_ends(store: Store) -> None:
    with AuditRecorder(store) as recorder:
        for number in range(1200):
            recorder.note(view(number))

    assert written(store) == [f"case {number}" for number in range(1200)]


def test_the_same_view_within_a_minute_counts_once(sqlite_store: Store) -> None:
    with AuditRecorder(sqlite_store) as recorder:
        for seconds in (0, 30, 59, 60, 90, -5):
            recorder.note(view(1, at=after(seconds)))

    entries = [sealed.entry.at for sealed in find_entries(sqlite_store, TrailFilter()) if sealed.entry]
    assert entries == [after(0), after(60), after(-5)]  # a clock that was set back hides nothing


def test_entries_wait_for_a_database_that_is_away(sqlite_store: Store) -> None:
    away, tried = threading.Event(), threading.Event()

    class Unreliable(Store):
        def writing(self, *locks, **options):
            if not away.is_set():
                tried.set()
                raise OutOfResourcesError("away")
            return super().writing(*locks, **options)

    store = Unreliable(settings=sqlite_store.settings, engine=sqlite_store.engine, files=sqlite_store.files)
    with AuditRecorder(store) as recorder:
        recorder.note(view(1))
        assert tried.wait(60)
        away.set()
        recorder.note(view(2))

    assert written(sqlite_store) == ["case 1", "case 2"]


def test_a_full_recorder_says_so(sqlite_store: Store) -> None:
    recorder = AuditRecorder(sqlite_store)  # its thread has not started
    for number in range(module.WAITING_MAX):
        assert not recorder.is_full
        recorder.note(view(number))

    assert recorder.is_full
