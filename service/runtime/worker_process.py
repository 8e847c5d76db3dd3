"""One worker as a process of its own: put together from the settings, stopped by a signal."""

import os
import signal
import socket
import threading
from datetime import UTC, datetime

import structlog

from models.language_model import ChatEndpoint
from models.loaded_detectors import load_lineup
from models.registry import load_roster
from overread import __version__
from overread.actor import Actor
from overread.finding import load_vocabulary
from overread.report import load_reader
from overread.report.reread import Rereader
from service.settings import Settings
from service.store.database import open_store
from service.store.policies import follow_shipped_policy
from service.triage.worker import TriageTools, work

_log = structlog.get_logger("overread.worker")


def load_tools(settings: Settings) -> TriageTools:
    """Return the report reader and the detectors of the roster.

    Raises:
        ConfigurationError: the roster is malformed.
        ModelError: a release of the roster is missing or altered.
    """
    roster = load_roster(settings.detectors_file)
    lineup = load_lineup(roster, settings.detectors_file.parent)
    for reason in lineup.unusable_shadows:
        _log.warning("shadow_unusable", reason=reason)
    return TriageTools(
        report_reader=load_reader(),
        rereader=load_rereader(settings),
        detectors=lineup.active,
        shadows=lineup.shadows,
        vocabulary=load_vocabulary(),
    )


def load_rereader(settings: Settings) -> Rereader | None:
    """Return who reads the sentences behind a flag again, None where the settings name no language model."""
    endpoint = settings.language_model
    return None if endpoint is None else Rereader(ChatEndpoint(endpoint), load_vocabulary())


def run_worker(settings: Settings, *, drain: bool) -> int:
    """Triage cases until SIGTERM or SIGINT, or with `drain` until none is due, and return how many claims.

    A case that is being triaged when the signal comes is finished first.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    readers = load_tools(settings)
    store = open_store(settings)
    try:
        follow_shipped_policy(store, actor=Actor.program(f"overread {__version__}"), now=datetime.now(UTC))
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
