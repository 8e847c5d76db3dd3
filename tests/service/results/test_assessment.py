"""What a person says of a result leaves as a structured report of its own, valid by two validators."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ComprehensiveSRStorage

from overread.discrepancy import DiscrepancyKind
from overread.errors import InputError
from overread.observation import ImageRegion, Laterality
from overread.second_read import (
    AddedFinding,
    FlagVerdict,
    Judgement,
    RejectionCause,
    StatedFinding,
    Verdict,
)
from service.adjudication.reads import judge, undo
from service.results.making import result_of_case
from service.results.settings import ResultsSettings, Rule
from service.results.statements import Assessment
from service.store.archive import instances_within
from service.store.result_occasions import Moment
from service.store.results import Form, results_of_case
from tests.service.adjudication.test_reads import sender
from tests.service.material import MASS
from tests.service.results.material import TO_PACS, dumped, faults_of, make_due, seen, told_case

MISS = DiscrepancyKind.POSSIBLE_MISS
RULES = (*TO_PACS, Rule(moment=Moment.JUDGEMENT, form=Form.ASSESSMENT, destination="pacs"))
SHOWN = (
    seen("pneumothorax", (30, 40, 90, 120), side=Laterality.RIGHT, probability=0.75),
    seen("nodule", (200, 100, 220, 118), probability=0.625),
)
BOX = ImageRegion(sop_instance_uid="2.25.1.1.1", column_min=10, row_min=20, column_max=50, row_max=60)
ADDED = AddedFinding(stated=StatedFinding(finding="effusion", laterality=Laterality.LEFT, region=BOX))


def said(finding: str, verdict: Verdict, corrected: StatedFinding | None = None) -> FlagVerdict:
    cause = RejectionCause.NOT_SIGNIFICANT if verdict is Verdict.NOT_CONFIRMED else None
    return FlagVerdict(finding=finding, kind=MISS, verdict=verdict, cause=cause, corrected=corrected)


def judged(*verdicts: FlagVerdict, added: tuple[AddedFinding, ...] = ()) -> Judgement:
    return Judgement(verdicts=verdicts, added=added, comment="Known since 2019, says the referrer.")


YES = said("pneumothorax", Verdict.CONFIRMED), said("nodule", Verdict.CONFIRMED)
NO = said("pneumothorax", Verdict.NOT_CONFIRMED), said("nodule", Verdict.NOT_CONFIRMED)


def made_by(store, case_id: int) -> list[Dataset]:
    """The structured reports of a case as they are kept, the oldest first."""
    kept = {item.sop_instance_uid: item.path for item in instances_within(store, "2.25.1")}
    return [dcmread(kept[item.sop_instance_uid]) for item in results_of_case(store, case_id)]


def assessed(store, judgement: Judgement, *, seconds: float = 120) -> list[Dataset]:
    case_id = told_case(store, *SHOWN)
    make_due(store, RULES)
    judge(store, case_id, judgement, sender())
    make_due(store, RULES, seconds=seconds)
    return made_by(store, case_id)


def groups_of(report: Dataset) -> list[dict[str, str]]:
    """The groups of a report: code of each concept name, and its value by code or text."""
    (measurements,) = [
        item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "126010"
    ]
    return [
        {
            part.ConceptNameCodeSequence[0].CodeValue: part.ConceptCodeSequence[0].CodeValue
            if part.ValueType == "CODE"
            else str(part.get("UID") or part.get("TextValue") or part.ValueType)
            for part in group.ContentSequence
            if "ConceptNameCodeSequence" in part
        }
        for group in measurements.ContentSequence
    ]


@pytest.mark.parametrize(
    ("judgement", "whole", "each"),
    [
        (judged(*YES), Assessment.ACCEPTED, ["ACCEPTED", "ACCEPTED"]),
        (judged(*NO), Assessment.REJECTED, ["REJECTED", "REJECTED"]),
        (judged(YES[0], NO[1]), Assessment.PARTLY_ACCEPTED, ["ACCEPTED", "REJECTED"]),
        (judged(YES[0]), Assessment.PARTLY_ACCEPTED, ["ACCEPTED", "NOT_DECIDED"]),
        (judged(said("nodule", Verdict.UNSURE)), Assessment.NOT_DECIDED, ["NOT_DECIDED", "NOT_DECIDED"]),
        (judged(*YES, added=(ADDED,)), Assessment.SUPPLEMENTED, ["ACCEPTED", "ACCEPTED", "SUPPLEMENTED"]),
        (
            judged(NO[0], said("nodule", Verdict.CONFIRMED, StatedFinding(finding="mass", region=BOX))),
            Assessment.SUPPLEMENTED,
            ["REJECTED", "SUPPLEMENTED", "SUPPLEMENTED"],
        ),
    ],
    ids=["accepted", "rejected", "in part", "half looked at", "unsure", "added", "corrected"],
)
def test_an_assessment_says_what_becomes_of_each_statement(
    judgement, whole, each, sqlite_store, tmp_path: Path
) -> None:
    before, report = assessed(sqlite_store, judgement)
    path = tmp_path / "assessment.dcm"
    report.save_as(path, enforce_file_format=True)

    assert faults_of(path) == []
    text = dumped(path)
    assert 'Person Observer Name")="Second reader"' in text
    first, *others = groups_of(report)
    assert (first["121071"], first["ASSESSMENT"]) == ("WHOLE_RESULT", whole.value)
    assert [group["ASSESSMENT"] for group in others] == each
    assert report.SOPClassUID == before.SOPClassUID == ComprehensiveSRStorage
    assert report.SeriesInstanceUID != before.SeriesInstanceUID
    (study,) = report.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    assert [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence] == [before.SOPInstanceUID]
    for hidden in ("ada", "2019"):
        assert hidden not in text.lower()


def test_what_is_assessed_has_the_tracking_identifiers_of_the_result(sqlite_store) -> None:
    before, report = assessed(sqlite_store, judged(YES[0], NO[1]))

    _, accepted, rejected = groups_of(report)
    assert [group["112040"] for group in (accepted, rejected)] == [
        group["112040"] for group in groups_of(before)
    ]
    assert rejected["REJECTED_BECAUSE"] == "NOT_SIGNIFICANT"
    assert "REJECTED_BECAUSE" not in accepted


def test_what_a_person_marks_is_a_region_on_that_image(sqlite_store) -> None:
    _, report = assessed(sqlite_store, judged(*YES, added=(ADDED,)))

    (place,) = [
        item
        for element in report.iterall()
        if element.VR == "SQ"
        for item in element.value
        if item.get("ValueType") == "SCOORD"
    ]
    assert place.GraphicData == [10, 20, 50, 20, 50, 60, 10, 60, 10, 20]
    (image,) = place.ContentSequence[0].ReferencedSOPSequence
    assert image.ReferencedSOPInstanceUID == BOX.sop_instance_uid


def test_a_judgement_made_anew_gives_an_assessment_that_replaces_the_earlier(sqlite_store) -> None:
    case_id = told_case(sqlite_store, *SHOWN)
    make_due(sqlite_store, RULES)
    first = judge(sqlite_store, case_id, judged(*YES), sender())
    make_due(sqlite_store, RULES, seconds=70)
    undo(sqlite_store, case_id, first.read_id, sender(submission="back", seconds=90))
    judge(sqlite_store, case_id, judged(*NO), sender(submission="again", seconds=120))
    make_due(sqlite_store, RULES, seconds=130)

    result, accepted, rejected = made_by(sqlite_store, case_id)
    assert [groups_of(item)[0]["ASSESSMENT"] for item in (accepted, rejected)] == ["ACCEPTED", "REJECTED"]
    predecessors = {
        item.ReferencedSOPInstanceUID
        for study in rejected.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert predecessors == {result.SOPInstanceUID, accepted.SOPInstanceUID}


def test_nothing_is_assessed_where_triage_found_nothing_or_nobody_judged(sqlite_store) -> None:
    case_id = told_case(sqlite_store, seen(), report=MASS)
    other = told_case(sqlite_store, *SHOWN, number=2)

    make_due(sqlite_store, RULES)

    assert results_of_case(sqlite_store, case_id) == ()
    assert [item.form for item in results_of_case(sqlite_store, other)] == ["SR"]
    with pytest.raises(InputError, match="second reader has judged"):
        result_of_case(sqlite_store, other, Form.ASSESSMENT)


def test_a_rule_for_an_assessment_names_the_judgement() -> None:
    places = {"destinations": {"pacs": "PACS"}}

    (rule,) = ResultsSettings(**places, rules=("judgement:ASSESSMENT:pacs",)).rules
    assert (rule.moment, rule.form) == (Moment.JUDGEMENT, Form.ASSESSMENT)
    with pytest.raises(ValueError, match="nothing is assessed before"):
        ResultsSettings(**places, rules=("triage:ASSESSMENT:pacs",))
    with pytest.raises(ValueError, match="does not take ASSESSMENT"):
        ResultsSettings(destinations={"ris": "mllp://127.0.0.1:1"}, rules=("judgement:ASSESSMENT:ris",))
