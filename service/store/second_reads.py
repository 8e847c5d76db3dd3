"""Second reads in the database: appended within transactions, never changed.

What a second reader sends carries a submission, which is the same when it is sent again: it is recorded once.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Row, bindparam, insert, select

from overread.actor import Actor
from overread.errors import ContradictionError
from overread.second_read import Judgement, OwnRead
from service.store.audit_entries import LOCAL, AuditAction, AuditEntry
from service.store.audit_trail import record_act
from service.store.json_format import from_json, to_json
from service.store.records import CaseRecord, actor_columns, actor_of
from service.store.result_occasions import Moment, add_occasion, has_occasion
from service.store.schema import cases
from service.store.second_read_tables import audit_draws, second_reads
from service.store.sight import cases_in_sight

Content = OwnRead | Judgement


class ReadAct(StrEnum):
    """Act of a second reader on a case."""

    OPENED = "OPENED"  # saw the case for the first time
    COMMITTED = "COMMITTED"  # an own read, upon which detector and report are shown
    JUDGED = "JUDGED"
    ARBITRATED = "ARBITRATED"  # a judgement that decides between others
    UNDONE = "UNDONE"  # a judgement or an arbitration of one's own


JUDGEMENTS = frozenset({ReadAct.JUDGED, ReadAct.ARBITRATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRead:
    """Act to be recorded."""

    act: ReadAct
    actor: Actor
    at: datetime
    submission: str  # 1 to 100 characters, the same when it is sent again
    content: Content | None = None
    undoes: int | None = None
    sent_from: str = LOCAL  # address of the client
    concludes: bool = False  # whether it makes the case JUDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """One act of a second reader."""

    read_id: int
    case_id: int
    revision: int  # of the triage result that was judged
    act: ReadAct
    at: datetime
    actor: Actor
    own_read: OwnRead | None  # of COMMITTED alone
    judgement: Judgement | None  # of JUDGED and ARBITRATED alone
    undoes: int | None
    concludes: bool  # whether it made the case JUDGED

    @property
    def content(self) -> Content | None:
        """The own read or the judgement; None of the other acts."""
        return self.own_read or self.judgement


class ActOnCase(Protocol):
    """What tells of an act whether it counts: a record has it, and so has a row of the table."""

    @property
    def read_id(self) -> int: ...  # noqa: D102
    @property
    def revision(self) -> int: ...  # noqa: D102
    @property
    def act(self) -> str: ...  # noqa: D102
    @property
    def undoes(self) -> int | None: ...  # noqa: D102
    @property
    def concludes(self) -> bool: ...  # noqa: D102


A = TypeVar("A", bound=ActOnCase)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDraw:
    """Draw of a concordant result for the audit."""

    revision: int
    stratum: str
    probability: float  # of being drawn, in [0, 1]
    is_drawn: bool


_ADD = insert(second_reads).returning(second_reads)
_OF_CASE = (
    select(second_reads)
    .where(second_reads.c.case_id == bindparam("case_id"))
    .order_by(second_reads.c.read_id)
)
_OF_SUBMISSION = select(second_reads).where(second_reads.c.submission == bindparam("submission"))
_COMMITTED = select(second_reads.c.case_id).where(
    second_reads.c.act == ReadAct.COMMITTED.value,
    second_reads.c.actor_identifier == bindparam("identifier"),
    second_reads.c.case_id.in_(bindparam("case_ids", expanding=True)),
)
_DRAWN = select(audit_draws.c.case_id).where(
    audit_draws.c.is_drawn, audit_draws.c.case_id.in_(bindparam("case_ids", expanding=True))
)
_DRAWS = select(audit_draws).where(audit_draws.c.case_id.in_(bindparam("case_ids", expanding=True)))
_ADD_DRAW = insert(audit_draws)
_JUDGED = (
    select(second_reads.c.case_id)
    .join(cases, cases.c.case_id == second_reads.c.case_id)
    .where(
        second_reads.c.case_id > bindparam("after"),
        second_reads.c.concludes,
        second_reads.c.happened_at >= bindparam("since"),
        second_reads.c.happened_at < bindparam("until"),
    )
    .group_by(second_reads.c.case_id)
    .order_by(second_reads.c.case_id)
    .limit(bindparam("limit"))
)


def judged_between(
    connection: Connection, since: datetime, until: datetime, *, after: int, limit: int
) -> tuple[int, ...]:
    """Return the numbers of cases that were judged to the end in a period, in order, after one of them."""
    bound = {"since": since, "until": until, "after": after, "limit": limit}
    return tuple(connection.execute(_JUDGED.where(cases_in_sight(connection)), bound).scalars())


def reads_of(connection: Connection, case_id: int) -> tuple[ReadRecord, ...]:
    """Return everything that second readers did with a case, oldest first.

    Raises:
        UnreadableRecordError: one is stored in a form that this release does not know.
    """
    return tuple(map(read_of, connection.execute(_OF_CASE, {"case_id": case_id})))


def recorded_before(connection: Connection, new: NewRead, case_id: int) -> ReadRecord | None:
    """Return what a submission recorded when it was sent before; None where it is new.

    Raises:
        ContradictionError: it was of another person, case or content.
    """
    row = connection.execute(_OF_SUBMISSION, {"submission": new.submission}).one_or_none()
    if row is None:
        return None
    if (row.case_id, row.actor_identifier, row.content_sha256) != (
        case_id,
        new.actor.identifier,
        _sha256(new),
    ):
        raise ContradictionError("this submission was used for something else; load the page again")
    return read_of(row)


def add_read(connection: Connection, case: CaseRecord, new: NewRead) -> ReadRecord:
    """Append an act on the latest result of a case, and tell the audit trail."""
    row = connection.execute(
        _ADD,
        {
            "case_id": case.case_id,
            "revision": case.result_revision or case.revision,
            "act": new.act.value,
            "happened_at": new.at,
            **actor_columns(new.actor),
            "submission": new.submission,
            "content_sha256": _sha256(new),
            "content": None if new.content is None else to_json(new.content),
            "undoes": new.undoes,
            "concludes": new.concludes,
        },
    ).one()
    act = AuditEntry(
        at=new.at,
        actor=new.actor,
        sent_from=new.sent_from,
        action=AuditAction.CHANGED,
        what="second read",
        subject=f"case {case.case_id}",
        detail=f"{new.act.value}, entry {row.read_id}",
    )
    record_act(connection, act)
    read = read_of(row)
    if read.concludes and has_occasion(connection, case.case_id):
        add_occasion(
            connection,
            case.case_id,
            moment=Moment.JUDGEMENT,
            revision=read.revision,
            judgement_id=read.read_id,
            now=new.at,
        )
    return read


def committed_cases(connection: Connection, case_ids: Collection[int], actor: Actor) -> frozenset[int]:
    """Return those of the cases of which somebody committed an own read."""
    bound = {"identifier": actor.identifier, "case_ids": list(case_ids)}
    return frozenset(connection.execute(_COMMITTED, bound).scalars())


def drawn_cases(connection: Connection, case_ids: Collection[int]) -> frozenset[int]:
    """Return those of the cases that were drawn for the audit, of any revision."""
    return frozenset(connection.execute(_DRAWN, {"case_ids": list(case_ids)}).scalars())


def draws_of(connection: Connection, case_ids: Collection[int]) -> dict[tuple[int, int], AuditDraw]:
    """Return the draws of cases, by case and revision: one for each result that was concordant."""
    return {
        (row.case_id, row.revision): AuditDraw(
            revision=row.revision,
            stratum=row.stratum,
            probability=row.probability,
            is_drawn=bool(row.is_drawn),
        )
        for row in connection.execute(_DRAWS, {"case_ids": list(case_ids)})
    }


def add_draw(
    connection: Connection, case_id: int, draw: AuditDraw, *, policy_version: str, now: datetime
) -> None:
    """Append the draw of a concordant result."""
    connection.execute(
        _ADD_DRAW,
        {
            "case_id": case_id,
            "revision": draw.revision,
            "stratum": draw.stratum,
            "probability": draw.probability,
            "is_drawn": draw.is_drawn,
            "policy_version": policy_version,
            "drawn_at": now,
        },
    )


def standing(reads: Sequence[A], revision: int | None) -> tuple[A, ...]:
    """Return the judgements and arbitrations of a revision that were not undone, oldest first."""
    undone = {item.undoes for item in reads}
    return tuple(
        item
        for item in reads
        if item.act in JUDGEMENTS and item.revision == revision and item.read_id not in undone
    )


def concluding(reads: Sequence[A]) -> A | None:
    """Return the judgement of a case that counts, of the latest revision that has one; None without one.

    What made the case JUDGED counts as long as nothing of its revision was undone after it.
    """
    revisions = {item.read_id: item.revision for item in reads}
    counting: dict[int, A] = {}
    for item in reads:
        if item.concludes:
            counting[item.revision] = item
        elif item.act == ReadAct.UNDONE and item.undoes is not None:
            counting.pop(revisions[item.undoes], None)
    return counting[max(counting)] if counting else None


def _sha256(new: NewRead) -> str:
    """Return the hash of what is sent: the act of a judge and an arbiter is the same to its sender."""
    content = "" if new.content is None else to_json(new.content)
    return hashlib.sha256(f"{content}\0{new.undoes}".encode()).hexdigest()


def read_of(row: Row[Any]) -> ReadRecord:
    """Return the act of a row of `second_reads`.

    Raises:
        UnreadableRecordError: it is stored in a form that this release does not know.
    """
    act = ReadAct(row.act)
    return ReadRecord(
        read_id=row.read_id,
        case_id=row.case_id,
        revision=row.revision,
        act=act,
        at=row.happened_at,
        actor=actor_of(row),
        own_read=from_json(OwnRead, row.content) if act is ReadAct.COMMITTED else None,
        judgement=from_json(Judgement, row.content) if act in JUDGEMENTS else None,
        undoes=row.undoes,
        concludes=bool(row.concludes),
    )
