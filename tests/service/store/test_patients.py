"""What is kept of a patient is found by case, by study and by what was refused."""

import pytest

from overread.errors import InvalidReportError
from service.store.database import Store
from service.store.patients import holdings_of_case, holdings_of_patient
from tests.service.material import PATIENT, STUDY, send_image, send_report, triaged_case


def test_cases_studies_images_and_refusals_of_a_patient_are_found(store: Store) -> None:
    case_id = triaged_case(store)
    with pytest.raises(InvalidReportError):
        send_report(store, "", patient=PATIENT)

    held = holdings_of_patient(store, PATIENT)

    assert held.case_ids == (case_id,)
    assert held.study_uids == (STUDY,)
    assert len(held.sop_instance_uids) == len(held.series_uids) == 1
    assert held.quarantine_ids == (1,)
    assert set(held.subjects) > set(holdings_of_case(store, case_id).subjects) > {f"case {case_id}"}


def test_a_study_without_a_report_is_found_by_its_images(store: Store) -> None:
    send_image(store)

    assert holdings_of_patient(store, PATIENT).study_uids == (STUDY,)


def test_of_another_patient_nothing_is_kept(store: Store) -> None:
    triaged_case(store)

    held = holdings_of_patient(store, "somebody else")

    assert held.is_empty
    assert held.subjects == ()
