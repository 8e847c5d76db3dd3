"""Origins of reports: when each version was made, by whom, and what that reader reads for."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from sqlalchemy import Connection, bindparam, select

from service.store.account_tables import people
from service.store.schema import report_versions
from service.store.second_read_tables import report_authors

_ORIGINS = (
    select(
        report_versions.c.case_id,
        report_versions.c.version,
        report_versions.c.issued_at,
        report_authors.c.author,
        people.c.subspecialties,
    )
    .select_from(
        report_versions.outerjoin(
            report_authors,
            (report_authors.c.case_id == report_versions.c.case_id)
            & (report_authors.c.version == report_versions.c.version),
        ).outerjoin(people, people.c.name == report_authors.c.author)
    )
    .where(report_versions.c.case_id.in_(bindparam("case_ids", expanding=True)))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOrigin:
    """Origin of one version of a report; None where its sender does not say."""

    issued_at: datetime | None
    author: str | None  # as an account is named
    subspecialties: tuple[str, ...]  # of the author's account, ascending; empty without one


def origins_of(connection: Connection, case_ids: Collection[int]) -> dict[tuple[int, int], ReportOrigin]:
    """Return the origins of every version of the reports of cases, by case and version."""
    return {
        (row.case_id, row.version): ReportOrigin(
            issued_at=row.issued_at,
            author=row.author,
            subspecialties=tuple(sorted(_names(row.subspecialties))),
        )
        for row in connection.execute(_ORIGINS, {"case_ids": list(case_ids)})
    }


def shift_of(at: datetime | None, starts: Mapping[str, time]) -> str | None:
    """Return the shift that a moment lies in, by the clock of this machine; None where either is not known.

    Args:
        at: the moment, with its zone.
        starts: when each shift begins; the last one of a day goes on into the next.
    """
    if at is None or not starts:
        return None
    clock = at.astimezone().time()
    ascending = sorted(starts, key=lambda name: starts[name])
    begun = [name for name in ascending if starts[name] <= clock]
    return (begun or ascending)[-1]


def _names(stored: Any) -> list[str]:
    return list(json.loads(stored)) if stored else []
