"""Which case an image or a report belongs to: by study UID, else by accession number within one patient.

These functions run inside the transaction that acts on their answer.
"""

from typing import Any

from sqlalchemy import Connection, Row

from overread.errors import ContradictionError
from service.store import queries
from service.store.changes import CaseRow


def is_same_patient(one: str | None, other: str | None) -> bool:
    """Whether two patient ids may be of the same person: an unknown one contradicts nobody."""
    return not one or not other or one == other


def lock_names(study_instance_uid: str | None, accession_number: str | None) -> tuple[str, ...]:
    """Return the names to lock so that the two halves of a case cannot miss one another."""
    names = [f"study {study_instance_uid}"] if study_instance_uid else []
    return (*names, f"accession {accession_number}") if accession_number else tuple(names)


def case_for_study(connection: Connection, study: Row[Any]) -> tuple[CaseRow | None, tuple[CaseRow, ...]]:
    """Return the case that waits for a study, and the cases that name it but are of another patient."""
    own = connection.execute(
        queries.CASE_OF_STUDY, {"study_instance_uid": study.study_instance_uid}
    ).one_or_none()
    if own is not None:
        return (own, ()) if is_same_patient(own.patient_id, study.patient_id) else (None, (own,))
    if study.accession_number is None:
        return None, ()
    waiting = [case for case in _of_accession(connection, study) if case.study_instance_uid is None]
    same = [case for case in waiting if is_same_patient(case.patient_id, study.patient_id)]
    others = tuple(case for case in waiting if case not in same)
    return (same[0], ()) if same else (None, others)


def case_for_report(
    connection: Connection,
    *,
    study_instance_uid: str | None,
    accession_number: str | None,
    patient_id: str | None,
) -> CaseRow | None:
    """Return the open case that a report belongs to, None if it is the first half of a new one.

    Raises:
        ContradictionError: the study or the accession number is of another patient, or names several studies.
    """
    if study_instance_uid is not None:
        uid = {"study_instance_uid": study_instance_uid}
        case = connection.execute(queries.CASE_OF_STUDY, uid).one_or_none()
        study = connection.execute(queries.STUDY, uid).one_or_none()
        for half in (case, study):
            if half is not None and not is_same_patient(half.patient_id, patient_id):
                raise ContradictionError(f"study {study_instance_uid} is of another patient than the report")
        if case is not None:
            return case
    if accession_number is None:
        return None
    return _case_of_accession(connection, accession_number, patient_id, study_instance_uid)


def study_for_report(
    connection: Connection, *, accession_number: str | None, patient_id: str | None
) -> Row[Any] | None:
    """Return the study whose images are still arriving that an accession number names, if there is just one.

    Raises:
        ContradictionError: every such study is of another patient.
    """
    if accession_number is None:
        return None
    key = {"accession_number": accession_number}
    arriving = connection.execute(queries.STUDIES_OF_ACCESSION, key).all()
    same = [study for study in arriving if is_same_patient(study.patient_id, patient_id)]
    if arriving and not same:
        raise _other_patient(accession_number)
    return same[0] if len(same) == 1 else None


def _case_of_accession(
    connection: Connection, accession_number: str, patient_id: str | None, study_instance_uid: str | None
) -> CaseRow | None:
    key = {"accession_number": accession_number}
    found = connection.execute(queries.CASES_OF_ACCESSION, key).all()
    same = [case for case in found if is_same_patient(case.patient_id, patient_id)]
    if found and not same:
        raise _other_patient(accession_number)
    if study_instance_uid is not None:  # a case of another study under the same accession number is not meant
        same = [case for case in same if case.study_instance_uid is None]
    # Of several studies under one accession number, further versions go where the first one went.
    chosen = [case for case in same if case.report_version is not None] or same
    if len(chosen) > 1:
        raise ContradictionError(
            f"accession number {accession_number} names {len(chosen)} studies; send study_instance_uid too"
        )
    return chosen[0] if chosen else None


def _of_accession(connection: Connection, study: Row[Any]) -> list[CaseRow]:
    key = {"accession_number": study.accession_number}
    return list(connection.execute(queries.CASES_OF_ACCESSION, key))


def _other_patient(accession_number: str) -> ContradictionError:
    return ContradictionError(f"accession number {accession_number} is of another patient than the report")
