"""Tells a program by HTTP, signed after Standard Webhooks 1.0.0: HMAC-SHA-256 over id, time and body."""

import base64
import hashlib
import hmac
import http.client
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from overread.errors import PeerError
from service.network_settings import TlsClientFiles
from service.notices.content import NAMED_MAX, payload
from service.notices.settings import Webhook
from service.results.clock import Clock
from service.results.destination import Answer, Sent
from service.store.database import Store
from service.store.notices import Cause, load_notice
from service.store.outbox import Delivery

_SECONDS = 20.0  # Standard Webhooks 1.0.0 asks for 15 to 30
_ANSWER_BYTES_MAX = 1 << 16
_AWAY = frozenset(  # not about this message
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message at one attempt, as it stands in `webhook-signature`.

    Args:
        key: of the receiver.
        message_id: the same at every attempt.
        timestamp: of the attempt, in seconds since 1970.
        body: as it is sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


class WebhookClient:
    """A `Destination` that is a webhook. Redirects are not followed and no proxy is used."""

    def __init__(self, webhook: Webhook, store: Store, page_url: str, *, clock: Clock) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigurationError: the file of its authority cannot be used.
        """
        self._webhook = webhook
        self._store = store
        self._page_url = page_url
        self._clock = clock
        self._parts = urlsplit(webhook.url)
        self._context = (
            TlsClientFiles(authority=webhook.authority).context() if self._parts.scheme == "https" else None
        )

    @property
    def name(self) -> str:
        """Its name in the outbox."""
        return self._webhook.outbox_name

    def close(self) -> None:
        """Nothing is kept open."""

    def send(self, deliveries: Sequence[Delivery]) -> Iterator[Sent]:
        """Send one message after the other.

        Raises:
            PeerError: it is not there, or cannot answer now.
            OutOfResourcesError: the store is not available.
        """
        for delivery in deliveries:
            notice = load_notice(self._store, delivery.notice_id or 0, named_max=NAMED_MAX)
            if not notice.count and notice.cause is not Cause.TEST:
                words = "not sent: none of its cases is kept any more"
                yield Sent(delivery=delivery, answer=Answer.TAKEN, words=words)
                continue
            status = self._post(notice.message_id, payload(notice, self._page_url))
            if status in _AWAY:
                raise PeerError(f"{self._told} answers with HTTP status {status}: it cannot answer now")
            taken = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
            words = f"HTTP status {status}"
            yield Sent(delivery=delivery, answer=Answer.TAKEN if taken else Answer.REFUSED, words=words)

    @property
    def _told(self) -> str:
        """Return it in words; its path and query may hold what lets somebody in."""
        return f"the webhook {self._webhook.name} at {self._parts.hostname}"

    def _post(self, message_id: str, body: bytes) -> int:
        timestamp = int(self._clock().timestamp())
        signed = (signature(key, message_id, timestamp, body) for key in self._webhook.keys)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "overread",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signed),
        }
        connection = self._connect()
        try:
            target = f"{self._parts.path or '/'}{'?' if self._parts.query else ''}{self._parts.query}"
            connection.request("POST", target, body=body, headers=headers)
            response = connection.getresponse()
            response.read(_ANSWER_BYTES_MAX)
            return response.status
        except (OSError, http.client.HTTPException) as error:
            raise PeerError(
                f"{self._told} does not answer ({type(error).__name__}): check that it runs, and "
                "OVERREAD_NOTICES_DESTINATIONS"
            ) from error
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._parts.hostname), self._parts.port
        if self._context is not None:
            return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=self._context)
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
