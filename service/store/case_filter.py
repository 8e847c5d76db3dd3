"""Filter of the list: what a person asks to see of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, exists, func, select

from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable
from service.store.claim_tables import reading_claims
from service.store.count_tables import kept
from service.store.schema import cases
from service.store.second_read_tables import second_reads
from service.store.second_reads import ReadAct
from service.store.sight import cases_in_sight

_HELD_MAX = 5000  # claims that are looked through for cases that somebody has
_FEW = 300  # cases of a finding, that are looked up one by one rather than found along the list
_NEVER = -1  # the number of no case


class Sort(StrEnum):
    """Order of the list."""

    ORDER = "ORDER"  # late ones first, then by priority: what a second look helps most
    PRIORITY = "PRIORITY"
    CAP = "CAP"  # the one whose allowed wait ends first
    WAITING = "WAITING"  # the one that waits for longest
    NEWEST = "NEWEST"


class ReadingState(StrEnum):
    """Whether somebody reads a case that waits for a second reader."""

    OPEN = "OPEN"
    CLAIMED = "CLAIMED"  # by whomever
    MINE = "MINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Cases that are asked for; what is empty or None leaves nothing out."""

    findings: tuple[str, ...] = ()  # of the leading discrepancy, with all that is a kind of one where given
    kinds: tuple[DiscrepancyKind, ...] = ()  # of the leading discrepancy
    modalities: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    subspecialties: tuple[str, ...] = ()
    urgencies: tuple[Actionable, ...] = ()
    waited: timedelta | None = None  # at least
    reading: ReadingState | None = None
    reader: str = ""  # identifier of who asks, for what is MINE
    case_ids: tuple[int, ...] | None = None
    committed_by: str = ""  # identifier: only what this reader has committed an own read of
    unjudged_by: str = ""  # identifier: nothing of which a judgement of this reader stands

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left out."""
        return self == EVERYTHING

    def resolved(self, connection: Connection, now: datetime) -> "CaseFilter":
        """Return the filter with the numbers of its cases, where they are few and found apart from the list.

        Those are what readers have, and what a rare finding leaves.
        """
        if self.reading in {ReadingState.CLAIMED, ReadingState.MINE}:
            return self._held(connection, now)
        return self._rare(connection, now) if self.findings and self.case_ids is None else self

    def _held(self, connection: Connection, now: datetime) -> "CaseFilter":
        held = select(reading_claims.c.case_id).where(reading_claims.c.held_until > now).limit(_HELD_MAX)
        if self.reading is ReadingState.MINE:
            held = held.where(reading_claims.c.actor_identifier == self.reader)
        found = set(connection.execute(held).scalars())
        if self.case_ids is not None:
            found &= set(self.case_ids)
        return replace(self, reading=None, case_ids=tuple(sorted(found)))

    def _rare(self, connection: Connection, now: datetime) -> "CaseFilter":
        wanted = select(cases.c.case_id).where(cases_in_sight(connection), *self.conditions(now))
        found = connection.execute(wanted.limit(_FEW + 1)).scalars().all()
        return self if len(found) > _FEW else replace(self, case_ids=tuple(sorted(found)))

    def counted(self) -> tuple[ColumnElement[bool], ...] | None:
        """Return which of the counts that the database keeps are asked for; None where they do not tell."""
        told_apart = replace(self, sites=(), subspecialties=(), urgencies=())
        if not told_apart.is_empty:
            return None
        columns = kept.c
        made = (
            columns.site.in_(self.sites) if self.sites else None,
            columns.subspecialty.in_(self.subspecialties) if self.subspecialties else None,
            columns.actionable.in_(_values(self.urgencies)) if self.urgencies else None,
        )
        return tuple(condition for condition in made if condition is not None)

    def conditions(self, as_of: datetime, *, hides_finding: bool = False) -> tuple[ColumnElement[bool], ...]:
        """Return what makes a case one that is asked for; the filter is resolved.

        Args:
            as_of: the moment.
            hides_finding: whether the finding is asked for by a function of it. Its index, by which a rare
                one is found, then tempts SQLite no more to sort all that have a common one.
        """
        columns = cases.c
        finding = func.coalesce(columns.finding, "") if hides_finding else columns.finding
        made = [
            finding.in_(self.findings) if self.findings else None,
            columns.kind.in_(_values(self.kinds)) if self.kinds else None,
            columns.modality.in_(self.modalities) if self.modalities else None,
            columns.site.in_(self.sites) if self.sites else None,
            columns.subspecialty.in_(self.subspecialties) if self.subspecialties else None,
            columns.actionable.in_(_values(self.urgencies)) if self.urgencies else None,
            columns.waiting_since <= as_of - self.waited if self.waited is not None else None,
            _is_open(as_of) if self.reading is ReadingState.OPEN else None,
            _is_committed(self.committed_by) if self.committed_by else None,
            ~_is_judged(self.unjudged_by) if self.unjudged_by else None,
            None if self.case_ids is None else columns.case_id.in_(self.case_ids or (_NEVER,)),
        ]
        return tuple(condition for condition in made if condition is not None)


EVERYTHING = CaseFilter()


def _values(members: Iterable[StrEnum]) -> list[str]:
    return [member.value for member in members]


def _is_committed(identifier: str) -> ColumnElement[bool]:
    committed = select(second_reads.c.case_id).where(
        second_reads.c.case_id == cases.c.case_id,
        second_reads.c.act == ReadAct.COMMITTED.value,
        second_reads.c.actor_identifier == identifier,
    )
    return exists(committed)


def _is_judged(identifier: str) -> ColumnElement[bool]:
    undoing = second_reads.alias()
    judged = select(second_reads.c.case_id).where(
        second_reads.c.case_id == cases.c.case_id,
        second_reads.c.revision == cases.c.result_revision,
        second_reads.c.act == ReadAct.JUDGED.value,
        second_reads.c.actor_identifier == identifier,
        ~exists(select(undoing.c.read_id).where(undoing.c.undoes == second_reads.c.read_id)),
    )
    return exists(judged)


def _is_open(now: datetime) -> ColumnElement[bool]:
    held = select(reading_claims.c.case_id).where(
        reading_claims.c.case_id == cases.c.case_id, reading_claims.c.held_until > now
    )
    return ~exists(held)
