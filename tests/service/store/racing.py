"""Two processes on one PostgreSQL database: the first stands still where the second could overtake it."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, text

COMMIT = "COMMIT"
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_POLLS_MAX = 3000
_POLL_SECONDS = 0.01


def race(
    engine: Engine,
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    watch: Engine,
    at: str = COMMIT,
) -> tuple[Any, Any]:
    """Run both and return what each returned or raised.

    The first, which works on `engine`, stands still the first time that it has executed a statement with the
    words `at`, or is about to commit. The second starts then; when it has ended, or waits for a lock of the
    database, the first goes on.
    """
    reached, go_on = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as pool, _stop(engine, at, reached, go_on):
        leading = pool.submit(first)
        assert reached.wait(timeout=30), f"the first never came to {at}: {leading}"
        following = pool.submit(second)
        for _ in range(_POLLS_MAX):
            if wait([following], timeout=_POLL_SECONDS).done or _is_waiting(watch):
                break
        else:
            raise AssertionError("the second neither ended nor waited")
        go_on.set()
        return _outcome(leading), _outcome(following)


def _outcome(future: "Future[object]") -> object:
    return future.exception(timeout=60) or future.result()


@contextmanager
def _stop(engine: Engine, at: str, reached: threading.Event, go_on: threading.Event) -> Iterator[None]:
    def stand_still(*values: Any) -> None:
        if (at == COMMIT or at in values[2]) and not reached.is_set():  # the statement
            reached.set()
            assert go_on.wait(timeout=60)

    name = "commit" if at == COMMIT else "after_cursor_execute"
    event.listen(engine, name, stand_still)
    try:
        yield
    finally:
        go_on.set()
        event.remove(engine, name, stand_still)


def _is_waiting(watch: Engine) -> bool:
    with watch.connect() as connection:
        return bool(connection.execute(_WAITING).scalar_one())
