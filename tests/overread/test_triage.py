from dataclasses import replace

import numpy as np
import pytest

from overread.discrepancy import DiscrepancyKind
from overread.evidence import omission_odds
from overread.finding import Actionable, load_vocabulary
from overread.observation import Detection, DetectorObservation, Laterality, Presence
from overread.priority import default_policy, joint_priority
from overread.reporting_model import PastReports, fit_reporting_model
from overread.triage import Outcome, TriageResult, triage
from tests.overread.observations import DETECTOR, detection, reading, seen, stated

POLICY = default_policy()
VOCABULARY = load_vocabulary()


def conclude(report, *detections) -> TriageResult:
    return triage(report, detections, POLICY, VOCABULARY)


def kinds(result: TriageResult) -> dict[str, DiscrepancyKind]:
    return {item.finding: item.kind for item in result.discrepancies}


def test_a_mass_that_the_report_denies_is_a_possible_miss_with_its_reasons() -> None:
    report = reading(stated("mass", Presence.ABSENT))

    result = conclude(report, detection(seen("mass", 0.6, laterality=Laterality.RIGHT)))

    (found,) = result.discrepancies
    assert (result.outcome, found.kind) == (Outcome.DISCREPANT, DiscrepancyKind.POSSIBLE_MISS)
    # readers state 51 %: 0.6 x 0.51 of the reports would state it, 0.49 / 0.51 are left out; denied: 0.8
    assert found.odds == pytest.approx(0.306 / 0.694 * 0.49 / 0.51 * 0.8)
    assert found.probability == pytest.approx(found.odds / (1 + found.odds))
    assert found.report_observations == report.observations
    assert result.reasons == ("Possible miss: the detector sees lung mass, right; the report denies it.",)
    assert [factor.reason for factor in found.factors] == [
        "the detector gives it a probability of 0.6",
        "the report denies it",
    ]


def test_a_stated_mass_that_the_detector_sees_is_concordant() -> None:
    result = conclude(reading(stated("mass")), detection(seen("mass")))

    assert (result.outcome, result.priority, result.discrepancies) == (Outcome.CONCORDANT, 0.0, ())


def test_silence_weighs_more_than_denial_and_another_name_for_the_shadow_takes_some_of_the_worth() -> None:
    def found(*observations):
        (one,) = conclude(reading(*observations), detection(seen("consolidation"))).discrepancies
        return one

    silent, denied = found(), found(stated("consolidation", Presence.ABSENT))
    elsewhere, related = found(stated("effusion")), found(stated("atelectasis"))

    assert silent.odds > denied.odds > 0
    assert elsewhere.odds == related.odds == silent.odds  # its own evidence is its own
    assert related.priority == pytest.approx(POLICY.report.related_share * silent.priority)
    assert related.called == POLICY.report.related_share
    assert related.reasons[0].endswith("the report speaks of atelectasis.")
    assert related.report_observations[0].finding == "atelectasis"


def test_a_narrower_statement_states_the_broader_finding() -> None:
    assert conclude(reading(stated("pneumonia")), detection(seen("opacity"))).outcome is Outcome.CONCORDANT


def test_a_denied_broader_finding_denies_the_narrower() -> None:
    denied = conclude(reading(stated("opacity", Presence.ABSENT)), detection(seen("consolidation")))

    assert denied.reasons == ("Possible miss: the detector sees consolidation; the report denies it.",)


def test_one_positive_statement_outweighs_a_denial_of_the_other_side() -> None:
    report = reading(
        stated("pneumothorax", Presence.ABSENT, laterality=Laterality.RIGHT),
        stated("pneumothorax", laterality=Laterality.LEFT),
    )

    assert conclude(report, detection(seen("pneumothorax"))).outcome is Outcome.CONCORDANT


@pytest.mark.parametrize(
    "past",
    [
        stated("mass", section=stated("mass").section.INDICATION),
        stated("mass", temporality=stated("mass").temporality.RESOLVED),
    ],
)
def test_an_indication_or_a_resolved_finding_does_not_state_the_finding(past) -> None:
    assert kinds(conclude(reading(past), detection(seen("mass")))) == {"mass": DiscrepancyKind.POSSIBLE_MISS}


def test_a_resolved_finding_is_denied() -> None:
    resolved = stated("mass", Presence.ABSENT, temporality=stated("mass").temporality.RESOLVED)

    (found,) = conclude(reading(resolved), detection(seen("mass"))).discrepancies

    assert found.factors[-1].odds_ratio == pytest.approx(POLICY.report.denied)


