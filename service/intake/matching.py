"""Matching of an image or a report to its case: by study UID, else by accession number within one patient.

These functions run inside the transaction that acts on their answer.
"""

from overread.errors import ContradictionError
from service.store import locks
from service.store.cases import case_of_study, cases_of_accession
from service.store.database import Transaction
from service.store.records import CaseRecord, StudyRecord
from service.store.studies import find_study, studies_of_accession


def is_same_patient(one: str | None, other: str | None) -> bool:
    """Whether two patient ids may be of the same person: an unknown one contradicts nobody."""
    return not one or not other or one == other


def locks_of_case(study_instance_uid: str | None, accession_number: str | None) -> tuple[locks.Lock, ...]:
    """Return the locks under which the two halves of a case cannot miss one another."""
    study = [locks.study(study_instance_uid)] if study_instance_uid else []
    return (*study, locks.accession(accession_number)) if accession_number else tuple(study)


def case_for_study(
    connection: Transaction, study: StudyRecord
) -> tuple[CaseRecord | None, tuple[CaseRecord, ...]]:
    """Return the case that waits for a study, and the cases that name it but are of another patient."""
    own = case_of_study(connection, study.study_instance_uid)
    if own is not None:
        return (own, ()) if is_same_patient(own.patient_id, study.patient_id) else (None, (own,))
    if study.accession_number is None:
        return None, ()
    found = cases_of_accession(connection, study.accession_number)
    waiting = [case for case in found if case.study_instance_uid is None]
    same = [case for case in waiting if is_same_patient(case.patient_id, study.patient_id)]
    others = tuple(case for case in waiting if case not in same)
    return (same[0], ()) if same else (None, others)


def case_for_report(
    connection: Transaction,
    *,
    study_instance_uid: str | None,
    accession_number: str | None,
    patient_id: str | None,
) -> CaseRecord | None:
    """Return the open case that a report belongs to, None if it is the first half of a new one.

    Raises:
        ContradictionError: the study or the accession number is of another patient, or names several studies.
    """
    if study_instance_uid is not None:
        case = case_of_study(connection, study_instance_uid)
        study = find_study(connection, study_instance_uid)
        for half in (case, study):
            if half is not None and not is_same_patient(half.patient_id, patient_id):
                raise ContradictionError(f"study {study_instance_uid} is of another patient than the report")
        if case is not None:
            return case
    if accession_number is None:
        return None
    return _case_of_accession(connection, accession_number, patient_id, study_instance_uid)


def study_for_report(
    connection: Transaction, *, accession_number: str | None, patient_id: str | None
) -> StudyRecord | None:
    """Return the study whose images are still arriving that an accession number names, if there is just one.

    Raises:
        ContradictionError: every such study is of another patient.
    """
    if accession_number is None:
        return None
    arriving = studies_of_accession(connection, accession_number)
    same = [study for study in arriving if is_same_patient(study.patient_id, patient_id)]
    if arriving and not same:
        raise _other_patient(accession_number)
    return same[0] if len(same) == 1 else None


def _case_of_accession(
    connection: Transaction, accession_number: str, patient_id: str | None, study_instance_uid: str | None
) -> CaseRecord | None:
    found = cases_of_accession(connection, accession_number)
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


def _other_patient(accession_number: str) -> ContradictionError:
    return ContradictionError(f"accession number {accession_number} is of another patient than the report")
