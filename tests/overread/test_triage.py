import pytest

from overread.discrepancy import DiscrepancyKind
from overread.evidence import silence_ratio
from overread.finding import Actionable, load_vocabulary
from overread.observation import Detection, DetectorObservation, Laterality, Presence
from overread.priority import default_policy, joint_priority
from overread.sighting import Expected
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
    # odds 0.6 / 0.4, silence 0.35, denial a half of it
    assert found.odds == pytest.approx(1.5 * 0.35 * 0.5)
    assert found.report_observations == report.observations
    assert result.reasons == ("Possible miss: the detector sees lung mass, right; the report denies it.",)
    assert [factor.reason for factor in found.factors] == [
        "seen by the detector (mass 0.6)",
        "the report denies it",
    ]


def test_a_stated_mass_that_the_detector_sees_is_concordant() -> None:
    result = conclude(reading(stated("mass")), detection(seen("mass")))

    assert (result.outcome, result.priority, result.discrepancies) == (Outcome.CONCORDANT, 0.0, ())


def test_silence_weighs_more_than_denial_or_another_finding_that_a_lesion_may_belong_to() -> None:
    def odds(*observations):
        (found,) = conclude(reading(*observations), detection(seen("mass"))).discrepancies
        return found.odds

    silent = odds()
    denied = odds(stated("mass", Presence.ABSENT))
    named_otherwise = odds(stated("consolidation"))

    assert silent > named_otherwise > 0
    assert silent > denied > 0


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

    assert found.factors[-1].odds_ratio == pytest.approx(
        silence_ratio(POLICY.reader.of("lung_lesion")) * POLICY.report.denied
    )


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


def test_the_urgent_and_harmful_comes_before_the_likely_and_harmless() -> None:
    result = conclude(reading(), detection(seen("pneumothorax", 0.6), seen("pleural_thickening", 0.9)))

    assert [item.finding for item in result.discrepancies] == ["pneumothorax", "pleural_thickening"]
    assert result.priority == joint_priority(item.priority for item in result.discrepancies)
    assert (result.actionable, result.subspecialty) == (Actionable.MINUTES, "thoracic")


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

    # 0.6 / 0.4 over 0.1 / 0.9 is 13.5; the root of it, as half of a logarithm
    assert odds(0.6) == pytest.approx(odds() * 13.5**0.5)
    assert odds(0.1) == pytest.approx(odds())  # says nothing new
    assert odds(0.01) < odds()
    # of two more the mean counts, 2 x 0.5 / (1 + 0.5) times
    assert odds(0.6, 0.6) == pytest.approx(odds() * 13.5 ** (2 / 3))


def test_another_detector_that_sees_little_of_a_stated_finding_speaks_for_an_overcall() -> None:
    blind = detection(seen("effusion", 0.01, prevalence=0.12))
    (alone,) = conclude(reading(stated("effusion")), blind).discrepancies
    (doubted,) = conclude(reading(stated("effusion")), blind, detection(seen("effusion", 0.4))).discrepancies

    assert doubted.odds > alone.odds  # odds of 0.67 without a known prevalence
    assert "another detector does not see it" in doubted.factors[-1].reason


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
    # odds 1/4 x silence 0.35 = 0.09; half of it, where the report denies it: 0.04
    faint = DetectorObservation(
        finding="consolidation",
        presence=Presence.PRESENT,
        score=0.2,
        probability=0.2,
        sop_instance_uid="1.2.3",
    )
    covered = reading(stated("consolidation", Presence.ABSENT))

    assert conclude(reading(), detection(faint)).outcome is Outcome.DISCREPANT
    assert conclude(covered, detection(faint)).outcome is Outcome.CONCORDANT


def test_outputs_of_one_family_are_one_discrepancy_with_their_mean_evidence() -> None:
    outputs = detection(
        seen("consolidation", 0.8, prevalence=0.1), seen("pneumonia", 0.2, prevalence=0.1), seen("mass", 0.1)
    )

    (found,) = conclude(reading(), outputs).discrepancies

    # consolidation 4 / (1/9) = 36, pneumonia (1/4) / (1/9) = 2.25: geometric mean 9
    # either of the two, as if independent: 1 - 0.9 x 0.9 = 0.19
    assert found.finding == "consolidation"
    assert found.odds == pytest.approx(0.19 / 0.81 * 9 * silence_ratio(POLICY.reader.of("opacity")))
    assert found.factors[1].reason == "seen by the detector (consolidation 0.8, pneumonia 0.2)"


def test_what_a_family_weighs_does_not_depend_on_which_of_its_names_scored_highest() -> None:
    one = conclude(reading(), detection(seen("atelectasis", 0.9), seen("consolidation", 0.6)))
    other = conclude(reading(), detection(seen("atelectasis", 0.6), seen("consolidation", 0.9)))

    assert one.priority == pytest.approx(other.priority) != 0


def test_an_opacity_is_missed_more_easily_beside_a_stated_finding_of_lung_or_pleura() -> None:
    (alone,) = conclude(reading(), detection(seen("opacity"))).discrepancies
    (beside,) = conclude(reading(stated("effusion")), detection(seen("opacity"))).discrepancies
    (device,) = conclude(reading(stated("endotracheal_tube")), detection(seen("opacity"))).discrepancies

    assert beside.odds == pytest.approx(2 * alone.odds)
    assert device.odds == alone.odds


def test_what_the_site_expects_of_its_reports_takes_the_place_of_the_detectors_calibration() -> None:
    unsure = Detection(
        detector=DETECTOR, operating_point="none", observations=(seen("mass", 0.001, prevalence=0.5),)
    )
    expected = {DETECTOR.name: {"lung_lesion": Expected(share=0.325, base_rate=0.065)}}

    (found,) = triage(reading(), [unsure], POLICY, VOCABULARY, expected=expected).discrepancies

    # readers state 65 % of what is there: 0.325 / 0.65 = 1/2, at the outset 0.1; silence 0.35
    assert [factor.odds_ratio for factor in found.factors] == pytest.approx([1 / 9, 9.0, 0.35])
    assert found.factors[1].reason == "of studies that score like this one, 32% of the reports state it"


def test_that_something_is_abnormal_is_not_said_beside_what_it_is() -> None:
    result = conclude(reading(), detection(seen("mass", 0.6), seen("any_abnormality", 0.9)))

    assert list(kinds(result)) == ["mass"]


def test_nodule_and_mass_are_one_family_so_a_stated_nodule_answers_a_seen_mass() -> None:
    assert conclude(reading(stated("nodule")), detection(seen("mass"))).outcome is Outcome.CONCORDANT