def test_a_stated_finding_without_any_sign_of_it_is_a_possible_overcall() -> None:
    result = conclude(reading(stated("effusion")), detection(seen("effusion", 0.01, prevalence=0.12)))

    (found,) = result.discrepancies
    # (0.12 / 0.88) / (0.01 / 0.99) = 13.5 times less likely than in the cohort
    assert found.kind is DiscrepancyKind.POSSIBLE_OVERCALL
    assert found.odds == pytest.approx(POLICY.overcall.prior_odds * 13.5)


def test_a_stated_finding_that_the_detector_merely_does_not_flag_is_no_overcall() -> None:
    result = conclude(reading(stated("effusion")), detection(seen("effusion", 0.11, prevalence=0.12)))

    assert result.outcome is Outcome.CONCORDANT


@pytest.mark.parametrize(
    ("reported", "detected", "conflict"),
    [
        (Laterality.RIGHT, Laterality.LEFT, True),
        (Laterality.RIGHT, Laterality.RIGHT, False),
        (Laterality.BILATERAL, Laterality.LEFT, False),
        (Laterality.UNSPECIFIED, Laterality.LEFT, False),
        (Laterality.RIGHT, Laterality.BILATERAL, False),
    ],
)
def test_only_opposite_sides_are_a_laterality_conflict(reported, detected, conflict) -> None:
    result = conclude(
        reading(stated("effusion", laterality=reported)),
        detection(seen("effusion", 0.9, laterality=detected)),
    )

    assert (kinds(result) == {"effusion": DiscrepancyKind.LATERALITY_CONFLICT}) is conflict


def test_the_side_of_a_finding_without_sides_is_never_a_conflict() -> None:
    result = conclude(
        reading(stated("cardiomegaly", laterality=Laterality.LEFT)),
        detection(seen("cardiomegaly", 0.9, laterality=Laterality.RIGHT)),
    )

    assert result.outcome is Outcome.CONCORDANT


def test_the_strongest_evidence_heads_a_case_and_what_is_most_worth_a_look_says_how_urgent_it_is() -> None:
    result = conclude(reading(), detection(seen("pneumothorax", 0.6), seen("pleural_thickening", 0.9)))

    assert [item.finding for item in result.discrepancies] == ["pleural_thickening", "pneumothorax"]
    assert result.priority == joint_priority(item.priority for item in result.discrepancies)
    assert (result.actionable, result.subspecialty) == (Actionable.MINUTES, "thoracic")
    chances = [item.probability for item in result.discrepancies]
    assert result.probability == pytest.approx(1 - (1 - chances[0]) * (1 - chances[1]))


def test_an_unlikely_pneumothorax_makes_no_case_urgent() -> None:
    result = conclude(reading(), detection(seen("pneumothorax", 0.15), seen("effusion", 0.9)))

    assert [item.finding for item in result.discrepancies] == ["effusion", "pneumothorax"]
    assert result.actionable is Actionable.DAYS


def test_every_finding_has_the_evidence_of_its_own_output() -> None:
    outputs = detection(seen("effusion", 0.81), seen("consolidation", 0.3), seen("pneumonia", 0.2))

    found = conclude(reading(), outputs).discrepancies

    alone = [conclude(reading(), detection(item)).discrepancies[0] for item in outputs.observations]
    assert [item.finding for item in found] == ["effusion", "consolidation", "pneumonia"]
    assert [item.odds for item in found] == [item.odds for item in alone]


def test_of_what_is_stated_on_the_other_side_the_side_is_wrong_and_nothing_is_missed() -> None:
    report = reading(stated("pneumonia", laterality=Laterality.LEFT))

    result = conclude(report, detection(seen("consolidation", 0.9, laterality=Laterality.RIGHT)))

    assert kinds(result) == {"consolidation": DiscrepancyKind.LATERALITY_CONFLICT}


def test_of_two_detectors_the_one_with_the_stronger_evidence_speaks() -> None:
    result = conclude(reading(), detection(seen("mass", 0.6)), detection(seen("mass", 0.8)))

    (found,) = result.discrepancies
    assert found.detector_observation.probability == 0.8


