"""Release of the database under a running process: somebody may upgrade it, or put another in its place.

A process whose tables are another's would fail oddly, or write what the newer release does not expect. So
each writing transaction looks at the revision first, and senders are told to try again; readiness says so,
and the process ends, to be started anew by whoever looks after it. Tables of a later release that say that
this one may work on them are no reason to end.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection

from overread.errors import OutdatedProcessError, OutOfResourcesError
from service.store.migration import newest_revision, read_state

_log = structlog.get_logger("overread.store")
_READING_SECONDS = 1.0  # between two looks of transactions that only read
_LOOK_SECONDS = 5.0  # between two looks of a process that has nothing to do
_GRACE_SECONDS = 5.0  # in which readiness says so before the process ends


class TablesRevision:
    """Revision that the tables have to be usable from while this process uses them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at: float | None = None

    def require(self, connection: Connection) -> None:
        """Return if this release may work on the tables.

        Raises:
            OutdatedProcessError: it may not any more.
        """
        found = read_state(connection)
        if found is None or not found.is_usable:
            raise OutdatedProcessError(
                f"the database was brought to revision {found and found.revision} while this process ran, "
                f"which knows {newest_revision()}: it takes nothing more and ends; start overread anew, in "
                "the release of the database"
            )
        self._looked_at = self._clock()

    def require_now_and_then(self, connection: Connection) -> None:
        """Return if this release may work on the tables, or might a moment ago.

        Raises:
            OutdatedProcessError: it may not any more.
        """
        if self._looked_at is None or self._clock() - self._looked_at >= _READING_SECONDS:
            self.require(connection)


@contextmanager
def ends_when_outdated(
    look: Callable[[], None],
    *,
    end: Callable[[], None] | None = None,
    look_seconds: float = _LOOK_SECONDS,
    grace_seconds: float = _GRACE_SECONDS,
) -> Iterator[threading.Event]:
    """Let this process end, as by SIGTERM, once its release is no longer that of the database; give whether.

    Args:
        look: raises OutdatedProcessError when it is not.
        end: ends the process; None sends it SIGTERM.
        look_seconds: between two looks.
        grace_seconds: from then on until it ends, in which it says so to whoever asks.
    """
    leaving, outdated = threading.Event(), threading.Event()

    def watch() -> None:
        while not leaving.wait(look_seconds):
            try:
                look()
            except OutdatedProcessError as error:
                _log.error("outdated", why=str(error))
                outdated.set()
                if not leaving.wait(grace_seconds):
                    (end or _terminate)()
                return
            except OutOfResourcesError:  # whoever works meets it too
                continue

    thread = threading.Thread(target=watch, name="release-watch", daemon=True)
    thread.start()
    try:
        yield outdated
    finally:
        leaving.set()
        thread.join()


def _terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
