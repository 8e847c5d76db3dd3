"""Several readers and cases against the published analysis of the ratings of Van Dyke et al."""

import numpy as np
import pytest
from scipy import stats

from overread.clustered_auc import ScoredCases
from overread.multireader import (
    ReaderAreas,
    compare_pseudovalues,
    compare_tests,
    difference_of_tests,
    one_test,
    reader_areas,
)
from tests.overread.van_dyke import van_dyke

AREAS = np.array(
    [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
)


@pytest.fixture(scope="module")
def study() -> ReaderAreas:
    return reader_areas(van_dyke(), tests=2)


def test_areas_are_those_that_the_program_of_iowa_prints(study) -> None:
    assert study.areas == pytest.approx(AREAS, abs=6e-9)


def test_variance_components_are_those_that_the_program_of_iowa_prints(study) -> None:
    result = compare_tests(study)

    assert result.covariances == pytest.approx((0.00034661, 0.00034407, 0.00023903), abs=6e-9)
    assert result.error_variance == pytest.approx(0.00080229, abs=6e-9)
    assert result.reader_variance == pytest.approx(0.00153500, abs=6e-9)
    assert result.test_by_reader_variance == pytest.approx(0.00020040, abs=6e-9)


def test_the_test_of_equal_areas_has_the_degrees_of_freedom_of_hillis(study) -> None:
    result = compare_tests(study)

    assert result.error_term == pytest.approx(0.00107626, abs=6e-9)
    assert result.ratio == pytest.approx(4.46, abs=0.005)
    assert result.degrees == (1.0, pytest.approx(15.26, abs=0.005))
    assert result.p == pytest.approx(0.0517, abs=5e-5)


def test_the_difference_of_the_tests_has_the_interval_that_was_published(study) -> None:
    found = difference_of_tests(study, 1, 0)

    assert found.value == pytest.approx(-0.04380032, abs=6e-9)
    assert found.standard_error == pytest.approx(0.02075, abs=5e-6)
    assert found.degrees == pytest.approx(15.26, abs=0.005)
    assert (found.low, found.high) == pytest.approx((-0.08796, 0.00036), abs=5e-6)


@pytest.mark.parametrize(
    ("test", "estimate", "degrees", "limits"),
    [
        (0, (0.89703704, 0.03317360), 12.74, (0.82522360, 0.96885048)),
        (1, (0.94083736, 0.02156637), 12.71, (0.89413783, 0.98753689)),
    ],
)
def test_one_test_alone_has_the_interval_that_was_published(study, test, estimate, degrees, limits) -> None:
    found = one_test(study, test)

    assert (found.value, found.standard_error) == pytest.approx(estimate, abs=6e-9)
    assert found.degrees == pytest.approx(degrees, abs=0.005)
    assert (found.low, found.high) == pytest.approx(limits, abs=2e-8)


def test_pseudovalues_give_the_same_f_and_degrees_of_freedom(study) -> None:
    result = compare_tests(study)

    assert compare_pseudovalues(study) == pytest.approx((result.ratio, result.degrees[1], result.p), rel=1e-9)


def test_of_two_tests_without_shared_errors_it_is_the_paired_test_of_student() -> None:
    """Errors of cases are 0, so that readers alone differ: analysis 3 of the program of Iowa."""
    study = ReaderAreas(areas=AREAS, covariance=np.zeros((2, 5, 2, 5)))
    result = compare_tests(study)
    expected = stats.ttest_rel(AREAS[1], AREAS[0])

    assert result.ratio == pytest.approx(8.70, abs=0.005)
    assert result.ratio == pytest.approx(float(expected.statistic) ** 2)
    assert result.degrees == (1.0, pytest.approx(4.0))
    assert result.p == pytest.approx(float(expected.pvalue))
    assert result.p == pytest.approx(0.0420, abs=5e-5)


def test_one_reader_is_no_study_of_readers() -> None:
    cases = van_dyke()
    alone = ScoredCases.of(cases.scores[:2], cases.positive, cases.patients)

    with pytest.raises(ValueError, match="needs 2 readers"):
        reader_areas(alone, tests=2)


def test_a_study_of_one_test_compares_nothing(study) -> None:
    alone = reader_areas(van_dyke(), tests=1)

    with pytest.raises(ValueError, match="one test"):
        compare_tests(alone)
    with pytest.raises(ValueError, match="two tests"):
        compare_pseudovalues(alone)
