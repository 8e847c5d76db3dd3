"""Tells a program of cases that wait, by a signed webhook."""

from collections.abc import Iterator, Sequence

from service.notices.content import NAMED_MAX, payload
from service.notices.settings import Webhook
from service.results.clock import Clock
from service.results.destination import Answer, Sent
from service.results.webhook import SignedPost
from service.store.database import Store
from service.store.notices import Cause, load_notice
from service.store.outbox import Delivery


class WebhookClient:
    """A `Destination` that is a webhook."""

    def __init__(self, webhook: Webhook, store: Store, page_url: str, *, clock: Clock) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigurationError: the file of its authority cannot be used.
        """
        self._webhook = webhook
        self._store = store
        self._page_url = page_url
        self._post = SignedPost(webhook.hook, clock=clock)

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
            body = payload(notice, self._page_url)
            taken, words = self._post.send(notice.message_id, body, content_type="application/json")
            yield Sent(delivery=delivery, answer=Answer.TAKEN if taken else Answer.REFUSED, words=words)
