"""Wakes idle workers as soon as a case is READY: NOTIFY and LISTEN on PostgreSQL.

Only a hint that spares the wait for the next poll: a worker that hears nothing, because the connection is
broken or the database is SQLite, finds the case when it looks by itself.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
import structlog
from sqlalchemy import Connection, Engine, text

from service.store.database import Store

CHANNEL = "overread_case_ready"
_NOTIFY = text(f"NOTIFY {CHANNEL}")
_STOP_SECONDS = 0.25  # in which a worker that waits sees that it is to stop
_LISTEN_SECONDS = 0.5  # in which the thread that listens does
_CHECK_SECONDS = 30.0  # after which a silent connection is tried
_RECONNECT_SECONDS = 5.0

_log = structlog.get_logger("overread.worker")


def announce_ready(connection: Connection) -> None:
    """Wake the idle workers when the transaction commits; more than once in one counts once."""
    if connection.dialect.name == "postgresql":
        connection.execute(_NOTIFY)


class ReadyCases:
    """Lets a worker wait for the next case, while its `with` block runs."""

    def __init__(self, store: Store, *, reconnect_seconds: float = _RECONNECT_SECONDS) -> None:
        self._engine = store.engine
        self._reconnect_seconds = reconnect_seconds
        self._heard = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ready cases", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_LISTEN_SECONDS * 4)  # not for as long as a lost machine is waited for

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Return when a case has become READY since the last call, `stop` is set, or the time is over."""
        if self._engine.dialect.name != "postgresql":
            stop.wait(seconds)
            return
        if self._thread.ident is None:  # a worker that never waits needs no connection
            self._thread.start()
        end = time.monotonic() + seconds
        while not stop.is_set() and (left := end - time.monotonic()) > 0:
            if self._heard.wait(min(left, _STOP_SECONDS)):
                break
        self._heard.clear()

    def _run(self) -> None:
        while not self._done.is_set():
            try:
                with _listening(self._engine) as connection:
                    self._heard.set()  # what became READY before
                    self._listen(connection)
            except psycopg.Error as error:
                _log.warning("notifications_lost", reason=type(error).__name__, then="polling goes on")
                self._done.wait(self._reconnect_seconds)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        silent_seconds = 0.0
        while not self._done.is_set():
            if any(True for _ in connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1)):
                self._heard.set()
                silent_seconds = 0.0
            elif (silent_seconds := silent_seconds + _LISTEN_SECONDS) >= _CHECK_SECONDS:
                connection.execute("SELECT 1")
                silent_seconds = 0.0


@contextmanager
def _listening(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection of its own, outside the pool, that listens."""
    arguments, options = engine.dialect.create_connect_args(engine.url)
    with psycopg.connect(*arguments, **options, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}")
        yield connection
