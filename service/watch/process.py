"""The watch as a process: looks again and again until SIGTERM or SIGINT."""

import signal
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from service.settings import load_settings
from service.store.database import open_store
from service.watch.folder import FolderWatcher
from service.watch.settings import load_watch_settings

_log = structlog.get_logger("overread.watch")
_NO_ROOM_SECONDS = 30.0  # pause while the store takes nothing


def watch(folder: Path, environ: Mapping[str, str], *, data_folder: Path | None) -> None:
    """Take what is put into a folder until told to stop; a file that is being taken is finished first.

    Raises:
        ConfigurationError: the folder cannot be watched, or a setting is wrong.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = load_watch_settings(environ)
    store = open_store(load_settings(environ, data_folder=data_folder))
    watcher = FolderWatcher(
        store=store,
        folder=folder,
        settings=settings,
        clock=lambda: datetime.now(UTC),
        ticks=time.monotonic,
    )
    try:
        with watcher:
            _log.info("watching", folder=str(folder))
            while not stop.is_set():
                look = watcher.look()
                stop.wait(settings.poll_seconds if look.has_room else _NO_ROOM_SECONDS)
    finally:
        store.close()
