"""Earlier studies of a patient, to look at beside a case."""

import pytest

from service.intake.closing import close_study
from service.store.database import Store
from service.store.prior_studies import prior_studies
from service.store.worklist import find_case, load_case
from tests.service.material import NOW, dicom_bytes, send_image


def study(store: Store, number: int, date: str | None, **elements: object) -> None:
    send_image(
        store,
        dicom_bytes(
            study=f"2.25.{number}",
            AccessionNumber=f"A{number}",
            StudyDate=date,
            **elements,  # type: ignore[arg-type]
        ),
    )
    close_study(store, f"2.25.{number}", now=NOW)


def priors(store: Store, number: int) -> list[str]:
    detail = load_case(store, find_case(store, f"2.25.{number}"))
    return [prior.study_date for prior in prior_studies(store, detail.study)]


def test_the_earlier_studies_of_the_same_patient_come_the_latest_first(store: Store) -> None:
    study(store, 1, "20250101", StudyDescription="Chest")
    study(store, 2, "20240101")
    study(store, 3, "20260101")
    study(store, 4, "20230101", PatientID="P2")
    study(store, 5, "20230101", IssuerOfPatientID="Elsewhere")

    assert priors(store, 3) == ["20250101", "20240101"]
    assert priors(store, 2) == []
    (first, _) = prior_studies(store, load_case(store, find_case(store, "2.25.3")).study)
    assert (first.case_id, first.modality, first.description) == (
        find_case(store, "2.25.1"),
        "DX",
        "Chest",
    )


@pytest.mark.parametrize("elements", [{"StudyDate": None}, {"PatientID": None}])
def test_without_a_date_or_a_patient_nothing_is_earlier(store: Store, elements: dict[str, object]) -> None:
    study(store, 1, "20250101", **{k: v for k, v in elements.items() if k == "PatientID"})
    date = None if "StudyDate" in elements else "20260101"
    study(store, 2, date, **{k: v for k, v in elements.items() if k == "PatientID"})

    assert priors(store, 2) == []


def test_an_earlier_study_of_another_site_is_not_shown_to_who_is_bound(store: Store) -> None:
    study(store, 1, "20250101", InstitutionName="North")
    study(store, 2, "20240101", InstitutionName="South")
    study(store, 3, "20260101", InstitutionName="North")
    detail = load_case(store, find_case(store, "2.25.3"))

    def seen(sites: list[str] | None) -> list[str]:
        return [prior.study_date for prior in prior_studies(store.seen_from(sites), detail.study)]

    assert seen(None) == ["20250101", "20240101"]
    assert seen(["north"]) == ["20250101"]
