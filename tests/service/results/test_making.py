"""What is made of a case, and what is not."""

from io import BytesIO

import pytest
from pydicom import dcmread

from overread.discrepancy import DiscrepancyKind
from overread.second_read import FlagVerdict, Judgement, Radpeer, RejectionCause, Verdict
from service.adjudication.blinding import tells_result
from service.adjudication.reads import judge
from service.intake.closing import close_study
from service.maintenance.patient import erase_rows
from service.results.settings import Rule
from service.store.archive import instances_within
from service.store.erasure import Erasure
from service.store.outbox import DeliveryState, Query, list_deliveries
from service.store.patients import Holdings
from service.store.result_occasions import Moment
from service.store.results import Form, results_of_case
from service.store.worklist import load_case
from tests.service.adjudication.test_reads import sender
from tests.service.material import MASS, NOW, ROE, send_image, send_report
from tests.service.results.material import (
    TO_PACS,
    dumped,
    faults_of,
    make_due,
    seen,
    told_case,
    triage_again,
)


def correct(store, case_id: int, report: str, *observations) -> None:
    send_report(store, report, accession="A1")
    close_study(store, "2.25.1", now=NOW)
    triage_again(store, case_id, *observations)


def make(store, rules=TO_PACS, *, seconds: float = 0) -> list[tuple[str, str]]:
    make_due(store, rules, seconds=seconds)
    found = list_deliveries(store, Query(), limit=100)
    return [(item.state.value, item.form.value) for item in reversed(found)]


def read(store, result):
    (record,) = [
        item for item in instances_within(store, "2.25.1") if item.sop_instance_uid == result.sop_instance_uid
    ]
    return dcmread(record.path)


def test_a_discrepant_case_is_told_once(store) -> None:
    told_case(store, seen())

    assert make(store) == [("DUE", "SR")]
    assert make(store) == [("DUE", "SR")]


def test_a_concordant_case_is_told_to_nobody(store) -> None:
    case_id = told_case(store, seen(), report=MASS)

    assert make(store) == []
    assert results_of_case(store, case_id) == ()


def test_without_a_rule_nothing_is_made(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())

    assert make(sqlite_store, rules=()) == []
    assert results_of_case(sqlite_store, case_id) == ()


def test_a_rule_for_another_moment_is_not_met(sqlite_store) -> None:
    told_case(sqlite_store, seen())

    assert make(sqlite_store, [Rule(moment=Moment.JUDGEMENT, form=Form.SR, destination="pacs")]) == []


