"""The client put together from the settings: for a command, and as a process of its own."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from overread.errors import ConfigurationError, PeerError
from service.dicom.settings import DicomSettings
from service.log import configure_logging
from service.pacs.archive import Archive
from service.pacs.automatic import fetch_by_itself
from service.pacs.dicomweb import DicomwebArchive
from service.pacs.dimse import DimseArchive
from service.pacs.fetching import Pace, fetch_study
from service.pacs.settings import DicomwebAddress, DimseAddress, PacsSettings
from service.settings import load_settings
from service.store.database import Store, open_store
from service.store.release_watch import ends_when_outdated

_log = structlog.get_logger("overread.fetch")


@dataclass(kw_only=True)
class Client:
    """The store, the PACS, and how much has failed so far."""

    store: Store
    archive: Archive
    clock: Callable[[], datetime]
    pace: Pace
    failures: int = field(default=0)

    def fetch(self, study_instance_uid: str) -> str:
        """Return what came of a study, in words; what did not come is counted."""
        self.pace.wait()
        try:
            fetched = fetch_study(self.store, self.archive, study_instance_uid, _show)
        except PeerError as error:
            self.failures += 1
            return f"study {study_instance_uid}: {error}"
        self.failures += fetched.failed
        return str(fetched)


def archive_of(
    address: DimseAddress | DicomwebAddress, store: Store, clock: Callable[[], datetime]
) -> Archive:
    """Return the PACS of an address."""
    if isinstance(address, DimseAddress):
        return DimseArchive(address)
    return DicomwebArchive(address, store, clock)


@contextmanager
def connected(environ: Mapping[str, str]) -> Iterator[Client]:
    """Give the client of an installation.

    Raises:
        ConfigurationError: no PACS is named, or a setting is wrong.
    """
    settings = PacsSettings.read(environ)
    address = settings.address(DicomSettings.read(environ))
    store = open_store(load_settings(environ))
    try:
        archive = archive_of(address, store, _now)
        pace = Pace(settings.studies_per_minute, threading.Event())
        yield Client(store=store, archive=archive, clock=_now, pace=pace)
    finally:
        store.close()


def run_automatically(environ: Mapping[str, str]) -> None:
    """Fetch what the settings ask for until SIGTERM or SIGINT; what was begun is finished first.

    Raises:
        ConfigurationError: the settings ask for nothing, or one is wrong.
    """
    settings = PacsSettings.read(environ)
    address = settings.address(DicomSettings.read(environ))
    if not settings.is_automatic:
        raise ConfigurationError(
            "nothing is to be fetched by itself: set OVERREAD_FETCH_MISSED_MINUTES or OVERREAD_FETCH_PRIORS"
        )
    configure_logging()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    store = open_store(load_settings(environ))
    try:
        _log.info("fetching")
        with ends_when_outdated(store.require_release):
            fetch_by_itself(store, archive_of(address, store, _now), settings, clock=_now, stop=stop)
    finally:
        store.close()


def _show(line: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()


def _now() -> datetime:
    return datetime.now(UTC)
