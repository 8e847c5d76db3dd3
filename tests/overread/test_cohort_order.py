"""The order of a cohort is the order of the worker: the same odds and priorities, case by case."""

from dataclasses import replace

import numpy as np
import pytest

from overread.case_arrays import CaseReader, join
from overread.cohort import Adjudication, CohortCase, CohortDetection
from overread.cohort_order import fit_adjudications, order_cases, past_reports
from overread.discrepancy import DiscrepancyKind
from overread.errors import InputError
from overread.finding import load_vocabulary
from overread.observation import Detection, DetectorObservation, Observation, ObserverIdentity, Presence
from overread.priority import default_policy
from overread.report.reader import load_reader
from overread.reporting_model import fit_reporting_model, with_adjudications
from overread.thresholds import Thresholds
from overread.triage import triage
from tests.overread.observations import reading, stated

VOCABULARY, POLICY = load_vocabulary(), default_policy()
FINDINGS = ("pneumothorax", "nodule", "mass", "opacity", "consolidation", "effusion", "any_abnormality")
SAID = (*FINDINGS[:-1], "pneumonia", "emphysema", "lung_lesion", "cardiomegaly", "costophrenic_blunting")
PRESENCES = (Presence.PRESENT, Presence.UNCERTAIN, Presence.ABSENT)
MISS, OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL


def said_of(score: float, rng: np.random.Generator) -> Presence:
    """A finding is stated mostly where its score is high."""
    return Presence.PRESENT if rng.random() < 0.1 + 0.9 * score else PRESENCES[rng.integers(1, 3)]


def random_case(number: int, rng: np.random.Generator, *, adjudicated: bool) -> CohortCase:
    scores = {finding: round(float(rng.beta(0.4, 0.8)), 3) for finding in FINDINGS}
    observations = tuple(
        Observation(finding=str(finding), presence=said_of(scores.get(str(finding), 0.5), rng))
        for finding in rng.choice(SAID, rng.integers(0, 8), replace=False)
    )
    detection = CohortDetection(
        detector="some",
        version="1",
        scores=scores,
        probabilities={finding: round(score**1.5, 4) for finding, score in scores.items()},
        prevalences=dict.fromkeys(FINDINGS, 0.1),
        present=frozenset(name for name, score in scores.items() if score > 0.3),
    )
    verdicts = tuple(
        Adjudication(finding=finding, kind=kind, confirmed=bool(rng.random() < chance))
        for finding in FINDINGS
        for kind, chance in ((MISS, scores[finding]), (OVERCALL, 0.3))
        if adjudicated
    )
    return CohortCase(
        case=str(number),
        patient=f"p{number // 3}",
        observations=observations,
        detections=(detection,),
        adjudications=verdicts,
    )


def cohort(count: int, *, adjudicated: bool = False) -> list[CohortCase]:
    rng = np.random.default_rng(11)
    return [random_case(number, rng, adjudicated=adjudicated) for number in range(count)]


def arrays_of(cases):
    ratios = POLICY.tables.triggers
    return CaseReader("some", FINDINGS, VOCABULARY, ratios, load_reader().read).arrays(cases)


def model_of(arrays):
    return fit_reporting_model("some", "1", FINDINGS, past_reports(arrays))


def online(case: CohortCase, policy=POLICY):
    (found,) = case.detections
    present = found.present or frozenset()
    detection = Detection(
        detector=ObserverIdentity(name="some", version="1"),
        operating_point="balanced",
        observations=tuple(
            DetectorObservation(
                finding=finding,
                presence=Presence.PRESENT if finding in present else Presence.ABSENT,
                score=score,
                probability=found.probabilities[finding],
                prevalence=found.prevalences[finding],
                sop_instance_uid="1.2.3",
            )
            for finding, score in found.scores.items()
        ),
    )
    # without their text, observations carry no triggers: a certain "likely" is no hedge
    report = reading(
        *(replace(stated(item.finding, item.presence), certainty=0.8) for item in case.observations)
    )
    return triage(report, [detection], policy, VOCABULARY)


def odds_by_finding(result, kind: DiscrepancyKind) -> dict[str, float]:
    return {item.finding: item.odds for item in result.discrepancies if item.kind is kind}


def agree(order, row: int, result) -> None:
    for kind, odds in ((MISS, order.miss_odds), (OVERCALL, order.overcall_odds)):
        offline = {
            finding: value
            for finding, value in zip(order.findings, odds[row], strict=True)
            if value >= POLICY.minimum_odds
        }
        assert offline == pytest.approx(odds_by_finding(result, kind), rel=1e-4)
    if all(item.kind in (MISS, OVERCALL) for item in result.discrepancies):
        assert order.priorities[row] == pytest.approx(result.priority, rel=1e-4)
        assert order.probabilities[row] == pytest.approx(result.probability, rel=1e-4)


def test_by_the_detectors_own_calibration_a_case_has_the_same_numbers_as_in_triage() -> None:
    cases = cohort(300)

    order = order_cases(arrays_of(cases), POLICY, VOCABULARY, None)

    for row, case in enumerate(cases):
        agree(order, row, online(case))
    assert (order.overcall_odds > POLICY.minimum_odds).any()


def test_by_what_reports_teach_a_case_has_the_same_numbers_as_in_triage() -> None:
    cases = cohort(300)
    arrays = arrays_of(cases)
    model = model_of(arrays)
    policy = replace(POLICY, reporting_models={"some": model})

    order = order_cases(arrays, POLICY, VOCABULARY, model)

    for row, case in enumerate(cases):
        agree(order, row, online(case, policy))


