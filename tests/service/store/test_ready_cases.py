"""An idle worker hears of a READY case on PostgreSQL, and finds it by polling where it hears nothing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import text

from service.store.database import Store, open_store
from service.store.queue import claim_case, release_case
from service.store.ready_cases import CHANNEL, ReadyCases
from service.triage.worker import work
from tests.service.conftest import settings_on
from tests.service.material import MassDetector, after, readers, ready_case

GENEROUS_SECONDS = 300.0  # a limit that only a fault reaches
LISTENERS = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE :q")
END_LISTENERS = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE :q AND pid <> pg_backend_pid()"
)
LISTENING = {"q": f"LISTEN {CHANNEL}%"}


@pytest.fixture
def postgres_store(request: pytest.FixtureRequest, tmp_path) -> Iterator[Store]:
    opened = open_store(
        settings_on("postgresql", request, tmp_path).model_copy(update={"poll_seconds": 60.0})
    )
    yield opened
    opened.close()


class SignallingDetector(MassDetector):
    """Says when it is asked."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def detect(self, instances):
        self.asked.set()
        return super().detect(instances)


@contextmanager
def idle_worker(store: Store, detector: MassDetector) -> Iterator[None]:
    stop = threading.Event()
    tools = readers(detectors=(detector,))
    thread = threading.Thread(
        target=work,
        args=(store, tools),
        kwargs={"name": "w", "clock": lambda: after(1), "stop": stop, "drain": False},
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def wait_for_listeners(store: Store) -> None:
    for _ in range(int(GENEROUS_SECONDS / 0.05)):
        with store.reading() as connection:
            if connection.execute(LISTENERS, LISTENING).scalar_one():
                return
        threading.Event().wait(0.05)
    raise AssertionError("nobody listens")


def test_a_case_is_taken_without_waiting_for_the_poll(postgres_store: Store) -> None:
    store, detector = postgres_store, SignallingDetector()
    store = replace(store, settings=store.settings.model_copy(update={"poll_seconds": 10 * GENEROUS_SECONDS}))
    with idle_worker(store, detector):
        wait_for_listeners(store)
        ready_case(store)

        assert detector.asked.wait(GENEROUS_SECONDS)


def test_a_case_is_taken_by_polling_where_no_notification_comes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = psycopg.connect

    def refuse_listeners(*arguments, **options):
        if options.get("autocommit"):
            raise psycopg.OperationalError("no further connection")
        return connect(*arguments, **options)

    monkeypatch.setattr(psycopg, "connect", refuse_listeners)
    detector = SignallingDetector()
    with idle_worker(store, detector):
        ready_case(store)

        assert detector.asked.wait(GENEROUS_SECONDS)


def test_a_connection_that_was_lost_is_made_again(postgres_store: Store) -> None:
    stop = threading.Event()
    with ReadyCases(postgres_store, reconnect_seconds=0.01) as ready_cases:
        ready_cases.wait(GENEROUS_SECONDS, stop)  # what became READY before it listened
        wait_for_listeners(postgres_store)
        with postgres_store.writing() as connection:
            connection.execute(END_LISTENERS, LISTENING)
        ready_cases.wait(GENEROUS_SECONDS, stop)  # what became READY while nobody listened
        wait_for_listeners(postgres_store)

        ready_case(postgres_store)
        heard = threading.Thread(target=ready_cases.wait, args=(10 * GENEROUS_SECONDS, stop))
        heard.start()
        heard.join(GENEROUS_SECONDS)

        assert not heard.is_alive()


def test_nobody_is_woken_for_a_case_that_is_due_later(postgres_store: Store) -> None:
    ready_case(postgres_store)
    claimed = claim_case(postgres_store, worker="w", now=after(1))
    with ReadyCases(postgres_store) as ready_cases:
        stop = threading.Event()
        ready_cases.wait(GENEROUS_SECONDS, stop)
        wait_for_listeners(postgres_store)
        release_case(postgres_store, claimed.lease, "busy", now=after(1), failed=True)
        threading.Timer(1.0, stop.set).start()
        ready_cases.wait(10 * GENEROUS_SECONDS, stop)

        assert stop.is_set()
