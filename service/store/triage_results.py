"""Triage results as stored, one for each revision of a case."""

from service.store import queries
from service.store.database import Transaction
from service.store.records import TriageRecord
from service.store.rows import triage_of


def triage_result(transaction: Transaction, case_id: int, revision: int) -> TriageRecord:
    """Return the result of a revision that was triaged.

    Raises:
        pydantic.ValidationError: another release stored it, and this one cannot read it.
    """
    key = {"case_id": case_id, "revision": revision}
    result = transaction.execute(queries.RESULT, key).one()
    return triage_of(result, list(transaction.execute(queries.DETECTIONS, key)))
