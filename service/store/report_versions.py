"""Versions of the reports, each as it was received; found and added inside the caller's transaction."""

from dataclasses import asdict

from service.store import queries
from service.store.database import Transaction
from service.store.records import ReportVersion
from service.store.rows import report_of


def report_versions(transaction: Transaction, case_id: int) -> tuple[ReportVersion, ...]:
    """Return the versions of the report of a case, oldest first."""
    return tuple(map(report_of, transaction.execute(queries.REPORT_VERSIONS, {"case_id": case_id})))


def add_report_version(transaction: Transaction, case_id: int, version: ReportVersion) -> None:
    """Add a version to the report of a case."""
    row = {**asdict(version), "status": version.status.value}
    transaction.execute(queries.ADD_REPORT_VERSION, {"case_id": case_id, **row})
