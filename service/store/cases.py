"""Cases, found inside the transaction that acts on them.

How they change is in `service.store.changes`, and how they stand in `service.store.worklist`.
"""

from typing import Any

from sqlalchemy import Select

from overread.case import CaseState
from overread.errors import NotFoundError
from service.store import queries
from service.store.database import Transaction
from service.store.records import CaseRecord
from service.store.rows import case_of
from service.store.sight import cases_in_sight


def find_case(transaction: Transaction, case_id: int) -> CaseRecord:
    """Return one case as it stands, which others may change.

    Raises:
        NotFoundError: there is no such case.
    """
    return _case(transaction, queries.CASE, case_id)


def case_for_change(transaction: Transaction, case_id: int) -> CaseRecord:
    """Return one case, kept from other writers until the transaction ends.

    Raises:
        NotFoundError: there is no such case.
    """
    return _case(transaction, queries.CASE_FOR_CHANGE, case_id)


def case_of_study(transaction: Transaction, study_instance_uid: str) -> CaseRecord | None:
    """Return the case of a study; None while it has not been opened."""
    key = {"study_instance_uid": study_instance_uid}
    row = transaction.execute(queries.CASE_OF_STUDY, key).one_or_none()
    return None if row is None else case_of(row)


def cases_of_accession(transaction: Transaction, accession_number: str) -> tuple[CaseRecord, ...]:
    """Return the cases with an accession number, oldest first."""
    key = {"accession_number": accession_number}
    return tuple(map(case_of, transaction.execute(queries.CASES_OF_ACCESSION, key)))


def listed_under_other_policy(
    transaction: Transaction, policy_version: str, *, limit: int
) -> tuple[int, ...]:
    """Return the numbers of LISTED cases whose latest result was made under another policy."""
    bound = {"state": CaseState.LISTED.value, "version": policy_version, "limit": limit}
    return tuple(transaction.execute(queries.WEIGHED_OTHERWISE, bound).scalars())


def _case(transaction: Transaction, query: Select[Any], case_id: int) -> CaseRecord:
    row = transaction.execute(query.where(cases_in_sight(transaction)), {"case_id": case_id}).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no case {case_id}")
    return case_of(row)
