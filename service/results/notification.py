"""Tells record systems by FHIR that a result is new or has changed: a notification with ids alone.

R5 has it as a subscription-notification Bundle with a SubscriptionStatus, R4 as HL7's guide Subscriptions R5
Backport 1.1.0 writes it: a history Bundle with Parameters. Who is told is a setting of the site, not a
Subscription that somebody sends. The receiver then reads the DiagnosticReport here.
"""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.results.clock import Clock
from service.results.destination import Answer, Sent
from service.results.identifiers import uid_of
from service.results.settings import Subscriber
from service.results.webhook import SignedPost
from service.store.outbox import Delivery
from service.store.results import Form, Subject

Json = dict[str, Any]
TOPIC = "urn:overread:topic:results"
_BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription"
_CONTENT_TYPE = "application/fhir+json"
_EVENT_NUMBER = "1"  # the only one of its notification (SubscriptionStatus.notificationEvent.eventNumber)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is told of: a result that is new, or has changed."""

    message_id: str  # a UUID, the same at every attempt
    case_id: int
    at: datetime
    is_new: bool  # False where an earlier one was told of


def event_of(subject: Subject, form: Form, *, is_new: bool) -> str:
    """Return what the outbox keeps of a notification."""
    occasion = subject.occasion
    name = uid_of(
        "notification",
        form,
        str(occasion.case_id),
        str(occasion.occasion_id),
        occasion.happened_at.isoformat(),
    )
    event = {
        "message_id": str(uuid.UUID(int=int(name.rpartition(".")[2]))),
        "case_id": occasion.case_id,
        "at": occasion.happened_at.astimezone(UTC).isoformat(),
        "is_new": is_new,
    }
    return json.dumps(event)


def notification(event: Event, form: Form, *, subscription: str, fhir_url: str) -> Json:
    """Return the Bundle of a notification.

    Args:
        event: what is told of.
        form: FHIR_R4 or FHIR_R5.
        subscription: name of the destination.
        fhir_url: address of our FHIR service, without a last slash.
    """
    name = f"DiagnosticReport/case-{event.case_id}"
    focus = {"reference": f"{fhir_url}/{name}", "type": "DiagnosticReport"}
    status = _status_r5 if form is Form.FHIR_R5 else _status_r4
    of_subscription = {
        "type": "Subscription",
        "identifier": {"system": "urn:overread:destinations", "value": subscription},
    }
    at = event.at.isoformat()
    bundle: Json = {
        "resourceType": "Bundle",
        "id": event.message_id,
        "type": "subscription-notification",
        "timestamp": at,
        "entry": [
            {
                "fullUrl": f"urn:uuid:{event.message_id}",
                "resource": {"id": event.message_id, **status(of_subscription, focus, at)},
                "request": {"method": "GET", "url": "Subscription/$status"},
                "response": {"status": "200"},
            },
            {
                "fullUrl": focus["reference"],
                "request": {"method": "PUT", "url": name},
                "response": {"status": "201" if event.is_new else "200"},
            },
        ],
    }
    if form is Form.FHIR_R4:
        bundle |= {"type": "history", "meta": {"profile": [f"{_BACKPORT}-notification-r4"]}}
    return bundle


def _status_r5(subscription: Json, focus: Json, at: str) -> Json:
    return {
        "resourceType": "SubscriptionStatus",
        "status": "active",
        "type": "event-notification",
        "notificationEvent": [{"eventNumber": _EVENT_NUMBER, "timestamp": at, "focus": focus}],
        "subscription": subscription,
        "topic": TOPIC,
    }


def _status_r4(subscription: Json, focus: Json, at: str) -> Json:
    event = [
        {"name": "event-number", "valueString": _EVENT_NUMBER},
        {"name": "timestamp", "valueInstant": at},
        {"name": "focus", "valueReference": focus},
    ]
    return {
        "resourceType": "Parameters",
        "meta": {"profile": [f"{_BACKPORT}-status-r4"]},
        "parameter": [
            {"name": "subscription", "valueReference": subscription},
            {"name": "topic", "valueCanonical": TOPIC},
            {"name": "status", "valueCode": "active"},
            {"name": "type", "valueCode": "event-notification"},
            {"name": "notification-event", "part": event},
        ],
    }


class NotificationSender:
    """A `Destination` that is told by FHIR notifications, signed as webhooks are."""

    def __init__(self, subscriber: Subscriber, *, clock: Clock) -> None:
        """Connect to nothing yet.

        Raises:
            ConfigurationError: TLS cannot be set up from its files.
        """
        self._subscriber = subscriber
        self._post = SignedPost(subscriber.hook, clock=clock)

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._subscriber.name

    def close(self) -> None:
        """Nothing is kept open."""

    def send(self, deliveries: Sequence[Delivery]) -> Iterator[Sent]:
        """Send one notification after the other.

        Raises:
            PeerError: it is not there, or cannot answer now.
        """
        for delivery in deliveries:
            kept = json.loads(delivery.message or "")
            event = Event(**(kept | {"at": datetime.fromisoformat(kept["at"])}))
            bundle = notification(
                event,
                Form(delivery.form),
                subscription=self.name,
                fhir_url=self._subscriber.fhir_url,
            )
            body = json.dumps(bundle).encode()
            taken, words = self._post.send(event.message_id, body, content_type=_CONTENT_TYPE)
            yield Sent(delivery=delivery, answer=Answer.TAKEN if taken else Answer.REFUSED, words=words)