def test_other_detectors_add_half_of_what_they_say_and_take_it_away_where_they_see_nothing() -> None:
    def odds(*others: float) -> float:
        strong = detection(seen("mass", 0.9, prevalence=0.1))
        given = [detection(seen("mass", other, prevalence=0.1)) for other in others]
        (found,) = conclude(reading(), strong, *given).discrepancies
        return found.odds

    # readers state 51 %: 0.306 / 0.694 over 0.051 / 0.949 is 8.2; the root of it, as half of a logarithm
    ratio = 0.306 / 0.694 / (0.051 / 0.949)
    assert odds(0.6) == pytest.approx(odds() * ratio**0.5)
    assert odds(0.1) == pytest.approx(odds())  # says nothing new
    assert odds(0.01) < odds()
    # of two more the mean counts, 2 x 0.5 / (1 + 0.5) times
    assert odds(0.6, 0.6) == pytest.approx(odds() * ratio ** (2 / 3))


def test_a_study_that_no_detector_is_meant_for_is_not_applicable_with_the_reason() -> None:
    lateral = Detection(detector=DETECTOR, operating_point="balanced", not_applicable="lateral view")

    result = conclude(reading(stated("mass")), lateral)

    assert (result.outcome, result.priority, result.reasons) == (
        Outcome.NOT_APPLICABLE,
        0.0,
        ("detector: lateral view",),
    )


def test_a_normal_report_against_any_abnormality_is_a_possible_miss_and_a_stated_finding_answers_it() -> None:
    assert conclude(reading(), detection(seen("any_abnormality"))).outcome is Outcome.DISCREPANT
    assert (
        conclude(reading(stated("fracture")), detection(seen("any_abnormality"))).outcome
        is Outcome.CONCORDANT
    )


def test_evidence_too_weak_for_the_policy_is_not_listed() -> None:
    # 47 % are stated: 0.094 / 0.906 x 0.53 / 0.47 = 0.12; with a probability of 0.1, 0.055, and denied 0.044
    faint = DetectorObservation(
        finding="consolidation",
        presence=Presence.PRESENT,
        score=0.1,
        probability=0.1,
        sop_instance_uid="1.2.3",
    )
    covered = reading(stated("consolidation", Presence.ABSENT))

    assert conclude(reading(), detection(faint)).outcome is Outcome.DISCREPANT
    assert conclude(covered, detection(faint)).outcome is Outcome.CONCORDANT


def test_what_reports_teach_takes_the_place_of_the_detectors_calibration() -> None:
    unsure = Detection(
        detector=DETECTOR, operating_point="none", observations=(seen("mass", 0.001, prevalence=0.5),)
    )
    past = PastReports(scores=np.full((9, 1), 0.001), stated=np.eye(9, 1, dtype=bool), patients="abcdefghi")
    model = fit_reporting_model(DETECTOR.name, DETECTOR.version, ("mass",), past)
    taught = replace(POLICY, reporting_models={DETECTOR.name: model})

    (found,) = triage(reading(), [unsure], taught, VOCABULARY).discrepancies

    share, base = 1 / (1 + np.exp(-model.intercept[0])), 1.5 / 10
    left_out = omission_odds(POLICY.reader.of("mass"))
    assert [factor.odds_ratio for factor in found.factors] == pytest.approx(
        [base / (1 - base) * left_out, share / (1 - share) / (base / (1 - base)), 1.0]
    )
    assert [factor.reason for factor in found.factors[:2]] == [
        "15.0% of the reports state it; for each that is stated, 0.96 are left out",
        f"of studies that score like this one, {share:.0%} of the reports state it",
    ]


def test_that_something_is_abnormal_is_not_said_beside_what_it_is() -> None:
    result = conclude(reading(), detection(seen("mass", 0.6), seen("any_abnormality", 0.9)))

    assert list(kinds(result)) == ["mass"]


def test_a_stated_nodule_is_another_word_for_a_seen_mass_and_no_mass() -> None:
    (found,) = conclude(reading(stated("nodule")), detection(seen("mass"))).discrepancies

    assert found.called == POLICY.report.related_share


def test_a_report_of_which_nothing_was_read_is_never_concordant() -> None:
    unread = replace(reading(), text_read_share=0.0)

    nothing_seen = conclude(unread, detection(seen("mass", 0.01)))
    seen_too = conclude(unread, detection(seen("mass", 0.6)))

    assert nothing_seen.outcome is Outcome.NOT_APPLICABLE
    assert "found no statement in this report" in nothing_seen.reasons[0]
    assert seen_too.outcome is Outcome.DISCREPANT
    assert "found no statement in this report" in seen_too.reasons[0]
    assert conclude(reading(), detection(seen("mass", 0.01))).outcome is Outcome.CONCORDANT  # from no text
