"""Receives a FHIR document: each of its reports is committed, or in quarantine, before the sender is told."""

from dataclasses import dataclass
from datetime import datetime

from overread.errors import InputError, UnsupportedMessageError
from service.fhir.report import TRANSACTION, Submission, read_submission
from service.intake.reports import ReportReceipt, receive_reports, receive_together, refuse_message
from service.store.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOutcome:
    """Outcome of one DiagnosticReport."""

    place: str  # as FHIRPath writes it
    outcomes: tuple[
        ReportReceipt | InputError, ...
    ]  # one for each study; empty where nothing is reported yet

    @property
    def error(self) -> InputError | None:
        """Reason why it, or a part of it, is not stored; None where it is."""
        return next((outcome for outcome in self.outcomes if isinstance(outcome, InputError)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionReceipt:
    """The acknowledgement of a FHIR document."""

    submission: Submission
    reports: tuple[ReportOutcome, ...]


def receive_submission(store: Store, content: bytes, *, source: str, now: datetime) -> SubmissionReceipt:
    """Keep the reports of a FHIR document; of a transaction all or none, of any other each by itself.

    What cannot be used is in quarantine with its reason: the whole document, as it came. What is no report at
    all is not kept.

    Raises:
        UnsupportedMessageError: it is no JSON or another resource; it is not kept.
        InputError: it holds no report that could be stored, or is a transaction with one that cannot be.
        OutOfResourcesError: nothing can be stored now; the sender should try again.
    """
    try:
        submission = read_submission(content, source=source)
        if submission.bundle_type == TRANSACTION and submission.error is not None:
            raise submission.error
    except UnsupportedMessageError:
        raise
    except InputError as error:
        refuse_message(store, content, error, source=source, now=now)
        raise
    receive = receive_together if submission.bundle_type == TRANSACTION else receive_reports
    received = iter(receive(store, submission.reports, now=now) if submission.reports else ())
    outcomes = []
    for read in submission.read:
        of_each: list[ReportReceipt | InputError] = [next(received) for _ in read.reports]
        if read.error is not None:
            refuse_message(store, content, read.error, source=source, now=now)
            of_each.append(read.error)
        outcomes.append(ReportOutcome(place=read.place, outcomes=tuple(of_each)))
    return SubmissionReceipt(submission=submission, reports=tuple(outcomes))
