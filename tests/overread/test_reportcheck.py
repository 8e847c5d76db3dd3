from pathlib import Path

import pytest

from overread.discrepancy import DiscrepancyKind
from overread.finding import Actionable, load_vocabulary
from overread.priority import default_policy
from overread.report import load_reader
from overread.triage import Outcome, TriageResult, triage
from tests.overread.observations import detection, reading, seen, stated

_LINES = Path(__file__).with_name("report_checks.txt").read_text(encoding="utf-8").splitlines()
_REPORTS = [line.split(" | ", maxsplit=1) for line in _LINES if not line.startswith("#")]
WRONG = {name: text.replace("\\n", "\n") for name, text in _REPORTS if name.startswith("-")}
SOUND = {name: text.replace("\\n", "\n") for name, text in _REPORTS if name.startswith("+")}
CONFLICT = DiscrepancyKind.FINDINGS_IMPRESSION_CONFLICT
FOLLOW_UP = DiscrepancyKind.MISSING_FOLLOW_UP
COMMUNICATION = DiscrepancyKind.MISSING_COMMUNICATION


def concluded(text: str, *detections) -> TriageResult:
    return triage(load_reader().read(text), detections, default_policy(), load_vocabulary())


def kinds(text: str) -> dict[str, DiscrepancyKind]:
    return {item.finding: item.kind for item in concluded(text).discrepancies}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FINDINGS: Right lower lobe consolidation. IMPRESSION: Left lower lobe consolidation.", True),
        ("FINDINGS: There is cardiomegaly. IMPRESSION: No cardiomegaly.", True),
        ("FINDINGS: Bibasilar opacity. IMPRESSION: No acute disease.", False),
        ("FINDINGS: Moderate effusion. IMPRESSION: No large effusion.", False),
        ("FINDINGS: Opacity on the lateral view. IMPRESSION: The opacity is not well seen.", False),
        ("FINDINGS: No cardiomegaly. IMPRESSION: No cardiomegaly.", False),
    ],
)
def test_findings_against_impression_counts_only_what_cannot_both_be_true(text, expected) -> None:
    assert (CONFLICT in kinds(text).values()) is expected


def test_a_normal_impression_contradicts_the_most_urgent_findings() -> None:
    text = "FINDINGS: There is pneumothorax on the left. IMPRESSION: No acute cardiopulmonary disease."

    conflict = next(item for item in concluded(text).discrepancies if item.kind is CONFLICT)

    assert conflict.finding == "pneumothorax"
    assert [text[span.start : span.end] for span in conflict.report_spans] == ["pneumothorax", "disease"]
    assert conflict.image_regions == ()
    assert conflict.reasons[0].startswith("Findings against impression: pneumothorax is stated")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FINDINGS: 12 mm nodule in the left lung.", True),
        ("FINDINGS: Possible nodule in the left lung.", True),
        ("FINDINGS: 12 mm nodule. IMPRESSION: Clinical correlation is recommended.", True),
        ("FINDINGS: 12 mm nodule in the left lung. IMPRESSION: Recommend CT of the chest.", False),
        ("FINDINGS: 4 mm nodule in the left lung.", False),
        ("FINDINGS: Unchanged 12 mm nodule in the left lung.", False),
        ("FINDINGS: 12 mm calcified nodule in the left lung.", False),
        ("FINDINGS: 12 mm nodule, a granuloma.", False),
        ("INDICATION: Breast cancer. FINDINGS: 12 mm nodule in the left lung.", False),
        ("FINDINGS: Reticulonodular pattern in both lungs.", False),
        ("FINDINGS: No nodule.", False),
    ],
)
def test_a_nodule_that_guidelines_want_followed_needs_a_recommendation(text, expected) -> None:
    assert (FOLLOW_UP in kinds(text).values()) is expected


def test_a_finding_that_is_only_considered_weighs_less() -> None:
    (stated_one,) = concluded("FINDINGS: Nodule in the left lung.").discrepancies
    (considered,) = concluded("FINDINGS: Possible nodule in the left lung.").discrepancies

    ratio = default_policy().tables.missing_follow_up.hedged_ratio
    assert considered.odds == pytest.approx(ratio * stated_one.odds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FINDINGS: Moderate right pneumothorax.", True),
        ("FINDINGS: Moderate right pneumothorax. This was discussed with the ward.", False),
        ("FINDINGS: Minimal right pneumothorax.", False),
        ("FINDINGS: Unchanged right pneumothorax.", False),
        ("FINDINGS: Right pneumothorax. Chest tube in place.", False),
        ("INDICATION: Status post lobectomy. FINDINGS: Right pneumothorax.", False),
        ("INDICATION: Pneumothorax. FINDINGS: Right pneumothorax.", False),
        ("FINDINGS: Possible right pneumothorax.", False),
        ("FINDINGS: Right effusion.", False),
    ],
)
def test_an_urgent_diagnosis_needs_a_documented_call(text, expected) -> None:
    assert (COMMUNICATION in kinds(text).values()) is expected


def test_one_call_would_tell_of_everything() -> None:
    text = "FINDINGS: Large left hydropneumothorax with collapse of the left lung. Right pneumothorax."

    (item,) = [item for item in concluded(text).discrepancies if item.kind is COMMUNICATION]

    assert item.finding == "pneumothorax"
    assert len(item.report_observations) >= 2


def test_what_rests_on_the_report_alone_needs_no_detector() -> None:
    result = concluded("FINDINGS: Moderate right pneumothorax.")

    assert result.outcome is Outcome.DISCREPANT
    assert result.actionable is Actionable.MINUTES
    assert result.discrepancies[0].detector_observation is None
    assert result.discrepancies[0].laterality == "RIGHT"


def test_a_reading_without_text_lacks_nothing() -> None:
    """Labels that were mined elsewhere say which findings are stated, not what was recommended."""
    labels = reading(stated("nodule"), stated("pneumothorax"))

    result = triage(labels, [detection()], default_policy(), load_vocabulary())

    assert result.outcome is Outcome.CONCORDANT


def test_what_rests_on_the_report_alone_comes_after_a_strong_miss_of_the_same_finding() -> None:
    missed = triage(
        load_reader().read("FINDINGS: No pneumothorax."),
        [detection(seen("pneumothorax", 0.8))],
        default_policy(),
        load_vocabulary(),
    )
    untold = concluded("FINDINGS: Moderate right pneumothorax.")

    assert missed.priority > untold.priority > 0


@pytest.mark.parametrize("text", WRONG.values(), ids=list(WRONG))
def test_a_report_that_errs_by_itself_is_flagged(text: str) -> None:
    assert concluded(text).discrepancies


@pytest.mark.parametrize("text", SOUND.values(), ids=list(SOUND))
def test_a_sound_report_is_left_alone(text: str) -> None:
    assert concluded(text).discrepancies == ()
