import subprocess
import sys

import pytest

from overread.cohort import Adjudication, CohortCase, CohortRead, read_cohort
from overread.observation import Observation, Presence
from overread.reporting_model import parse_reporting_model
from overread.second_read import Judgement, OwnRead
from service.adjudication.reads import commit_own_read, judge, undo
from service.deidentification.pseudonyms import Pseudonyms
from service.export import export_cohort
from service.settings import load_settings
from service.store.database import open_store
from service.store.people import bind_person
from tests.service.adjudication.test_reads import CONFIRMED, MISS, REJECTED, SEVERE, rules, sender
from tests.service.material import (
    CLEAR,
    MASS,
    NOW,
    PSEUDONYMS,
    after,
    dicom_bytes,
    machine_in,
    ready_case,
    send_image,
    send_report,
    triaged_case,
)
from tests.service.security.people import BY, add
from tests.service.triage.test_worker import drain
from tests.service.web.seeing import seen_case


def test_concluded_cases_leave_with_what_was_seen_and_said_and_without_the_patients_identifiers(
    store, tmp_path
) -> None:
    triaged_case(store, 1)
    triaged_case(store, 2, report=MASS)
    ready_case(store, 3)

    assert export_cohort(store, tmp_path / "past.jsonl", PSEUDONYMS).written == 2

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

    export_cohort(store, tmp_path / "past.jsonl", PSEUDONYMS)

    cases = {case.case: case for case in read_cohort(tmp_path / "past.jsonl")}
    assert cases["2.25.1"].patient == cases["2.25.2"].patient != cases["2.25.3"].patient
    assert cases["2.25.2"].order < cases["2.25.1"].order


def reported(store, number: int, *, author: str | None, day: str = "20260301", **elements: object) -> None:
    """A case of its own study and patient that is triaged, reported in Berlin at six and a quarter."""
    shown = {"study": f"2.25.{number}", "AccessionNumber": f"N{number}", "PatientID": f"P{number}"}
    send_image(store, dicom_bytes(**shown, StudyDate=day, **elements))
    issued = NOW.replace(hour=5, minute=15)
    send_report(store, CLEAR, accession=f"N{number}", patient=f"P{number}", issued=issued, author=author)


def test_circumstances_leave_with_a_case(store, tmp_path) -> None:
    bind_person(store, add(store, "roe").person_id, None, ("thoracic", "cardiac"), by=BY)
    reported(store, 1, author="Roe", InstitutionName=" North ")
    reported(store, 2, author="nobody here")
    reported(store, 3, author=None, day="20260401")
    drain(store, now=after(60))

    first, second, third = exported(store, tmp_path).values()

    assert first.site == "north"
    assert (first.modality, first.body_part, first.month) == ("DX", "CHEST", "2026-03")
    assert first.subspecialty == "cardiac and thoracic"
    assert (second.site, second.subspecialty) == (None, None)
    assert (third.first_reader, third.month) == (None, "2026-04")
    assert first.first_reader == PSEUDONYMS.name("R", "roe")
    assert second.first_reader not in {None, first.first_reader}
    written = (tmp_path / "past.jsonl").read_text()
    assert "roe" not in written.casefold()
    assert "nobody" not in written


def test_another_key_gives_other_pseudonyms(sqlite_store, tmp_path) -> None:
    reported(sqlite_store, 1, author="roe")
    drain(sqlite_store, now=after(60))
    (mine,) = exported(sqlite_store, tmp_path).values()

    export_cohort(sqlite_store, tmp_path / "other.jsonl", Pseudonyms(b"o" * 32))

    (other,) = read_cohort(tmp_path / "other.jsonl")
    assert other.first_reader != mine.first_reader


@pytest.mark.parametrize(
    ("zone", "shift"),
    [
        ("Europe/Berlin", "night"),  # 05:15 UTC is 06:15 there
        ("Europe/Helsinki", "day"),  # 07:15
        ("America/Los_Angeles", "evening"),  # 21:15 of the day before
    ],
)
def test_the_shift_is_that_of_the_report_by_the_clock_of_the_machine(tmp_path, zone, shift) -> None:
    shifts = "day=07:00, evening=15:00,night = 22:00"
    settings = load_settings({"OVERREAD_SHIFTS": shifts}, data_folder=tmp_path / "data")
    store = open_store(settings.model_copy(update={"free_bytes_min": 0}))
    reported(store, 1, author=None)
    drain(store, now=after(60))

    with machine_in(zone):
        (case,) = exported(store, tmp_path).values()

    store.close()
    assert case.shift == shift


