import json

import numpy as np
import pytest

from overread.errors import ConfigurationError, InputError
from overread.expectation import encode_expectation, expected_statements, fit_expectation, parse_expectation
from overread.finding import load_vocabulary
from overread.logistic import sigmoid
from overread.studies import Columns, StudyTable

COLUMNS = Columns.of(("nodule", "mass", "effusion"), load_vocabulary())


def simulated(patients: int = 600, studies: int = 3, seed: int = 1) -> StudyTable:
    """A site whose reports state effusion as its score says, and lesions of patients who are ill."""
    generator = np.random.default_rng(seed)
    rows = patients * studies
    ill = np.repeat(generator.random(patients) < 0.3, studies)
    logits = generator.normal(size=(rows, 3)) + np.c_[ill, ill, np.zeros(rows)] - 1
    lesion = ill & (generator.random(rows) < 0.7)
    effusion = generator.random(rows) < sigmoid(2 * logits[:, 2])
    return StudyTable(
        columns=COLUMNS,
        scores=sigmoid(logits),
        stated=np.c_[lesion, effusion],
        patients=np.repeat(np.arange(patients), studies),
        order=np.tile(np.arange(studies), patients),
        age_years=np.full(rows, np.nan),
        male=np.full(rows, np.nan),
        anteroposterior=np.full(rows, np.nan),
    )


def test_the_expectation_is_right_on_average_and_follows_scores_and_history() -> None:
    unseen = simulated(seed=2)

    expected = expected_statements(fit_expectation("detector", simulated()), unseen)

    assert expected.mean(axis=0) == pytest.approx(unseen.stated.mean(axis=0), abs=0.03)
    assert np.corrcoef(expected[:, 1], unseen.scores[:, 2])[0, 1] > 0.8
    follows = unseen.order == 1
    before = unseen.stated[unseen.order == 0, 0] == 1
    assert expected[follows, 0][before].mean() > 2 * expected[follows, 0][~before].mean()


def test_a_case_gets_the_same_number_alone_with_its_history_as_among_all_others() -> None:
    studies = simulated()
    expectation = fit_expectation("detector", studies)
    together = expected_statements(expectation, studies)

    alone = expected_statements(expectation, studies.rows(np.flatnonzero(studies.patients == 17)))

    assert alone == pytest.approx(together[studies.patients == 17], rel=1e-9)


def test_missing_scores_count_as_typical_ones() -> None:
    studies = simulated()
    expectation = fit_expectation("detector", studies)
    silent = studies.rows(np.array([0]))
    silent.scores[:] = np.nan

    expected = expected_statements(expectation, silent)

    assert np.isfinite(expected).all()
    assert expected[0, 1] == pytest.approx(studies.stated[:, 1].mean(), abs=0.15)


def test_it_is_stored_exactly_and_its_version_names_its_numbers() -> None:
    expectation = fit_expectation("detector", simulated())
    again = parse_expectation(encode_expectation(expectation))

    assert again.version == expectation.version
    assert again.version != fit_expectation("detector", simulated(seed=5)).version
    assert (expected_statements(again, simulated()) == expected_statements(expectation, simulated())).all()


def test_too_few_cases_and_outputs_of_another_detector_are_refused() -> None:
    with pytest.raises(InputError, match="too few"):
        fit_expectation("detector", simulated(patients=20))
    other = StudyTable(
        columns=Columns.of(("effusion",), load_vocabulary()),
        scores=np.zeros((1, 1)),
        stated=np.zeros((1, 1), dtype=bool),
        patients=np.zeros(1, dtype=int),
        order=np.zeros(1, dtype=int),
        age_years=np.zeros(1),
        male=np.zeros(1),
        anteroposterior=np.zeros(1),
    )
    with pytest.raises(InputError, match="detector"):
        expected_statements(fit_expectation("detector", simulated()), other)


@pytest.mark.parametrize(
    "change",
    [{"format": 9}, {"scale": [1, 0, 1]}, {"mean": [1, 2]}, {"coefficients": [[1.0]]}, {"studies": None}],
)
def test_a_malformed_expectation_is_refused(change) -> None:
    text = json.dumps(json.loads(encode_expectation(fit_expectation("detector", simulated()))) | change)

    with pytest.raises(ConfigurationError):
        parse_expectation(text)
