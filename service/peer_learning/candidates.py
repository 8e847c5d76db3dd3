"""Cases that a learning meeting could discuss: judged in a period, with something confirmed or to learn."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from overread.discrepancy import DiscrepancyKind
from overread.observation import DetectorObservation
from overread.second_read import Judgement, Verdict, adjudications_of
from service.peer_learning.telling import Openings, Telling, openings, telling_of
from service.store.database import Store
from service.store.records import CaseDetail, TriageRecord
from service.store.second_reads import ReadRecord, concluding, judged_between, reads_of
from service.store.triage_results import triage_result
from service.store.worklist import load_case

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Time in which something was judged."""

    since: datetime
    until: datetime  # not in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One case that there is something to learn from."""

    detail: CaseDetail = field(repr=False)
    judged: ReadRecord = field(repr=False)  # that counts
    judgement: Judgement = field(repr=False)
    telling: Telling

    @property
    def case_id(self) -> int:
        """Number of the case."""
        return self.detail.summary.case_id

    @property
    def confirmed(self) -> tuple[tuple[str, DiscrepancyKind], ...]:
        """Finding and kind of what is confirmed, or was added."""
        return tuple((item.finding, item.kind) for item in adjudications_of(self.judgement) if item.confirmed)


def candidates(store: Store, period: Period) -> Iterator[Candidate]:
    """Yield the cases whose judgement that counts is of the period, in the order of their numbers.

    Raises:
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    opened = openings(store)
    for case_id, judged in judged_cases(store, period):
        if judged.judgement is not None and teaches(judged.judgement):
            found = candidate(store, case_id, opened)
            if found is not None:
                yield found


def candidate(store: Store, case_id: int, opened: Openings) -> Candidate | None:
    """Return a case by its number; None where no judgement of it counts any more.

    Args:
        store: of the installation.
        case_id: its number.
        opened: see `service.peer_learning.telling.openings`.

    Raises:
        NotFoundError: there is no such case.
    """
    detail = load_case(store, case_id)
    with store.reading() as connection:
        judged = concluding(reads_of(connection, case_id))
    if judged is None or judged.judgement is None:
        return None
    telling = telling_of(store, case_id, judged, opened)
    return Candidate(detail=detail, judged=judged, judgement=judged.judgement, telling=telling)


def judged_cases(store: Store, period: Period) -> Iterator[tuple[int, ReadRecord]]:
    """Yield the cases whose judgement that counts is of the period, with that judgement.

    Raises:
        UnreadableRecordError: a judgement is stored in a form that this release does not know.
    """
    after = 0
    while True:
        with store.reading() as connection:
            numbers = judged_between(connection, period.since, period.until, after=after, limit=_PAGE)
            found = [(number, concluding(reads_of(connection, number))) for number in numbers]
        for number, judged in found:
            if judged is not None and period.since <= judged.at < period.until:
                yield number, judged
        if not numbers:
            return
        after = numbers[-1]


def teaches(judgement: Judgement) -> bool:
    """Whether there is something to learn: a confirmed discrepancy, or a learning point."""
    return bool(judgement.learning_point.strip()) or any(
        item.confirmed for item in adjudications_of(judgement)
    )


def evidence_of(store: Store, found: Candidate) -> Iterator[DetectorObservation]:
    """Yield what detectors saw of the findings that were confirmed, as it was judged."""
    confirmed = {item.finding for item in found.judgement.verdicts if item.verdict is Verdict.CONFIRMED}
    for detection in _triage(store, found).detections:
        yield from (item for item in detection.observations if item.finding in confirmed)


def _triage(store: Store, found: Candidate) -> TriageRecord:
    latest = found.detail.triage
    if latest is not None and latest.revision == found.judged.revision:
        return latest
    with store.reading() as connection:
        return triage_result(connection, found.case_id, found.judged.revision)
