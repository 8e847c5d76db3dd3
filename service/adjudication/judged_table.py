"""Judged cases as a table that is kept: loaded once, then brought up to what was judged since.

The first look reads every judgement; each later one reads those of the cases whose acts came since.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from overread.cohort import Adjudication
from overread.discrepancy import DiscrepancyKind
from overread.second_read import (
    Judgement,
    Radpeer,
    RejectionCause,
    Verdict,
    adjudications_of,
    disagreements,
)
from overread.triage import Outcome
from service.store.cohort import chance_of_reading
from service.store.database import Store
from service.store.judged_cases import (
    ReadCase,
    ReadMark,
    UnreadCount,
    all_read_cases,
    cases_read_after,
    count_unread,
    read_cases,
    read_mark,
)
from service.store.second_reads import ReadAct, concluding, standing

DISCREPANCIES = frozenset({DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL})
"""Kinds that the rate of an archive counts, as the audit of an export does."""

UNREAD_SECONDS = 600.0
"""Age from which on the cases that nobody judged are counted again."""

_MONTH = re.compile(r"([0-9]{4})(0[1-9]|1[0-2])[0-9]{2}")  # DA (PS3.5 6.2)


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """What a judgement that counts says of one case."""

    patient: str
    site: str | None
    month: str | None  # of the study, such as "2026-03"
    is_flagged: bool
    probability: float | None  # of being read; None where nobody knows
    adjudications: tuple[Adjudication, ...]
    verdicts: tuple[tuple[Verdict, RejectionCause | None], ...]
    added: int
    radpeer: Radpeer | None
    is_arbitrated: bool
    found_twice: tuple[bool, bool] | None  # by two independent readers; None where one alone read it
    differs: bool  # whether those two differ in anything
    addendum_asked_at: datetime | None  # None where none is asked for

    @property
    def is_read(self) -> bool:
        """Whether a miss or an overcall was looked for, and decided."""
        return any(item.kind in DISCREPANCIES for item in self.adjudications)

    @property
    def is_found(self) -> bool:
        """Whether a miss or an overcall is confirmed."""
        return _finds(self.adjudications)


@dataclass(slots=True)
class JudgedTable:
    """Judged cases by their numbers, and how many were not judged."""

    mark: ReadMark = field(default_factory=lambda: ReadMark(last=0, count=0))
    cases: dict[int, JudgedCase] = field(default_factory=dict)
    reopened: set[int] = field(default_factory=set)  # were judged, and are not any more
    unread: tuple[UnreadCount, ...] = ()
    unread_at: datetime | None = None

    def refresh(self, store: Store, *, now: datetime) -> bool:
        """Bring the table up to what was judged since, and return whether anything changed.

        Raises:
            UnreadableRecordError: a judgement is stored in a form that this release does not know.
            OutOfResourcesError: the store is not available.
        """
        with store.reading() as connection:
            mark = read_mark(connection)
            changed = mark != self.mark
            if changed:
                number, case_ids = cases_read_after(connection, self.mark.last)
                if self.mark.count + number == mark.count:
                    self._take(read_cases(connection, case_ids))
                else:  # something was erased, or came in under a number that was passed by
                    self.cases.clear()
                    self.reopened.clear()
                    self._take(all_read_cases(connection))
                self.mark = mark
            age = None if self.unread_at is None else (now - self.unread_at).total_seconds()
            if changed or age is None or age >= UNREAD_SECONDS:
                self.unread = count_unread(connection, self.reopened)
                self.unread_at = now
                changed = True
        return changed

    def _take(self, found: Iterable[ReadCase]) -> None:
        for case in found:
            self.cases.pop(case.case_id, None)
            self.reopened.discard(case.case_id)
            judged = _judged(case)
            if judged is not None:
                self.cases[case.case_id] = judged
            elif any(item.concludes for item in case.reads):
                self.reopened.add(case.case_id)


def unread_chance(count: UnreadCount) -> float | None:
    """Return how likely cases that were not judged were to be read; None where nobody knows."""
    return chance_of_reading(count.outcome, count.probability, is_read=False)


def _judged(case: ReadCase) -> JudgedCase | None:
    final = concluding(case.reads)
    if final is None or final.judgement is None:
        return None
    judgement = final.judgement
    outcome, probability = case.drawn[final.revision]
    pair = [
        item.judgement
        for item in standing(case.reads, final.revision)
        if item.act is ReadAct.JUDGED and item.judgement is not None
    ][:2]
    month = _MONTH.fullmatch(case.study_date or "")
    return JudgedCase(
        patient=case.patient,
        site=case.site,
        month=f"{month[1]}-{month[2]}" if month else None,
        is_flagged=outcome == Outcome.DISCREPANT.value,
        probability=chance_of_reading(outcome, probability, is_read=True),
        adjudications=adjudications_of(judgement),
        verdicts=tuple((item.verdict, item.cause) for item in judgement.verdicts),
        added=len(judgement.added),
        radpeer=judgement.radpeer,
        is_arbitrated=final.act is ReadAct.ARBITRATED,
        found_twice=_found_twice(pair),
        differs=len(pair) > 1 and bool(disagreements(pair[0], pair[1])),
        addendum_asked_at=final.at if judgement.asks_for_addendum else None,
    )


def _found_twice(pair: list[Judgement]) -> tuple[bool, bool] | None:
    if len(pair) < 2:
        return None
    return _finds(adjudications_of(pair[0])), _finds(adjudications_of(pair[1]))


def _finds(adjudications: Iterable[Adjudication]) -> bool:
    return any(item.confirmed and item.kind in DISCREPANCIES for item in adjudications)
