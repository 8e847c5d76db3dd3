"""The port of a destination: takes results one after the other, and says what became of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from service.store.outbox import Delivery


class Answer(StrEnum):
    """Answer of a destination to one result."""

    TAKEN = "TAKEN"
    REFUSED = "REFUSED"  # it answered, and does not take this one
    BROKEN = "BROKEN"  # it did not answer, or went away; nothing more is sent for now


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of one delivery."""

    delivery: Delivery
    answer: Answer
    words: str  # what was answered, for people; without patient data


class Destination(Protocol):
    """A place that takes results. One user at a time."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    def send(self, deliveries: Sequence[Delivery]) -> Iterator[Sent]:
        """Send these in order, and yield what became of each as soon as it is known; BROKEN is the last.

        Raises:
            PeerError: it is not there, or refuses us as such; nothing was sent.
            OutOfResourcesError: an object cannot be fetched now.
        """

    def close(self) -> None:
        """Let go of what was kept open."""


@runtime_checkable
class CommittingDestination(Protocol):
    """A destination that may be asked to keep what it has taken (storage commitment, PS3.4 annex J)."""

    def ask_to_keep(self, deliveries: Sequence[Delivery], transaction_uid: str) -> bool:
        """Ask it, and return whether it took the question; its answer comes to our C-STORE listener.

        False where it does not offer the service, or is not to be asked.
        """
