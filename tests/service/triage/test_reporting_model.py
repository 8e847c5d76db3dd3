"""A site's own reporting model, brought into force with a policy, orders the list of the service."""

import numpy as np
import pytest

from overread.case_arrays import CaseReader
from overread.cohort import CohortCase
from overread.cohort_order import order_cases
from overread.finding import load_vocabulary
from overread.priority import default_policy, parse_policy, shipped_policy_text
from overread.report import load_reader
from overread.reporting_model import ReportingModel, encode_reporting_model
from service.store.history import concluded_cases
from service.store.policies import activate_policy
from service.store.worklist import load_case
from service.triage.reconsideration import reorder_list
from tests.service.material import BLACK, MASS, NOW, ROE, WHITE, after, triaged_case

SHOWN = ((WHITE, "No mass is seen."), (150, "Normal heart."), (BLACK, "Normal heart."), (100, MASS))


def model(*, intercept: float, slope: float) -> ReportingModel:
    return ReportingModel(
        detector="mean",
        version=None,
        findings=("mass",),
        mean=np.zeros(1),
        scale=np.ones(1),
        intercept=np.array([intercept]),
        slope=np.array([slope]),
        base_rates=np.array([0.1]),
        studies=1_000,
        patients=900,
    )


FLAT = model(intercept=1.0, slope=0.05)  # whatever the score, most reports state a mass
STEEP = model(intercept=-1.0, slope=2.0)


def policy_with(fitted: ReportingModel) -> str:
    version = f'version = "{default_policy().version}"'
    text = shipped_policy_text().replace(version, 'version = "site 1"')
    return f"{text}\n[reporting_model]\nmean = '''\n{encode_reporting_model(fitted)}\n'''\n"


def offline(store, fitted: ReportingModel) -> dict[str, tuple[float, float]]:
    """Priority and probability of each concluded study, as `overread rank` gives them of an export."""
    vocabulary, policy = load_vocabulary(), parse_policy(policy_with(fitted))
    reader = CaseReader("mean", ("mass",), vocabulary, policy.tables.triggers, load_reader().read)
    arrays = reader.arrays(case for case in concluded_cases(store) if isinstance(case, CohortCase))
    order = order_cases(arrays, policy, vocabulary, fitted)
    numbers = zip(order.priorities.tolist(), order.probabilities.tolist(), strict=True)
    return dict(zip(arrays.cases, numbers, strict=True))


def online(store, case_ids: list[int]) -> dict[str, tuple[float, float]]:
    cases = [load_case(store, case_id) for case_id in case_ids]
    return {
        case.study.study_instance_uid: (case.triage.result.priority, case.triage.result.probability)
        for case in cases
    }


@pytest.mark.parametrize("fitted", [FLAT, STEEP])
def test_the_worker_gives_the_numbers_that_the_cohort_has(store, fitted: ReportingModel) -> None:
    activate_policy(store, policy_with(fitted), actor=ROE, now=NOW)
    case_ids = [
        triaged_case(store, number, value=value, report=report)
        for number, (value, report) in enumerate(SHOWN, start=1)
    ]

    expected = offline(store, fitted)

    assert len(expected) == len(SHOWN)
    for study, numbers in online(store, case_ids).items():
        assert numbers == pytest.approx(expected[study], rel=1e-4)


@pytest.mark.parametrize("fitted", [FLAT, STEEP])
def test_the_open_list_is_weighed_again_to_the_same_numbers(store, fitted: ReportingModel) -> None:
    case_ids = [triaged_case(store, number, value=value) for number, value in ((1, WHITE), (2, 150))]
    before = online(store, case_ids)

    activate_policy(store, policy_with(fitted), actor=ROE, now=after(5))
    assert reorder_list(store, now=after(6)) == 2

    again, expected = online(store, case_ids), offline(store, fitted)
    for study, numbers in again.items():
        assert numbers == pytest.approx(expected[study], rel=1e-4)
        assert numbers != before[study]


def test_a_reason_says_what_reports_of_such_studies_state(store) -> None:
    activate_policy(store, policy_with(FLAT), actor=ROE, now=NOW)

    (found,) = load_case(store, triaged_case(store, value=BLACK)).triage.result.discrepancies

    assert found.detector_observation.presence == "ABSENT"
    assert any("of the reports state it" in factor.reason for factor in found.factors)
