"""Empties the outbox: a thread for each destination, so that one which hangs holds up no other.

To a destination results go in the order in which they were made. One that it refuses is sent again after a
growing delay, while the others go on; while it is not there, everything waits and nothing counts as refused.
"""

import threading
import time
from collections.abc import Sequence

import structlog
from pydicom.uid import generate_uid

from overread.errors import OutdatedProcessError, OutOfResourcesError, PeerError
from service.error_boundary import ErrorBoundary
from service.metrics import RESULTS_SENT
from service.results.clock import Clock
from service.results.destination import Answer, CommittingDestination, Destination, Sent
from service.results.ownership import owning
from service.store.database import Store
from service.store.outbox import (
    Delivery,
    due_deliveries,
    forget_commitment,
    note_commitment_asked,
    note_not_sent,
    note_sent,
    note_unreachable,
)
from service.tracing import Step, traces

BATCH = 64  # sent again at most, under the same UIDs, by who follows a sender that died
_NOTE_AFTER = 16  # taken ones that are noted in one transaction, at the latest
_NOTE_AFTER_SECONDS = 0.1  # the same, of a destination that takes longer for so many
_PAUSE_SECONDS = 2.0  # of a destination that is not there; doubled with each further time
_PAUSE_SECONDS_MAX = 300.0
_POLL_SECONDS = 1.0

_log = structlog.get_logger("overread.results")


class Sender:
    """Sends what is due to one destination."""

    def __init__(self, store: Store, destination: Destination, *, owner: str, clock: Clock) -> None:
        self._store = store
        self._destination = destination
        self._owner = owner
        self._clock = clock
        self._failures = 0

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set; what was begun is finished first.

        Raises:
            OutdatedProcessError: the database is of another release by now.
        """
        while not stop.is_set():
            with ErrorBoundary() as boundary:
                self._send_as_owner(stop)
            self._note_failure(boundary.error)
            stop.wait(self._pause_seconds())
        self._destination.close()

    def send_due(self) -> int:
        """Send one batch of what is due, and return how many the destination answered for.

        Raises:
            PeerError: it is not there; what is due stays so.
            OutOfResourcesError: the store is not available.
        """
        now = self._clock()
        batch = due_deliveries(self._store, self._destination.name, limit=BATCH, now=now)
        if not batch:
            return 0
        try:
            return self._send(batch)
        except PeerError as error:
            note_unreachable(self._store, batch[0], str(error), now=self._clock())
            raise

    def _send_as_owner(self, stop: threading.Event) -> None:
        with owning(self._store, self._destination.name, self._owner, clock=self._clock) as owns:
            while owns and not stop.is_set() and self.send_due():
                pass

    def _send(self, batch: Sequence[Delivery]) -> int:
        taken: list[tuple[Delivery, str]] = []
        kept: list[Delivery] = []
        answered, noted_at, begun_at = 0, time.monotonic(), time.time()
        try:
            for sent in self._destination.send(batch):
                RESULTS_SENT.labels(self._destination.name, sent.answer.value).inc()
                begun_at = _trace(sent, begun_at)
                if sent.answer is not Answer.TAKEN:
                    self._note_not_sent(sent)
                    if sent.answer is Answer.BROKEN:
                        raise PeerError(sent.words)
                else:
                    taken.append((sent.delivery, sent.words))
                    kept.append(sent.delivery)
                answered += 1
                self._failures = 0
                if len(taken) >= _NOTE_AFTER or time.monotonic() - noted_at > _NOTE_AFTER_SECONDS:
                    note_sent(self._store, taken, now=self._clock())
                    taken.clear()
                    noted_at = time.monotonic()
        finally:
            note_sent(self._store, taken, now=self._clock())
        self._ask_to_keep(kept)
        _log.info("results_sent", destination=self._destination.name, count=answered)
        return answered

    def _ask_to_keep(self, taken: Sequence[Delivery]) -> None:
        """Ask for storage commitment of what is noted as sent: the answer must not come before the note."""
        if not taken or not isinstance(self._destination, CommittingDestination):
            return
        transaction_uid = generate_uid(prefix=None)
        note_commitment_asked(self._store, taken, transaction_uid)
        if not self._destination.ask_to_keep(taken, transaction_uid):
            forget_commitment(self._store, transaction_uid)

    def _note_not_sent(self, sent: Sent) -> None:
        delivery = sent.delivery
        state = note_not_sent(self._store, delivery, sent.words, now=self._clock())
        _log.warning(
            "result_not_sent",
            destination=delivery.destination,
            delivery=delivery.delivery_id,
            case=delivery.case_id,
            attempt=delivery.attempts + 1,
            state=state.value,
            reason=sent.words,
        )

    def _note_failure(self, error: Exception | None) -> None:
        if error is None:
            return
        if isinstance(error, OutdatedProcessError):
            raise error
        self._failures += 1
        if isinstance(error, PeerError | OutOfResourcesError):
            _log.warning("destination_unreachable", destination=self._destination.name, reason=str(error))
        else:
            _log.error("failed", destination=self._destination.name, reason=type(error).__name__)

    def _pause_seconds(self) -> float:
        if not self._failures:
            return _POLL_SECONDS
        return min(_PAUSE_SECONDS * 2.0 ** (self._failures - 1), _PAUSE_SECONDS_MAX)


def _trace(sent: Sent, begun_at: float) -> float:
    """Make a span of what a destination answered for; return when the next began, in seconds since 1970.

    A notice, which may be of many cases, has its place in the trace of none.
    """
    delivery = sent.delivery
    if delivery.case_id is not None:
        traces().past(
            Step.SEND_RESULT,
            delivery.case_id,
            started_at=begun_at,
            destination=delivery.destination,
            delivery=delivery.delivery_id,
            attempt=delivery.attempts + 1,
            answer=sent.answer.value,
        )
    return time.time()
