"""Who wrote the reports: kept to tell them of judgements and to keep them from judging themselves.

Nothing that shows a report reads this; an export gives a pseudonym in its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select

from overread.actor import Actor
from overread.errors import InputError
from service.store.people import folded
from service.store.schema import cases, report_versions, studies
from service.store.second_read_tables import report_authors
from service.store.sight import cases_in_sight

_PERSON = "person:"  # before the name of an account, in the identifier of an actor
_ADD = insert(report_authors)
_OF_CASE = select(report_authors.c.author).where(report_authors.c.case_id == bindparam("case_id"))
_CASES_OF = (
    select(cases.c.case_id, cases.c.accession_number, studies.c.study_date, studies.c.modality)
    .select_from(cases.outerjoin(studies, studies.c.study_instance_uid == cases.c.study_instance_uid))
    .where(
        cases.c.case_id.in_(
            select(report_authors.c.case_id).where(report_authors.c.author == bindparam("author"))
        )
    )
    .order_by(cases.c.case_id.desc())
    .limit(bindparam("limit"))
)
_CORRECTING = ("CORRECTED", "ADDENDUM")
_CORRECTIONS = (
    select(report_versions.c.received_at)
    .where(
        report_versions.c.case_id == bindparam("case_id"),
        report_versions.c.status.in_(_CORRECTING),
        report_versions.c.received_at > bindparam("after"),
    )
    .order_by(report_versions.c.received_at)
    .limit(1)
)
_LATEST_CORRECTIONS = (
    select(report_versions.c.case_id, func.max(report_versions.c.received_at).label("latest"))
    .where(
        report_versions.c.case_id.in_(bindparam("case_ids", expanding=True)),
        report_versions.c.status.in_(_CORRECTING),
    )
    .group_by(report_versions.c.case_id)
)
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthoredCase:
    """A case with a report of one author."""

    case_id: int
    accession_number: str | None
    study_date: str | None  # YYYYMMDD
    modality: str | None


def note_author(connection: Connection, case_id: int, version: int, author: str | None) -> None:
    """Keep who wrote a version of a report; a name that no account can have is of no use."""
    if author is None:
        return
    try:
        name = folded(author)
    except InputError:
        return
    connection.execute(_ADD, {"case_id": case_id, "version": version, "author": name})


def authors_of(connection: Connection, case_id: int) -> frozenset[str]:
    """Return who wrote any version of the report of a case, as accounts are named."""
    return frozenset(connection.execute(_OF_CASE, {"case_id": case_id}).scalars())


def wrote_report(connection: Connection, case_id: int, actor: Actor) -> bool:
    """Whether somebody wrote a version of the report of a case, as far as its sender says who did."""
    account = account_of(actor)
    return account is not None and account in authors_of(connection, case_id)


def account_of(actor: Actor) -> str | None:
    """Return the name of somebody's account; None where there is none."""
    is_account = actor.identifier.startswith(_PERSON)
    return actor.identifier.removeprefix(_PERSON) if is_account else None


def cases_by(connection: Connection, author: str, *, limit: int) -> tuple[AuthoredCase, ...]:
    """Return the cases of which somebody wrote the report, the latest first."""
    seen = _CASES_OF.where(cases_in_sight(connection))
    rows = connection.execute(seen, {"author": folded(author), "limit": limit})
    return tuple(
        AuthoredCase(
            case_id=row.case_id,
            accession_number=row.accession_number,
            study_date=row.study_date,
            modality=row.modality,
        )
        for row in rows
    )


def corrected_after(connection: Connection, case_id: int, after: datetime) -> datetime | None:
    """Return when the first addendum or corrected report came after a moment; None while there is none."""
    bound = {"case_id": case_id, "after": after}
    found: datetime | None = connection.execute(_CORRECTIONS, bound).scalar_one_or_none()
    return found


def latest_corrections(connection: Connection, case_ids: Sequence[int]) -> dict[int, datetime]:
    """Return when the latest addendum or corrected report of cases came; without one a case is left out."""
    found: dict[int, datetime] = {}
    for start in range(0, len(case_ids), _CHUNK):
        bound = {"case_ids": list(case_ids[start : start + _CHUNK])}
        found |= {row.case_id: row.latest for row in connection.execute(_LATEST_CORRECTIONS, bound)}
    return found
