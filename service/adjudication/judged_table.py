"""Judged cases as a table that is kept: loaded once, then brought up to what was judged since.

The first look reads every judgement; each later one reads those of the cases whose acts came since.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from overread.cohort import Adjudication
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
from service.store.json_format import from_json
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

UNREAD_SECONDS = 600.0
"""Age from which on the cases that nobody judged are counted again."""

_MONTH = re.compile(r"([0-9]{4})(0[1-9]|1[0-2])[0-9]{2}")  # DA (PS3.5 6.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one judgement says; those of many cases say the same, and share it."""

    adjudications: tuple[Adjudication, ...]
    verdicts: tuple[tuple[Verdict, RejectionCause | None], ...]
    added: int
    radpeer: Radpeer | None
    asks_for_addendum: bool
    is_read: bool  # whether anything was decided
    is_found: bool  # whether image and report are confirmed to disagree


def said_by(judgement: Judgement) -> Said:
    """Return what a judgement says."""
    adjudications = adjudications_of(judgement)
    return Said(
        adjudications=adjudications,
        verdicts=tuple((item.verdict, item.cause) for item in judgement.verdicts),
        added=len(judgement.added),
        radpeer=judgement.radpeer,
        asks_for_addendum=judgement.asks_for_addendum,
        is_read=bool(adjudications),
        is_found=any(item.is_found for item in adjudications),
    )


class JudgedCase(NamedTuple):  # in a third of the time of a dataclass
    """What a judgement that counts says of one case."""

    patient: str
    site: str | None
    month: str | None  # of the study, such as "2026-03"
    is_flagged: bool
    probability: float | None  # of being read; None where nobody knows
    said: Said
    judged_at: datetime
    is_arbitrated: bool = False
    found_twice: tuple[bool, bool] | None = None  # by two independent readers; None where one alone read it
    differs: bool = False  # whether those two differ in anything


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
                further = cases_read_after(connection, self.mark.last) if self.mark.count else None
                if further is not None and self.mark.count + further[0] == mark.count:
                    self._take(read_cases(connection, further[1]))
                else:  # the first look; or something was erased, or came under a number that was passed by
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
    if final is None or final.content is None:
        return None
    first, second = _independent(case, final.revision) if len(case.reads) > 1 else (None, None)
    return JudgedCase(
        patient=case.patient,
        site=case.site,
        month=_month(case.study_date),
        is_flagged=final.outcome == Outcome.DISCREPANT.value,
        probability=chance_of_reading(final.outcome, final.probability, is_read=True),
        said=_said(final.content),
        judged_at=final.happened_at,
        is_arbitrated=final.act == ReadAct.ARBITRATED,
        found_twice=(_said(first).is_found, _said(second).is_found) if first and second else None,
        differs=first != second and bool(first and second and _differ(first, second)),
    )


def _independent(case: ReadCase, revision: int) -> tuple[str | None, str | None]:
    """Return the first two judgements of a revision that were made independently; neither of one alone."""
    pair = [item.content for item in standing(case.reads, revision) if item.act == ReadAct.JUDGED]
    return (pair[0], pair[1]) if len(pair) > 1 else (None, None)


@lru_cache(maxsize=20_000)
def _said(content: str) -> Said:
    return said_by(from_json(Judgement, content))


@lru_cache(maxsize=5_000)
def _differ(first: str, second: str) -> bool:
    return bool(disagreements(from_json(Judgement, first), from_json(Judgement, second)))


@lru_cache(maxsize=5_000)
def _month(study_date: str | None) -> str | None:
    found = _MONTH.fullmatch(study_date or "")
    return f"{found[1]}-{found[2]}" if found else None
