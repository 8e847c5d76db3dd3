"""The order of a cohort is the order of the worker: the same odds and priorities, case by case."""

from dataclasses import replace

import numpy as np
import pytest

from overread.casetable import CaseReader, join
from overread.cohort import CohortCase, CohortDetection
from overread.discrepancy import DiscrepancyKind
from overread.expectation import expected_statements, fit_expectation
from overread.finding import load_vocabulary
from overread.observation import Detection, DetectorObservation, Observation, Presence, ReaderIdentity
from overread.ordering import order_cases
from overread.priority import default_policy
from overread.report.reader import load_reader
from overread.sighting import Expected
from overread.studies import Columns
from overread.thresholds import Thresholds
from overread.triage import triage
from tests.overread.observations import reading, stated

VOCABULARY, POLICY = load_vocabulary(), default_policy()
FINDINGS = ("pneumothorax", "nodule", "mass", "opacity", "consolidation", "effusion", "any_abnormality")
COLUMNS = Columns.of(FINDINGS, VOCABULARY)
SAID = (*FINDINGS[:-1], "pneumonia", "emphysema", "lung_lesion", "cardiomegaly")
PRESENCES = (Presence.PRESENT, Presence.UNCERTAIN, Presence.ABSENT)


def random_case(number: int, generator: np.random.Generator, *, with_point: bool) -> CohortCase:
    scores = {finding: float(generator.random() ** 2) for finding in FINDINGS}
    observations = tuple(
        Observation(finding=str(finding), presence=PRESENCES[generator.integers(3)])
        for finding in generator.choice(SAID, generator.integers(0, 4), replace=False)
    )
    detection = CohortDetection(
        detector="some",
        scores=scores,
        probabilities=scores,
        prevalences=dict.fromkeys(FINDINGS, 0.1),
        present=frozenset(name for name, score in scores.items() if score > 0.3) if with_point else None,
    )
    return CohortCase(
        case=str(number),
        patient=f"p{number // 3}",
        order=number % 3,
        age_years=float(generator.integers(20, 90)),
        sex="MF"[generator.integers(2)],
        view=("AP", "PA")[generator.integers(2)],
        observations=observations,
        detections=(detection,),
    )


def cohort(count: int, *, with_point: bool) -> list[CohortCase]:
    generator = np.random.default_rng(11)
    return [random_case(number, generator, with_point=with_point) for number in range(count)]


def table_of(cases):
    return CaseReader("some", COLUMNS, VOCABULARY, POLICY.assumptions.triggers, load_reader().read).table(
        cases
    )


def online(case: CohortCase, expected=None, policy=POLICY):
    (found,) = case.detections
    present = found.present or frozenset()
    detection = Detection(
        detector=ReaderIdentity(name="some", version="1"),
        operating_point="balanced",
        observations=tuple(
            DetectorObservation(
                finding=finding,
                presence=Presence.PRESENT if finding in present else Presence.ABSENT,
                score=score,
                probability=score,
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
    return triage(report, [detection], policy, VOCABULARY, expected={"some": expected} if expected else {})


def odds_by_family(result, kind: DiscrepancyKind) -> dict[str, float]:
    return {
        VOCABULARY.family_of(item.finding): item.odds for item in result.discrepancies if item.kind is kind
    }


def agree(order, row: int, result) -> None:
    for kind, odds in (
        (DiscrepancyKind.POSSIBLE_MISS, order.miss_odds),
        (DiscrepancyKind.POSSIBLE_OVERCALL, order.overcall_odds),
    ):
        offline = {
            family: value
            for family, value in zip(order.families, odds[row], strict=True)
            if value >= POLICY.minimum_odds
        }
        assert offline == pytest.approx(odds_by_family(result, kind))


def is_of_detectors(result) -> bool:
    kinds = {DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL}
    return all(item.kind in kinds for item in result.discrepancies)


def test_by_the_detectors_own_calibration_a_case_has_the_same_numbers_as_in_triage() -> None:
    cases = cohort(300, with_point=True)

    order = order_cases(table_of(cases), POLICY, VOCABULARY)

    compared = 0
    for row, case in enumerate(cases):
        result = online(case)
        agree(order, row, result)
        if is_of_detectors(result):
            compared += 1
            assert order.priorities[row] == pytest.approx(result.priority)
    assert compared > 200


def test_by_what_the_site_expects_a_case_has_the_same_numbers_as_in_triage() -> None:
    cases = cohort(900, with_point=False)
    table = table_of(cases)
    expectation = fit_expectation("some", table.studies)

    order = order_cases(table, POLICY, VOCABULARY, expectation)

    for row, case in enumerate(cases[:200]):
        history = [item for item in cases if item.patient == case.patient and item.order <= case.order]
        (*_, shares) = expected_statements(expectation, table_of(history).studies)
        expected = {
            family: Expected(share=float(share), base_rate=float(base))
            for family, share, base in zip(COLUMNS.families, shares, expectation.base_rates, strict=True)
        }
        agree(order, row, online(case, expected))


def test_tables_that_were_made_apart_are_joined_with_the_history_of_their_patients() -> None:
    cases = cohort(601, with_point=False)
    whole = table_of(cases)
    expectation = fit_expectation("some", whole.studies)

    parts = join([table_of(cases[:301]), table_of(cases[301:])])  # in the middle of a patient

    assert parts.cases == whole.cases
    assert order_cases(parts, POLICY, VOCABULARY, expectation).priorities == pytest.approx(
        order_cases(whole, POLICY, VOCABULARY, expectation).priorities
    )


def test_a_case_that_no_detector_looked_at_has_no_place_in_the_order() -> None:
    cases = cohort(600, with_point=False)
    expectation = fit_expectation("some", table_of(cases).studies)
    unseen = replace(cases[0], detections=())

    order = order_cases(table_of([unseen]), POLICY, VOCABULARY, expectation)

    assert np.isnan(order.miss_odds).all()
    assert order.priorities.tolist() == [0.0]


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
        detector=ReaderIdentity(name="some", version="1"),
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
    agree(order_cases(table_of([case]), POLICY, VOCABULARY), 0, result)


def test_thresholds_of_the_site_keep_the_same_rows_off_the_list_here_as_in_triage() -> None:
    thresholds = Thresholds(
        version="1",
        chosen_on="a test",
        probabilities={("opacity", DiscrepancyKind.POSSIBLE_MISS): 0.4},
        never=frozenset({("effusion", DiscrepancyKind.POSSIBLE_MISS)}),
    )
    policy = replace(POLICY, thresholds=thresholds)
    cases = cohort(200, with_point=True)

    order = order_cases(table_of(cases), policy, VOCABULARY)

    opacities = 0
    for row, case in enumerate(cases):
        result = online(case, policy=policy)
        odds = odds_by_family(result, DiscrepancyKind.POSSIBLE_MISS)
        assert "effusion" not in odds
        assert odds.get("opacity", 1.0) >= 0.4 / 0.6
        opacities += "opacity" in odds
        if is_of_detectors(result):
            assert order.priorities[row] == pytest.approx(result.priority)
    assert opacities > 10
