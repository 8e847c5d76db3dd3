"""The process that makes and sends results: one thread for making, one for each destination."""

import signal
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

import structlog

from overread.errors import OutOfResourcesError
from service.dicom.settings import DicomSettings
from service.error_boundary import ErrorBoundary
from service.results.destination import Destination
from service.results.dimse import StoreScu
from service.results.making import Maker
from service.results.mllp import MllpSender
from service.results.notification import NotificationSender
from service.results.objects import Workshop
from service.results.ownership import owning, this_process
from service.results.sending import Sender
from service.results.settings import Address, ResultsSettings, StoreScp, StowServer, Subscriber
from service.results.stow import StowClient
from service.store.database import Store
from service.store.release_watch import ends_when_outdated

_POLL_SECONDS = 1.0

_log = structlog.get_logger("overread.results")


def destination_of(address: Address, store: Store) -> Destination:
    """Return the destination of an address.

    Raises:
        ConfigurationError: a certificate for it cannot be used.
    """
    if isinstance(address, StoreScp):
        return StoreScu(address, store.files)
    if isinstance(address, StowServer):
        return StowClient(address, store.files)
    if isinstance(address, Subscriber):
        return NotificationSender(address, clock=_now)
    return MllpSender(address)


def send_until_stopped(store: Store, environ: Mapping[str, str]) -> None:
    """Make and send results until SIGTERM or SIGINT; what was begun is finished first.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    settings = ResultsSettings.read(environ)
    addresses = settings.addresses(DicomSettings.read(environ))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    owner = this_process()
    senders = [Sender(store, destination_of(item, store), owner=owner, clock=_now) for item in addresses]
    threads = [
        threading.Thread(target=sender.run, args=(stop,), name=f"results {item.name}", daemon=True)
        for sender, item in zip(senders, addresses, strict=True)
    ]
    _log.info("sending", destinations=[item.name for item in addresses])
    with ends_when_outdated(store.require_release), Workshop() as workshop:
        for thread in threads:
            thread.start()
        _make_until_stopped(Maker(store, workshop, settings.effective_rules, clock=_now), stop)
        for thread in threads:
            thread.join()


def send_once(store: Store, environ: Mapping[str, str]) -> int:
    """Make what is due, try once to send what is due, and return how much a destination answered for.

    Raises:
        ConfigurationError: a setting is wrong.
        PeerError: a destination is not there; what is due for it stays so.
        OutOfResourcesError: the store is not available.
    """
    settings = ResultsSettings.read(environ)
    owner, count = this_process(), 0
    with Workshop() as workshop:
        maker = Maker(store, workshop, settings.effective_rules, clock=_now)
        while maker.make_due():
            pass
    for address in settings.addresses(DicomSettings.read(environ)):
        sender = Sender(store, destination_of(address, store), owner=owner, clock=_now)
        with owning(store, address.name, owner, clock=_now) as owns:
            while owns and (sent := sender.send_due()):
                count += sent
    return count


def _make_until_stopped(maker: Maker, stop: threading.Event) -> None:
    while not stop.is_set():
        with ErrorBoundary() as boundary:
            if maker.make_due():
                continue
        if isinstance(boundary.error, OutOfResourcesError):
            _log.warning("store_unavailable", why=str(boundary.error))
        elif boundary.error is not None:
            _log.error("failed", reason=type(boundary.error).__name__)
        stop.wait(_POLL_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)
