"""The process that makes and sends notices: one thread that looks at the list, one for each destination."""

import signal
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog

from overread.actor import Actor
from overread.errors import InputError, OutOfResourcesError, PeerError
from service.error_boundary import ErrorBoundary
from service.notices.mail import Mailer
from service.notices.settings import NoticeSettings, Recipient, Webhook
from service.notices.webhook import WebhookClient
from service.results.clock import Clock
from service.results.destination import Destination
from service.results.ownership import owning, this_process
from service.results.sending import Sender
from service.store.database import Store
from service.store.notices import Watch, make_notice, make_test_notice
from service.store.outbox import Delivery, Query, list_deliveries
from service.store.release_watch import ends_when_outdated

LOOK_SECONDS = 15.0
_MAKING = "notices"  # of the lease under which one process of the installation looks

_log = structlog.get_logger("overread.notices")


def destination_of(recipient: Recipient, store: Store, page_url: str, *, clock: Clock) -> Destination:
    """Return the destination of a recipient.

    Raises:
        ConfigurationError: a certificate for it cannot be used.
    """
    if isinstance(recipient, Webhook):
        return WebhookClient(recipient, store, page_url, clock=clock)
    return Mailer(recipient, store, page_url)


def make_due(store: Store, watches: Sequence[Watch], *, clock: Clock) -> int:
    """Make the messages that are due, and return how many.

    Raises:
        OutOfResourcesError: the store is not available.
    """
    made = 0
    for watch in watches:
        if count := make_notice(store, watch, now=clock()):
            made += 1
            _log.info("notice_made", destination=watch.destination, cause=watch.cause.value, cases=count)
    return made


def send_until_stopped(store: Store, environ: Mapping[str, str]) -> None:
    """Make and send notices until SIGTERM or SIGINT; what was begun is finished first.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    settings = NoticeSettings.read(environ)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    owner = this_process()
    destinations = _destinations(settings, store)
    senders = [Sender(store, destination, owner=owner, clock=_now) for destination in destinations]
    threads = [threading.Thread(target=sender.run, args=(stop,), daemon=True) for sender in senders]
    _log.info("sending", destinations=[destination.name for destination in destinations])
    with ends_when_outdated(store.require_release):
        for thread in threads:
            thread.start()
        _look_until_stopped(store, settings.watches(), owner, stop)
        for thread in threads:
            thread.join()


def send_once(store: Store, environ: Mapping[str, str]) -> int:
    """Make what is due, try once to send what is due, and return how much a destination answered for.

    Raises:
        ConfigurationError: a setting is wrong.
        PeerError: a destination is not there, what is due for it stays so, and every other was tried.
        OutOfResourcesError: the store is not available.
    """
    settings = NoticeSettings.read(environ)
    owner = this_process()
    with owning(store, _MAKING, owner, clock=_now) as owns:
        if owns:
            make_due(store, settings.watches(), clock=_now)
    count, away = 0, None
    for destination in _destinations(settings, store):
        try:
            count += _send_due(store, destination, owner)
        except PeerError as error:
            away = error
    if away is not None:
        raise away
    return count


def send_test(store: Store, environ: Mapping[str, str], name: str, *, actor: Actor) -> Delivery:
    """Send a message about nothing to a destination, and return what became of it.

    Args:
        store: of the outbox.
        environ: of the settings.
        name: of the destination, in the settings.
        actor: who wants it, for the audit trail.

    Raises:
        ConfigurationError: a setting is wrong.
        InputError: there is no such destination.
        PeerError: it is not there; the message stays due.
        OutOfResourcesError: the store is not available.
    """
    settings = NoticeSettings.read(environ)
    recipient = next((item for item in settings.recipients() if item.name == name), None)
    if recipient is None:
        known = ", ".join(settings.destinations) or "none"
        raise InputError(f"{name!r} is no destination of OVERREAD_NOTICES_DESTINATIONS; there are: {known}")
    number = make_test_notice(store, recipient.outbox_name, now=_now(), actor=actor)
    _send_due(store, destination_of(recipient, store, settings.page_url, clock=_now), this_process())
    (delivery,) = list_deliveries(store, Query(delivery_ids=(number,)), limit=1)
    return delivery


def _send_due(store: Store, destination: Destination, owner: str) -> int:
    """Send what is due to a destination, and return how much it answered for; nothing where another sends."""
    sender, count = Sender(store, destination, owner=owner, clock=_now), 0
    with owning(store, destination.name, owner, clock=_now) as owns:
        while owns and (sent := sender.send_due()):
            count += sent
    return count


def _destinations(settings: NoticeSettings, store: Store) -> list[Destination]:
    return [
        destination_of(recipient, store, settings.page_url, clock=_now) for recipient in settings.recipients()
    ]


def _look_until_stopped(store: Store, watches: Sequence[Watch], owner: str, stop: threading.Event) -> None:
    while not stop.is_set():
        with ErrorBoundary() as boundary, owning(store, _MAKING, owner, clock=_now) as owns:
            if owns:
                make_due(store, watches, clock=_now)
        if isinstance(boundary.error, OutOfResourcesError):
            _log.warning("store_unavailable", why=str(boundary.error))
        elif boundary.error is not None:
            _log.error("failed", reason=type(boundary.error).__name__)
        stop.wait(LOOK_SECONDS)


def _now() -> datetime:
    return datetime.now(UTC)
