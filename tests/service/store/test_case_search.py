import pytest

from service.store.case_search import cases_named, modalities_of, sites_of
from service.store.schema import cases
from tests.service.material import dicom_bytes, ready_case, send_image, send_report, triaged_case


def found(store, wanted: str, *, by_patient: bool = False, limit: int = 100) -> tuple[int, ...]:
    return cases_named(store, wanted, by_patient=by_patient, limit=limit)


def test_cases_are_found_by_the_whole_accession_number(store) -> None:
    first, second = ready_case(store, 1), ready_case(store, 2)

    assert found(store, "A1") == (first,)
    assert found(store, "A2") == (second,)
    assert found(store, "A") == found(store, "a1") == found(store, "%") == ()


def test_a_patient_is_found_by_images_and_by_report_only_where_that_is_allowed(store) -> None:
    send_image(store, dicom_bytes(study="2.25.7", PatientID="P7", AccessionNumber="A7"))
    of_images = send_report(store, accession="A7", study="2.25.7", patient="P7").case_id
    of_report = send_report(store, accession="A8", study=None, patient="P7").case_id

    assert found(store, "P7") == ()
    assert found(store, "P7", by_patient=True) == (of_report, of_images)
    assert found(store, "P7", by_patient=True, limit=1) == (of_report,)
    assert found(store, "A8", by_patient=True) == (of_report,)


def test_what_there_is_to_choose_from_comes_in_order_and_once(store) -> None:
    assert modalities_of(store) == sites_of(store) == ()
    numbers = [triaged_case(store, number) for number in range(1, 5)]
    for number, modality, site in zip(numbers, ("MR", "CT", "CT", None), ("b", None, "a", "b"), strict=True):
        with store.writing() as connection:
            values = {"modality": modality, "site": site}
            connection.execute(cases.update().where(cases.c.case_id == number).values(**values))

    assert modalities_of(store) == ("CT", "MR")
    assert sites_of(store) == ("a", "b")


@pytest.mark.parametrize("sites", [("a",), ("none",)])
def test_who_is_bound_to_sites_finds_and_chooses_among_theirs(store, sites) -> None:
    case_id = triaged_case(store)
    with store.writing() as connection:
        connection.execute(cases.update().where(cases.c.case_id == case_id).values(site="a"))

    bound = store.seen_from(sites)
    assert sites_of(bound) == sites
    assert found(bound, "A1", by_patient=True) == ((case_id,) if sites == ("a",) else ())