def test_a_corrected_result_names_the_one_that_it_replaces(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    make(sqlite_store)
    correct(sqlite_store, case_id, "No mass is seen, again.", seen("nodule", (1, 2, 30, 40)))

    assert make(sqlite_store) == [("SUPERSEDED", "SR"), ("DUE", "SR")]

    first, second = results_of_case(sqlite_store, case_id)
    (study,) = read(sqlite_store, second).PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == [
        first.sop_instance_uid
    ]
    assert "PredecessorDocumentsSequence" not in read(sqlite_store, first)


def test_a_result_that_was_told_is_withdrawn_when_nothing_of_it_is_left(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    make(sqlite_store)
    correct(sqlite_store, case_id, MASS, seen())

    assert make(sqlite_store) == [("SUPERSEDED", "SR"), ("DUE", "SR")]

    first, second = results_of_case(sqlite_store, case_id)
    assert (first.withdraws, second.withdraws) == (False, True)
    withdrawal = read(sqlite_store, second)
    assert "No disagreement is left" in str(withdrawal)
    assert len(withdrawal.PredecessorDocumentsSequence) == 1

    correct(sqlite_store, case_id, f"{MASS} Still.", seen())
    assert len(make(sqlite_store)) == 2


BOXED = seen("mass", (1, 2, 30, 40))
MARKS = tuple(
    Rule(moment=moment, form=form, destination="pacs") for moment in Moment for form in (Form.SEG, Form.GSPS)
)
NOTE = "REJECTION"


def rejected_in(store, result) -> set[str]:
    """What a note says is not to be used any more."""
    note = read(store, result)
    assert note.ConceptNameCodeSequence[0].CodeMeaning == "Rejected for Quality Reasons"
    (study,) = note.CurrentRequestedProcedureEvidenceSequence
    return {
        item.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def test_segmentation_and_presentation_state_go_where_a_rule_says_so(store) -> None:
    case_id = told_case(store, BOXED)

    assert make(store, MARKS) == [("DUE", "SEG"), ("DUE", "GSPS")]
    assert make(store, MARKS) == [("DUE", "SEG"), ("DUE", "GSPS")]
    assert [item.withdraws for item in results_of_case(store, case_id)] == [False, False]


def test_what_has_no_place_gives_none_and_hinders_no_other_form(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())

    assert make(sqlite_store, (*MARKS, *TO_PACS)) == [("DUE", "SR")]

    correct(sqlite_store, case_id, "No mass is seen, again.", seen())
    assert make(sqlite_store, MARKS) == [("DUE", "SR")]


def test_a_corrected_segmentation_goes_with_a_note_that_rejects_the_former(store, tmp_path) -> None:
    case_id = told_case(store, BOXED)
    make(store, MARKS)
    correct(store, case_id, "No mass is seen, again.", seen("nodule", (5, 6, 30, 40)))

    assert make(store, MARKS) == [
        ("SUPERSEDED", "SEG"),
        ("SUPERSEDED", "GSPS"),
        ("DUE", NOTE),
        ("DUE", "SEG"),
        ("DUE", "GSPS"),
    ]

    *former, note, second, _ = results_of_case(store, case_id)
    assert rejected_in(store, note) == {item.sop_instance_uid for item in former}
    assert (note.withdraws, second.withdraws) == (True, False)
    assert read(store, second).SeriesInstanceUID == read(store, former[0]).SeriesInstanceUID
    read(store, note).save_as(path := tmp_path / "note.dcm", enforce_file_format=True)
    assert faults_of(path) == []
    assert "Rejected for Quality Reasons" in dumped(path)


def test_a_segmentation_of_which_nothing_is_left_is_rejected_once(store) -> None:
    case_id = told_case(store, BOXED)
    make(store, MARKS)
    correct(store, case_id, MASS, BOXED)

    assert make(store, MARKS) == [("SUPERSEDED", "SEG"), ("SUPERSEDED", "GSPS"), ("DUE", NOTE)]

    correct(store, case_id, f"{MASS} Still.", BOXED)
    assert len(make(store, MARKS)) == 3

    correct(store, case_id, "No mass is seen, after all.", BOXED)
    assert make(store, MARKS)[3:] == [("DUE", "SEG"), ("DUE", "GSPS")]

    correct(store, case_id, f"{MASS} Again.", BOXED)
    assert make(store, MARKS)[2:] == [
        ("SUPERSEDED", NOTE),
        ("SUPERSEDED", "SEG"),
        ("SUPERSEDED", "GSPS"),
        ("DUE", NOTE),
    ]
    *every, last = results_of_case(store, case_id)
    assert rejected_in(store, last) == {item.sop_instance_uid for item in every if item.form != NOTE}


def test_a_segmentation_whose_finding_loses_its_place_is_rejected(sqlite_store) -> None:
    case_id = told_case(sqlite_store, BOXED)
    make(sqlite_store, MARKS)
    correct(sqlite_store, case_id, "No mass is seen, again.", seen())

    assert make(sqlite_store, MARKS)[2:] == [("DUE", NOTE)]


def test_a_judgement_rejects_the_segmentation_of_what_it_rejects(sqlite_store) -> None:
    case_id = told_case(sqlite_store, BOXED, seen("nodule", (50, 60, 90, 99)))
    make(sqlite_store, MARKS)
    verdicts = tuple(
        FlagVerdict(
            finding=finding,
            kind=DiscrepancyKind.POSSIBLE_MISS,
            verdict=Verdict.CONFIRMED if finding == "nodule" else Verdict.NOT_CONFIRMED,
            cause=None if finding == "nodule" else RejectionCause.NOT_THERE,
        )
        for finding in ("mass", "nodule")
    )

    judge(sqlite_store, case_id, Judgement(verdicts=verdicts, radpeer=Radpeer.CONCUR), sender())
    make(sqlite_store, MARKS, seconds=120)

    before, _, note, judged, _ = results_of_case(sqlite_store, case_id)
    assert {item.SegmentLabel for item in read(sqlite_store, before).SegmentSequence} == {
        "lung mass",
        "lung nodule",
    }
    assert [item.SegmentLabel for item in read(sqlite_store, judged).SegmentSequence] == ["lung nodule"]
    assert before.sop_instance_uid in rejected_in(sqlite_store, note)


@pytest.mark.parametrize("form", [Form.SEG, Form.GSPS])
def test_our_own_mark_that_comes_back_opens_nothing(form, sqlite_store) -> None:
    case_id = told_case(sqlite_store, BOXED)
    make(sqlite_store, [rule for rule in MARKS if rule.form is form])
    (result,) = results_of_case(sqlite_store, case_id)
    before = load_case(sqlite_store, case_id)

    receipt = send_image(sqlite_store, bytes_of(read(sqlite_store, result)))

    assert receipt.outcome == "ALREADY_STORED"
    assert load_case(sqlite_store, case_id).events == before.events


def test_our_own_result_that_comes_back_changes_nothing(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    make(sqlite_store)
    (result,) = results_of_case(sqlite_store, case_id)
    content = read(sqlite_store, result)
    before = load_case(sqlite_store, case_id)

    receipt = send_image(sqlite_store, bytes_of(content))

    after_it = load_case(sqlite_store, case_id)
    assert receipt.outcome == "ALREADY_STORED"
    assert (after_it.summary.state, after_it.events) == (before.summary.state, before.events)
    assert [item.modality for item in after_it.instances] == ["DX"]


def test_our_own_result_that_a_pacs_has_touched_changes_nothing_either(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    make(sqlite_store)
    (result,) = results_of_case(sqlite_store, case_id)
    content = read(sqlite_store, result)
    content.InstitutionName = "added by the PACS"
    before = load_case(sqlite_store, case_id)

    receipt = send_image(sqlite_store, bytes_of(content))

    assert receipt.outcome == "ALREADY_STORED"
    assert load_case(sqlite_store, case_id).events == before.events
    assert "InstitutionName" not in read(sqlite_store, result)


def test_a_case_whose_images_are_gone_is_given_up_with_the_reason(sqlite_store) -> None:
    told_case(sqlite_store, seen())
    for path in (sqlite_store.settings.data_folder / "objects").glob("*/*"):
        path.unlink()

    assert make(sqlite_store) == []
    assert make_due(sqlite_store, TO_PACS) == 0


def test_what_is_out_of_date_is_not_sent_any_more(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    make(sqlite_store)
    correct(sqlite_store, case_id, "No mass is seen, again.", seen("nodule", (1, 2, 30, 40)))
    make(sqlite_store)

    (old,) = list_deliveries(sqlite_store, Query(states=(DeliveryState.SUPERSEDED,)), limit=9)

    assert old.detail == "a later result replaces it"


def test_a_patient_who_is_erased_leaves_no_result_behind(store) -> None:
    case_id = told_case(store, seen())
    told_case(store, seen(image="2.25.2.1.1"), number=2)
    make(store)
    (result, *_) = results_of_case(store, case_id)
    held = Holdings(
        case_ids=(case_id,),
        study_uids=("2.25.1",),
        series_uids=("2.25.1.1",),
        sop_instance_uids=("2.25.1.1.1", result.sop_instance_uid),
        quarantine_ids=(),
    )

    count = erase_rows(store, held, Erasure(actor=ROE, at=NOW, why="the patient asked"))

    assert (count.cases, count.kept) == (1, ())
    assert results_of_case(store, case_id) == ()
    assert [item.case_id for item in list_deliveries(store, Query(), limit=9)] == [2]


def test_what_a_second_reader_confirms_is_told_and_the_rest_is_withdrawn(store) -> None:
    boxed = seen("nodule", (1, 2, 30, 40))
    case_id = told_case(store, seen(), boxed)
    both = [*TO_PACS, Rule(moment=Moment.JUDGEMENT, form=Form.SR, destination="pacs")]
    make(store, both)
    verdicts = (
        FlagVerdict(finding="mass", kind=DiscrepancyKind.POSSIBLE_MISS, verdict=Verdict.CONFIRMED),
        FlagVerdict(
            finding="nodule",
            kind=DiscrepancyKind.POSSIBLE_MISS,
            verdict=Verdict.NOT_CONFIRMED,
            cause=RejectionCause.NOT_THERE,
        ),
    )

    judge(store, case_id, Judgement(verdicts=verdicts, radpeer=Radpeer.CONCUR), sender())
    make(store, both, seconds=120)

    before, judged = results_of_case(store, case_id)
    assert "lung nodule" in str(read(store, before))
    text = str(read(store, judged))
    assert "The second reader confirms it" in text
    assert "lung nodule" not in text
    assert not judged.withdraws
    assert len(read(store, judged).PredecessorDocumentsSequence) == 1


def test_what_a_second_reader_rejects_is_withdrawn(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    both = [*TO_PACS, Rule(moment=Moment.JUDGEMENT, form=Form.SR, destination="pacs")]
    make(sqlite_store, both)
    rejected = FlagVerdict(
        finding="mass",
        kind=DiscrepancyKind.POSSIBLE_MISS,
        verdict=Verdict.NOT_CONFIRMED,
        cause=RejectionCause.NOT_THERE,
    )

    judge(sqlite_store, case_id, Judgement(verdicts=(rejected,), radpeer=Radpeer.CONCUR), sender())
    make(sqlite_store, both, seconds=120)

    assert [result.withdraws for result in results_of_case(sqlite_store, case_id)] == [False, True]


def test_a_result_is_withheld_from_a_reader_whose_own_read_is_to_come(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen())
    make(sqlite_store)
    record = instances_within(sqlite_store, "2.25.1")

    assert [tells_result(item) for item in sorted(record, key=lambda item: item.result_of or 0)] == [
        False,
        True,
    ]
    assert results_of_case(sqlite_store, case_id)


def bytes_of(dataset) -> bytes:
    dataset.save_as(buffer := BytesIO(), enforce_file_format=True)
    return buffer.getvalue()