def judged_by(store, case_id: int, judgement: Judgement, name: str = "ada", *, revision: int = 1) -> None:
    judge(store, case_id, judgement, sender(name, f"{name} {case_id} {revision}", revision=revision))


def exported(store, tmp_path) -> dict[str, CohortCase]:
    export_cohort(store, tmp_path / "past.jsonl", PSEUDONYMS)
    return {case.case: case for case in read_cohort(tmp_path / "past.jsonl")}


def test_a_judgement_leaves_with_its_case_once_it_counts(store, tmp_path) -> None:
    first, second, third = (seen_case(store, number) for number in (1, 2, 3))
    judged_by(store, first, CONFIRMED)
    judged_by(store, second, REJECTED)
    judged_by(store, third, SEVERE)
    cases = exported(store, tmp_path)
    assert cases["2.25.1"].adjudications == (Adjudication(finding="mass", kind=MISS, confirmed=True),)
    assert cases["2.25.1"].second_read == CohortRead(radpeer="2a")
    assert cases["2.25.1"].selection_probability == 1.0
    assert cases["2.25.2"].adjudications == (Adjudication(finding="mass", kind=MISS, confirmed=False),)
    assert cases["2.25.2"].second_read == CohortRead(causes={"mass": "NOT_THERE"})
    assert cases["2.25.3"].second_read is None
    assert cases["2.25.3"].adjudications == ()
    judged_by(store, third, SEVERE, "bob")
    assert exported(store, tmp_path)["2.25.3"].second_read == CohortRead(radpeer="3b", is_arbitrated=True)


def test_a_judgement_that_was_taken_back_teaches_nothing(store, tmp_path) -> None:
    case_id = seen_case(store)
    recorded = judge(store, case_id, CONFIRMED, sender())
    undo(store, case_id, recorded.read_id, sender(submission="u"))
    assert exported(store, tmp_path)["2.25.1"].adjudications == ()
    judged_by(store, case_id, REJECTED, "bob")
    assert not exported(store, tmp_path)["2.25.1"].adjudications[0].confirmed


def test_after_the_report_was_corrected_the_case_leaves_as_it_was_judged(store, tmp_path) -> None:
    case_id = seen_case(store)
    judged_by(store, case_id, CONFIRMED)
    send_report(store, MASS, now=after(500))
    drain(store, now=after(600))
    case = exported(store, tmp_path)["2.25.1"]
    assert case.observations == (Observation(finding="mass", presence=Presence.ABSENT),)
    assert [item.confirmed for item in case.adjudications] == [True]


def test_what_changed_after_the_reveal_leaves_with_the_judgement(store, tmp_path) -> None:
    rules(store, "[second_read]\nown_read_share = 1")
    case_id = seen_case(store)
    commit_own_read(store, case_id, OwnRead(), sender(submission="own"))
    judged_by(store, case_id, CONFIRMED)
    read = exported(store, tmp_path)["2.25.1"].second_read
    assert (read.taken_up, read.given_up) == (("mass",), ())


def test_the_fit_learns_from_what_was_judged(sqlite_store, tmp_path) -> None:
    for number in range(1, 13):
        case_id = seen_case(sqlite_store, number, findings={"mass": 0.6 + 0.03 * number})
        judged_by(sqlite_store, case_id, CONFIRMED if number > 6 else REJECTED)
    export_cohort(sqlite_store, tmp_path / "past.jsonl", PSEUDONYMS)
    arguments = ("rank", "past.jsonl", "--fit", "past.jsonl", "--save-fit", "fit.json", "--out", "rows.csv")
    run = [sys.executable, "-m", "overread", *arguments]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fitted = parse_reporting_model((tmp_path / "fit.json").read_text())
    assert fitted.adjudications is not None
    assert fitted.adjudications.corrections[MISS].adjudicated == 12