def test_by_what_second_reads_teach_a_case_has_the_same_numbers_as_in_triage() -> None:
    cases = cohort(600, adjudicated=True)
    arrays = arrays_of(cases)
    bare = model_of(arrays)
    second = fit_adjudications(arrays, POLICY, VOCABULARY, bare)
    assert second is not None
    assert set(second.corrections) == {MISS, OVERCALL}
    model = with_adjudications(bare, second)
    policy = replace(POLICY, reporting_models={"some": model})

    order = order_cases(arrays, POLICY, VOCABULARY, model)

    for row, case in enumerate(cases):
        agree(order, row, online(case, policy))
    before = order_cases(arrays, POLICY, VOCABULARY, bare)
    assert not np.allclose(before.miss_odds, order.miss_odds, equal_nan=True)


def test_arrays_that_were_made_apart_are_joined() -> None:
    cases = cohort(201)
    whole = arrays_of(cases)
    model = model_of(whole)

    parts = join([arrays_of(cases[:101]), arrays_of(cases[101:])])

    assert parts.cases == whole.cases
    assert order_cases(parts, POLICY, VOCABULARY, model).priorities == pytest.approx(
        order_cases(whole, POLICY, VOCABULARY, model).priorities
    )


def test_a_case_that_no_detector_looked_at_has_no_place_in_the_order() -> None:
    cases = cohort(60)
    unseen = replace(cases[0], detections=())

    order = order_cases(arrays_of([unseen]), POLICY, VOCABULARY, model_of(arrays_of(cases)))

    assert np.isnan(order.miss_odds).all()
    assert order.priorities.tolist() == order.probabilities.tolist() == [0.0]


def test_scores_that_nothing_brings_to_one_scale_are_an_error_and_never_an_order() -> None:
    (case,) = cohort(1)
    (found,) = case.detections
    bare = replace(case, detections=(replace(found, probabilities={}, prevalences={}),))

    with pytest.raises(InputError, match=r"case 0 has a score for pneumothorax but no calibrated"):
        order_cases(arrays_of([bare]), POLICY, VOCABULARY, None)
    other = replace(model_of(arrays_of(cohort(60))), findings=FINDINGS[::-1])
    with pytest.raises(InputError, match="whose outputs are others"):
        order_cases(arrays_of([bare]), POLICY, VOCABULARY, other)


def test_raw_scores_without_calibration_are_ordered_by_what_reports_teach() -> None:
    bare = [
        replace(case, detections=(replace(case.detections[0], probabilities={}, prevalences={}),))
        for case in cohort(60)
    ]
    arrays = arrays_of(bare)

    order = order_cases(arrays, POLICY, VOCABULARY, model_of(arrays))

    assert len(set(order.priorities.tolist())) > 50


def test_what_a_report_names_most_narrowly_is_what_a_model_learns_from() -> None:
    said = CohortCase(
        case="1",
        patient="p",
        observations=(Observation(finding="consolidation", presence=Presence.PRESENT),),
    )

    arrays = arrays_of([said])

    named = [finding for finding, it_is in zip(FINDINGS, arrays.named[0], strict=True) if it_is]
    stated_too = [finding for finding, it_is in zip(FINDINGS, arrays.stated[0], strict=True) if it_is]
    assert named == ["consolidation"]
    assert stated_too == ["opacity", "consolidation", "any_abnormality"]


def test_a_text_is_read_as_the_worker_reads_it_with_its_triggers() -> None:
    text = "INDICATION: Lung cancer, cough. FINDINGS: No pneumothorax. Possible small left effusion. "
    scores = dict.fromkeys(FINDINGS, 0.6)
    case = CohortCase(
        case="1",
        patient="p",
        text=text,
        detections=(CohortDetection(detector="some", scores=scores, probabilities=scores),),
    )
    detection = Detection(
        detector=ObserverIdentity(name="some", version="1"),
        operating_point="none",
        observations=tuple(
            DetectorObservation(
                finding=finding,
                presence=Presence.PRESENT,
                score=0.6,
                probability=0.6,
                sop_instance_uid="1.2.3",
            )
            for finding in FINDINGS
        ),
    )

    result = triage(load_reader().read(text), [detection], POLICY, VOCABULARY)

    assert any("cancer" in factor.reason for item in result.discrepancies for factor in item.factors)
    agree(order_cases(arrays_of([case]), POLICY, VOCABULARY, None), 0, result)


def test_thresholds_of_the_site_keep_the_same_rows_off_the_list_here_as_in_triage() -> None:
    thresholds = Thresholds(
        version="1",
        chosen_on="a test",
        probabilities={("opacity", MISS): 0.2},
        never=frozenset({("effusion", MISS)}),
    )
    policy = replace(POLICY, thresholds=thresholds)
    cases = cohort(200)

    order = order_cases(arrays_of(cases), policy, VOCABULARY, None)

    opacities = 0
    for row, case in enumerate(cases):
        result = online(case, policy=policy)
        odds = odds_by_finding(result, MISS)
        assert "effusion" not in odds
        assert odds.get("opacity", 1.0) >= 0.2 / 0.8
        opacities += "opacity" in odds
        if all(item.kind in (MISS, OVERCALL) for item in result.discrepancies):
            assert order.priorities[row] == pytest.approx(result.priority, rel=1e-4)
    assert opacities > 10
