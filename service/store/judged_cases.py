"""What second reads said, read for whole stores at once, and what nobody has judged, counted."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Row, Select, bindparam, exists, func, select

from service.store.schema import cases, studies, triage_results
from service.store.second_read_tables import audit_draws, second_reads
from service.store.second_reads import JUDGEMENTS, ActOnCase, ReadAct
from service.store.sight import cases_in_sight

_ACTS = [act.value for act in (*JUDGEMENTS, ReadAct.UNDONE)]
_CHUNK = 500
_RANGE = 20_000  # numbers of cases that one query looks through

_CONCLUDED = exists().where(second_reads.c.case_id == cases.c.case_id, second_reads.c.concludes)
_READS = (
    select(
        second_reads.c.case_id,
        second_reads.c.read_id,
        second_reads.c.revision,
        second_reads.c.act,
        second_reads.c.undoes,
        second_reads.c.concludes,
        second_reads.c.happened_at,
        second_reads.c.content,
        cases.c.site,
        studies.c.study_instance_uid,
        studies.c.patient_id,
        studies.c.issuer_of_patient_id,
        studies.c.study_date,
        triage_results.c.outcome,
        audit_draws.c.probability,
    )
    .join(cases, cases.c.case_id == second_reads.c.case_id)
    .join(studies, studies.c.study_instance_uid == cases.c.study_instance_uid)
    .outerjoin(
        triage_results,
        (triage_results.c.case_id == second_reads.c.case_id)
        & (triage_results.c.revision == second_reads.c.revision),
    )
    .outerjoin(
        audit_draws,
        (audit_draws.c.case_id == second_reads.c.case_id)
        & (audit_draws.c.revision == second_reads.c.revision),
    )
    .where(second_reads.c.act.in_(_ACTS))
    .order_by(second_reads.c.case_id, second_reads.c.read_id)
)
_OF_RANGE = _READS.where(
    second_reads.c.case_id > bindparam("after"), second_reads.c.case_id <= bindparam("upto")
)
_OF_CASES = _READS.where(second_reads.c.case_id.in_(bindparam("case_ids", expanding=True)))
_LAST_CASE = select(func.max(second_reads.c.case_id))
_MARK = select(func.coalesce(func.max(second_reads.c.read_id), 0), func.count(second_reads.c.read_id))
_CHANGED = select(second_reads.c.case_id).where(second_reads.c.read_id > bindparam("after"))
_LATEST = (
    select(triage_results.c.outcome, audit_draws.c.probability, func.count().label("number"))
    .select_from(cases)
    .join(studies, studies.c.study_instance_uid == cases.c.study_instance_uid)
    .join(
        triage_results,
        (triage_results.c.case_id == cases.c.case_id)
        & (triage_results.c.revision == cases.c.result_revision),
    )
    .outerjoin(
        audit_draws,
        (audit_draws.c.case_id == cases.c.case_id) & (audit_draws.c.revision == cases.c.result_revision),
    )
    .group_by(triage_results.c.outcome, audit_draws.c.probability)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMark:
    """State of the second reads: as long as it is the same, nothing was read, and nothing was erased."""

    last: int  # number of the latest act, 0 of none
    count: int  # acts


class BulkRead(ActOnCase, Protocol):
    """Row of an act, with its content as it is stored: of 200,000 only few differ."""

    @property
    def happened_at(self) -> datetime: ...  # noqa: D102
    @property
    def content(self) -> str | None: ...  # noqa: D102
    @property
    def outcome(self) -> str | None: ...  # noqa: D102  # of the revision that was judged
    @property
    def probability(self) -> float | None: ...  # noqa: D102  # of the draw of this revision


class ReadCase(NamedTuple):  # in a third of the time of a dataclass
    """A case with what second readers judged of it, and with what is known of it besides."""

    case_id: int
    patient: str  # as a cohort has it
    site: str | None
    study_date: str | None  # YYYYMMDD
    reads: tuple["BulkRead", ...]  # judgements, arbitrations and undoings, oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadCount:
    """Number of cases that nobody judged to the end, of one outcome and one probability of being drawn."""

    outcome: str
    probability: float | None  # of the draw; None where there was none
    cases: int


def read_mark(connection: Connection) -> ReadMark:
    """Return the state of the second reads of every site."""
    last, count = connection.execute(_MARK).one()
    return ReadMark(last=last, count=count)


def cases_read_after(connection: Connection, read_id: int) -> tuple[int, tuple[int, ...]]:
    """Return how many acts came after one, and the numbers of their cases."""
    rows = connection.execute(_CHANGED, {"after": read_id}).scalars().all()
    return len(rows), tuple(sorted(set(rows)))


def all_read_cases(connection: Connection) -> Iterator[ReadCase]:
    """Yield every case that may be seen and of which something was judged."""
    last = connection.execute(_LAST_CASE).scalar() or 0
    for after in range(0, last, _RANGE):
        yield from _cases(connection, _OF_RANGE, {"after": after, "upto": after + _RANGE})


def read_cases(connection: Connection, case_ids: Sequence[int]) -> Iterator[ReadCase]:
    """Yield those of the cases that may be seen and of which something was judged."""
    for start in range(0, len(case_ids), _CHUNK):
        yield from _cases(connection, _OF_CASES, {"case_ids": list(case_ids[start : start + _CHUNK])})


def count_unread(connection: Connection, reopened: Collection[int]) -> tuple[UnreadCount, ...]:
    """Return how many cases that may be seen were never judged to the end.

    Args:
        connection: to the store.
        reopened: numbers of cases whose judgement was taken back, so that they count as not judged.
    """
    never = _LATEST.where(cases_in_sight(connection), ~_CONCLUDED)
    found = [_unread(row) for row in connection.execute(never)]
    numbers = list(reopened)
    for start in range(0, len(numbers), _CHUNK):
        some = cases.c.case_id.in_(numbers[start : start + _CHUNK])
        found += [_unread(row) for row in connection.execute(_LATEST.where(some, cases_in_sight(connection)))]
    return tuple(found)


def _cases(connection: Connection, query: Select[Any], bound: dict[str, Any]) -> Iterator[ReadCase]:
    rows = connection.execute(query.where(cases_in_sight(connection)), bound)
    for case_id, own in groupby(rows, key=itemgetter(0)):
        some: tuple[Any, ...] = tuple(own)
        first = some[0]
        patient = f"{first.issuer_of_patient_id or ''}|{first.patient_id or first.study_instance_uid}"
        yield ReadCase(case_id, patient, first.site, first.study_date, some)


def _unread(row: Row[Any]) -> UnreadCount:
    return UnreadCount(outcome=row.outcome, probability=row.probability, cases=row.number)
