from overread.cohort import read_cohort
from overread.observation import Observation, Presence
from service.export import export_cohort
from tests.service.material import MASS, after, dicom_bytes, ready_case, send_image, send_report, triaged_case
from tests.service.triage.test_worker import drain


def test_concluded_cases_leave_with_what_was_seen_and_said_and_without_the_patients_identifiers(
    store, tmp_path
) -> None:
    triaged_case(store, 1)
    triaged_case(store, 2, report=MASS)
    ready_case(store, 3)

    assert export_cohort(store, tmp_path / "past.jsonl").written == 2

    first, second = read_cohort(tmp_path / "past.jsonl")
    assert (first.case, first.patient) == ("2.25.1", "1")
    assert first.observations == (Observation(finding="mass", presence=Presence.ABSENT),)
    assert second.observations == (Observation(finding="mass", presence=Presence.PRESENT),)
    (detection,) = first.detections
    assert (detection.detector, detection.scores) == ("mean", {"mass": 1.0})
    assert (detection.prevalences, detection.present) == ({"mass": 0.1}, frozenset({"mass"}))


def test_studies_of_one_patient_keep_their_patient_and_their_order(store, tmp_path) -> None:
    for number, (day, patient) in enumerate((("20250301", "A"), ("20240301", "A"), ("20250301", "B"))):
        shown = {"study": f"2.25.{number + 1}", "AccessionNumber": f"N{number}"}
        send_image(store, dicom_bytes(**shown, StudyDate=day, PatientID=patient))
        send_report(store, accession=f"N{number}", patient=patient)
    drain(store, now=after(60))

    export_cohort(store, tmp_path / "past.jsonl")

    cases = {case.case: case for case in read_cohort(tmp_path / "past.jsonl")}
    assert cases["2.25.1"].patient == cases["2.25.2"].patient != cases["2.25.3"].patient
    assert cases["2.25.2"].order < cases["2.25.1"].order
