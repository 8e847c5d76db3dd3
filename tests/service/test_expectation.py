"""A site's own fit, brought into force with a policy, orders the list of the service."""

import numpy as np
import pytest

from overread.evidence import presence_odds, silence_ratio
from overread.expectation import Expectation, encode_expectation
from overread.finding import load_vocabulary
from overread.priority import default_policy, shipped_policy_text
from overread.studies import Columns
from service.reconsideration import reorder_list
from service.store.policies import activate_policy
from service.store.worklist import load_case
from tests.service.material import BLACK, NOW, after, dicom_bytes, send_image, send_report, triaged_case
from tests.service.test_worker import drain

COLUMNS = Columns.of(("mass",), load_vocabulary())
FAMILY = "lung_lesion"


def fit(*, intercept: float, score: float = 0.0, stated_before: float = 0.0) -> Expectation:
    """Of the features only the score and the share of earlier reports that state the family count."""
    coefficients = np.zeros((1, 10))
    coefficients[0, 0], coefficients[0, 1], coefficients[0, 8] = intercept, score, stated_before
    return Expectation(
        detector="mean",
        columns=COLUMNS,
        mean=np.zeros(1),
        scale=np.ones(1),
        coefficients=coefficients,
        base_rates=np.array([0.065]),
        studies=1_000,
        patients=900,
    )


def policy_with(expectation: Expectation) -> str:
    version = f'version = "{default_policy().version}"'
    text = shipped_policy_text().replace(version, 'version = "site 1"')
    return f"{text}\n[expectation]\nmean = '''\n{encode_expectation(expectation)}\n'''\n"


def miss_odds(share: float) -> float:
    sensitivity = default_policy().reader.of(FAMILY)
    return float(presence_odds(np.array(share), sensitivity)) * silence_ratio(sensitivity)


def test_the_list_is_weighed_again_by_what_the_sites_reports_state(store) -> None:
    case_id = triaged_case(store)
    before = load_case(store, case_id).triage.result

    activate_policy(store, policy_with(fit(intercept=-1.0)), actor="QA", now=after(5))
    assert reorder_list(store, now=after(6)) == 1

    (found,) = load_case(store, case_id).triage.result.discrepancies
    # every report is expected to state a lesion with 1 / (1 + e) = 27 %; this one denies it
    denied = default_policy().report.denied
    assert found.odds == pytest.approx(miss_odds(1 / (1 + np.e)) * denied)
    assert found.odds != before.discrepancies[0].odds
    assert "27% of the reports state it" in found.factors[1].reason


def test_what_the_detector_does_not_flag_is_listed_where_the_reports_would_state_it(store) -> None:
    activate_policy(store, policy_with(fit(intercept=1.0)), actor="QA", now=NOW)

    case_id = triaged_case(store, value=BLACK)

    (found,) = load_case(store, case_id).triage.result.discrepancies
    assert found.detector_observation.presence == "ABSENT"
    assert found.odds > 1


def test_the_patients_earlier_studies_count(store) -> None:
    activate_policy(store, policy_with(fit(intercept=-2.0, stated_before=4.0)), actor="QA", now=NOW)
    for number, (day, report) in enumerate((("20250301", "There is a mass."), ("20260301", "Normal."))):
        shown = {"study": f"2.25.{number + 1}", "AccessionNumber": f"A{number}", "StudyDate": day}
        send_image(store, dicom_bytes(**shown, IssuerOfPatientID="HOSPITAL"))
        receipt = send_report(store, report, accession=f"A{number}")
        drain(store, now=after(60 * (number + 1)))

    (found,) = load_case(store, receipt.case_id).triage.result.discrepancies

    # log odds -2 + 4 x 1 of 1 earlier report
    assert found.odds == pytest.approx(miss_odds(1 / (1 + np.exp(-2.0))))
