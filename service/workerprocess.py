"""One worker as a process of its own: put together from the settings, stopped by a signal."""

import os
import signal
import socket
import threading
from datetime import UTC, datetime

from models.releases import load_detector
from overread.finding import load_vocabulary
from overread.priority import default_policy
from overread.report import load_reader
from service.settings import Settings
from service.store.database import open_store
from service.worker import Readers, work


def load_readers() -> Readers:
    """Return the report reader, the released detector and the policy that come with overread.

    Raises:
        ModelError: the released model is missing or altered.
    """
    return Readers(
        report_reader=load_reader(),
        detectors=(load_detector(),),
        policy=default_policy(),
        vocabulary=load_vocabulary(),
    )


def run_worker(settings: Settings, *, drain: bool) -> int:
    """Triage cases until SIGTERM or SIGINT, or with `drain` until none is due, and return how many claims.

    A case that is being triaged when the signal comes is finished first.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    readers = load_readers()
    store = open_store(settings)
    try:
        return work(
            store,
            readers,
            name=f"worker {socket.gethostname()} {os.getpid()}"[:128],
            clock=lambda: datetime.now(UTC),
            stop=stop,
            drain=drain,
        )
    finally:
        store.close()
