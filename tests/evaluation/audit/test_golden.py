"""The gate of a golden set: what is worse is refused, what is alike passes, what is unknown is said."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.audit.golden import Outcome, compare_ratings
from evaluation.audit.ratings import Observer, Ratings
from evaluation.audit.scorecard_tables import Drawing
from overread.errors import InvalidFileError
from overread.statistics import roc_auc

DRAWING = Drawing(resamples=300, seed=1)
FINDINGS = ("mass", "effusion")


def rated(noise: float, *, cases: int = 300, test: str = "detector 1", seed: int = 7, calls: bool = False):
    """Ratings of two findings on the same cases; more noise tells less."""
    random = np.random.default_rng(seed)
    truth = random.random((2, cases)) < 0.4
    shared, own = random.normal(size=(2, cases)), np.random.default_rng(99).normal(size=(2, cases))
    scores = truth * 1.5 + shared + noise * own
    if calls:
        scores = (scores > 0.75).astype(float)
    return [
        Ratings(
            observer=Observer(finding=finding, test=test, reader=""),
            cases=tuple(f"c{number}" for number in range(cases)),
            patients=np.array([f"p{number // 2}" for number in range(cases)]),
            scores=scores[place],
            positive=truth[place],
            circumstances={},
            is_probability=False,
        )
        for place, finding in enumerate(FINDINGS)
    ]


def test_the_same_ratings_are_not_worse_whatever_the_detector_is_called() -> None:
    result = compare_ratings(rated(0.0), rated(0.0, test="detector 2"), 0.02, DRAWING)

    assert result.outcome is Outcome.NOT_WORSE
    assert [(figure.low, figure.high) for figure in result.means] == [(0.0, 0.0)]
    assert result.means[0].name == "detector 1 -> detector 2: mean AUC"


def test_a_release_that_tells_less_is_worse_and_the_figures_are_the_means_of_the_areas() -> None:
    before, after = rated(0.0), rated(2.0)
    result = compare_ratings(before, after, 0.02, DRAWING)
    mean = result.means[0]

    assert result.outcome is Outcome.WORSE
    assert mean.before == pytest.approx(np.mean([roc_auc(item.scores, item.positive) for item in before]))
    assert mean.after == pytest.approx(np.mean([roc_auc(item.scores, item.positive) for item in after]))
    assert mean.low < mean.after - mean.before < mean.high < 0
    assert (mean.cases, mean.patients) == (300, 150)
    assert result.reasons == ("detector 1: mean AUC: worse",)


def test_a_release_that_tells_more_passes() -> None:
    result = compare_ratings(rated(2.0), rated(0.0), 0.02, DRAWING)

    assert result.outcome is Outcome.NOT_WORSE
    assert result.means[0].low > 0


def test_a_small_set_excludes_nothing_and_is_undecided() -> None:
    result = compare_ratings(rated(0.0, cases=40), rated(0.5, cases=40), 0.02, DRAWING)

    assert result.outcome is Outcome.UNDECIDED
    assert "may be lower by more than 0.02" in result.reasons[0]


def test_a_wide_margin_bears_a_loss() -> None:
    assert compare_ratings(rated(0.0), rated(1.0), 0.5, DRAWING).outcome is Outcome.NOT_WORSE


def test_of_a_report_reader_sensitivity_and_specificity_decide_too() -> None:
    before, after = rated(0.0, calls=True), rated(0.0, calls=True)
    eager = [replace(item, scores=np.ones(len(item))) for item in after]  # states everything
    result = compare_ratings(before, eager, 0.02, DRAWING)
    names = [figure.name.rpartition(" ")[2] for figure in result.means]

    assert names == ["AUC", "sensitivity", "specificity"]
    assert result.means[1].after == 1
    assert result.means[2].after == 0
    assert "detector 1: mean specificity: worse" in result.reasons


def test_what_is_no_longer_rated_is_worse() -> None:
    result = compare_ratings(rated(0.0), rated(0.0)[:1], 0.02, DRAWING)
    fewer = compare_ratings(rated(0.0), [item.rows(np.arange(250)) for item in rated(0.0)], 0.02, DRAWING)

    assert result.reasons == ("it no longer rates effusion (detector 1)",)
    assert fewer.outcome is Outcome.WORSE
    assert "50 cases of mass" in fewer.reasons[0]


def test_one_kind_of_observer_never_stands_for_another() -> None:
    """The report reader is gone; the detector of the other name is not taken for it."""
    before = [*rated(0.0, test="report reader"), *rated(1.0, test="detector 1")]
    after = [*rated(1.0, test="detector 1")]
    result = compare_ratings(before, after, 0.02, DRAWING)

    assert result.reasons[0] == "it no longer rates mass (report reader)"
    assert [figure.name for figure in result.means] == ["detector 1: mean AUC"]
    assert result.means[0].before == result.means[0].after


def test_other_reference_standards_are_no_comparison() -> None:
    turned = [replace(item, positive=~item.positive) for item in rated(0.0)]

    with pytest.raises(InvalidFileError, match="different reference standards"):
        compare_ratings(rated(0.0), turned, 0.02, DRAWING)


def test_a_set_without_cases_of_both_kinds_is_refused() -> None:
    few = [item.rows(item.positive) for item in rated(0.0)]

    with pytest.raises(InvalidFileError, match="no finding has 5"):
        compare_ratings(few, few, 0.02, DRAWING)
