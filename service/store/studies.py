"""Studies as their images describe them: found, added and changed inside the caller's transaction."""

from datetime import datetime

from overread.errors import NotFoundError
from service.store import queries
from service.store.database import Store, Transaction
from service.store.records import StudyRecord
from service.store.rows import study_of
from service.store.sight import studies_in_sight


def find_study(transaction: Transaction, study_instance_uid: str) -> StudyRecord | None:
    """Return one study; None while no object of it has been recorded."""
    key = {"study_instance_uid": study_instance_uid}
    row = transaction.execute(queries.STUDY, key).one_or_none()
    return None if row is None else study_of(row)


def require_study(transaction: Transaction, study_instance_uid: str) -> StudyRecord:
    """Return one study.

    Raises:
        NotFoundError: no object of it has been recorded.
    """
    key = {"study_instance_uid": study_instance_uid}
    row = transaction.execute(queries.STUDY.where(studies_in_sight(transaction)), key).one_or_none()
    if row is None:
        raise NotFoundError(f"no image of study {study_instance_uid} has been received")
    return study_of(row)


def studies_of_accession(transaction: Transaction, accession_number: str) -> tuple[StudyRecord, ...]:
    """Return every study whose images carry this accession number."""
    key = {"accession_number": accession_number}
    return tuple(map(study_of, transaction.execute(queries.STUDIES_OF_ACCESSION, key)))


def quiet_studies(store: Store, *, before: datetime, beyond: datetime, limit: int) -> tuple[str, ...]:
    """Return the UIDs of open studies without a new image since `before`, the quietest first.

    An image that came after `beyond` came in no time that can be: the clock had run ahead.
    """
    bound = {"before": before, "beyond": beyond, "limit": limit}
    with store.reading() as transaction:
        return tuple(transaction.execute(queries.QUIET_STUDIES, bound).scalars())


def add_study(transaction: Transaction, study_instance_uid: str, **columns: object) -> None:
    """Add a study; columns that are not given stay empty."""
    transaction.execute(queries.ADD_STUDY, {"study_instance_uid": study_instance_uid, **columns})


def change_study(transaction: Transaction, study_instance_uid: str, **columns: object) -> None:
    """Change these columns of a study."""
    transaction.execute(queries.CHANGE_STUDY, {"changed_study": study_instance_uid, **columns})
