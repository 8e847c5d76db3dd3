"""Versions of the reports, each as it was received; found and added inside the caller's transaction."""

from collections import defaultdict
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection

from service.store import queries
from service.store.database import Transaction
from service.store.records import ReportVersion
from service.store.rows import report_of


def report_versions(connection: Connection, case_id: int) -> tuple[ReportVersion, ...]:
    """Return the versions of the report of a case, oldest first."""
    bound = {"case_id": case_id}
    resent: defaultdict[int, list[datetime]] = defaultdict(list)
    for row in connection.execute(queries.REPORT_RESENDS, bound):
        resent[row.version].append(row.issued_at)
    return tuple(
        report_of(row, resent_at=tuple(resent[row.version]))
        for row in connection.execute(queries.REPORT_VERSIONS, bound)
    )


def add_report_version(transaction: Transaction, case_id: int, version: ReportVersion) -> None:
    """Add a version to the report of a case."""
    row = {**asdict(version), "status": version.status.value}
    del row["resent_at"]
    transaction.execute(queries.ADD_REPORT_VERSION, {"case_id": case_id, **row})


def add_report_resend(transaction: Transaction, case_id: int, version: int, again: ReportVersion) -> None:
    """Add to a version that its text came again, with another time."""
    row = {"issued_at": again.issued_at, "source": again.source, "received_at": again.received_at}
    transaction.execute(queries.ADD_REPORT_RESEND, {"case_id": case_id, "version": version, **row})
