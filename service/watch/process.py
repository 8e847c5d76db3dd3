"""The watch as a process: looks again and again until SIGTERM or SIGINT.

Under `overread serve` it runs as `python -m service.watch.process FOLDER`: there a folder that is gone for a
while, such as a share that is not mounted, is waited for.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from overread.errors import ConfigurationError
from service.hl7.settings import Hl7Settings
from service.log import configure_logging
from service.settings import load_settings
from service.store.database import open_store
from service.store.release_watch import ends_when_outdated
from service.tracing import configure_tracing
from service.watch.folder import FolderWatcher
from service.watch.settings import WatchSettings

_log = structlog.get_logger("overread.watch")
_PAUSE_SECONDS = 30.0  # while the store takes nothing, or the folder is not there


def watch(folder: Path, environ: Mapping[str, str], *, waits: bool = False) -> None:
    """Take what is put into a folder until told to stop; a file that is being taken is finished first.

    Args:
        folder: which one.
        environ: the settings.
        waits: whether to wait for a folder that cannot be watched now.

    Raises:
        ConfigurationError: the folder cannot be watched, or a setting is wrong.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = WatchSettings.read(environ)
    store = open_store(load_settings(environ))
    watcher = FolderWatcher(
        store=store,
        folder=folder,
        settings=settings,
        hl7=Hl7Settings.read(environ),
        clock=lambda: datetime.now(UTC),
        ticks=time.monotonic,
    )
    try:
        with ends_when_outdated(store.require_release):
            _watch_until(stop, watcher, settings, waits=waits)
    finally:
        store.close()


def _watch_until(
    stop: threading.Event, watcher: FolderWatcher, settings: WatchSettings, *, waits: bool
) -> None:
    while not stop.is_set():
        try:
            _look_until(stop, watcher, settings)
        except ConfigurationError as error:
            if not waits:
                raise
            _log.error("cannot_watch", reason=str(error))
        except OSError as error:
            _log.error("cannot_watch", reason=error.strerror)
        stop.wait(_PAUSE_SECONDS)


def _look_until(stop: threading.Event, watcher: FolderWatcher, settings: WatchSettings) -> None:
    with watcher:
        _log.info("watching")
        while not stop.is_set():
            look = watcher.look()
            stop.wait(settings.poll_seconds if look.has_room else _PAUSE_SECONDS)


def main(arguments: list[str]) -> None:
    """Watch the named folder."""
    (folder,) = arguments
    configure_logging()
    configure_tracing(os.environ)
    watch(Path(folder), os.environ, waits=True)


if __name__ == "__main__":
    main(sys.argv[1:])
