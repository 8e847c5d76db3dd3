"""The tables in which the database keeps counts of the cases, in the transaction that changes a case.

A trigger on the cases does it (revision 0021). On SQLite, where one transaction writes at a time, it changes
`case_counts`. On PostgreSQL transactions that change one row would wait for each other, so it only adds to
`case_count_changes`, and `service.store.case_counts.fold_counts` takes that up now and then. The counts are
the sum of both.
"""

from sqlalchemy import BigInteger, Column, Integer, String, Table, select, union_all

from service.store.column_types import RowNumber
from service.store.metadata import metadata


def _told_apart_by(*, is_key: bool) -> tuple[Column[str] | Column[int], ...]:
    """Return what counts are told apart by; empty where the column of the case is null."""
    return (
        Column("state", String(32), primary_key=is_key, nullable=False),
        Column("site", String(64), primary_key=is_key, nullable=False),
        # Of a case that is not LISTED the following are empty and -1.
        Column("subspecialty", String(64), primary_key=is_key, nullable=False),
        Column("actionable", String(16), primary_key=is_key, nullable=False),
        # The priority without what is behind the point, in [0, 100].
        Column("band", Integer, primary_key=is_key, nullable=False, autoincrement=False),
    )


case_counts = Table(
    "case_counts",
    metadata,
    *_told_apart_by(is_key=True),
    Column("cases", BigInteger, nullable=False),
)

# What is still to be added to them. Nothing on SQLite.
case_count_changes = Table(
    "case_count_changes",
    metadata,
    Column("change_id", RowNumber, primary_key=True),
    *_told_apart_by(is_key=False),
    Column("cases", BigInteger, nullable=False),
)

kept = union_all(
    select(case_counts), select(*(case_count_changes.c[column.name] for column in case_counts.c))
).subquery("kept")
"""The counts, several rows of one thing, which are to be added up."""
