import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve, roc_curve

from overread.detection_curves import (
    FALSE_MARKS,
    NO_LESION,
    Marks,
    froc_points,
    lesions_found_at,
    precision_at_recall,
    precision_recall_points,
    roc_points,
    sensitivity_at,
)
from overread.statistics import roc_auc


@pytest.fixture
def made():
    random = np.random.default_rng(8)
    positive = random.random(300) < 0.3
    return np.round(random.normal(size=300) + positive, 1), positive


def test_the_roc_has_the_points_of_scikit_learn_and_the_area_of_the_rank_sum(made) -> None:
    scores, positive = made
    across, up = roc_points(scores, positive)
    expected = roc_curve(positive, scores, drop_intermediate=False)

    assert across == pytest.approx(expected[0])
    assert up == pytest.approx(expected[1])
    assert auc(across, up) == pytest.approx(roc_auc(scores, positive))


def test_precision_and_recall_are_those_of_scikit_learn(made) -> None:
    scores, positive = made
    recall, precision = precision_recall_points(scores, positive)
    expected = precision_recall_curve(positive, scores)

    assert recall == pytest.approx(expected[1][-2::-1])
    assert precision == pytest.approx(expected[0][-2::-1])


def test_between_points_the_roc_is_straight_and_precision_is_that_of_the_next_threshold() -> None:
    """Scores 3 (yes), 2 (no and yes), 1 (no): the ROC goes (0, .5), (.5, 1), (1, 1)."""
    scores, positive = np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, False, True, False])

    assert sensitivity_at(np.array([0.0, 0.25, 0.5, 1.0]), scores, positive).tolist() == [0.5, 0.75, 1, 1]
    assert precision_at_recall(np.array([0.5, 0.6, 1.0]), scores, positive) == pytest.approx(
        [1, 2 / 3, 2 / 3]
    )


def marks() -> Marks:
    """Case 0 has lesions 0 and 1, case 1 lesion 2, case 2 none; lesion 2 is hit by nobody."""
    return Marks(
        scores=np.array([0.9, 0.4, 0.8, 0.7, 0.3]),
        case=np.array([0, 0, 0, 2, 2]),
        lesion=np.array([0, 0, NO_LESION, NO_LESION, NO_LESION]),
        lesion_case=np.array([0, 0, 1]),
        cases=3,
    )


def test_several_marks_of_one_lesion_count_once_by_the_highest() -> None:
    across, up = froc_points(marks())

    assert across == pytest.approx([0, 0, 1 / 3, 2 / 3, 1])
    assert up == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 1 / 3])


def test_free_response_of_weighed_cases_is_that_of_cases_that_come_again() -> None:
    twice = marks()
    weighed = froc_points(twice, np.array([2.0, 0.0, 1.0]))

    assert weighed[0] == pytest.approx([0, 0, 2 / 3, 1, 4 / 3])  # 3 cases; the false mark of case 0 counts 2
    assert weighed[1] == pytest.approx([0, 0.5, 0.5, 0.5, 0.5])  # 2 of 4 lesions


def test_free_response_is_that_of_monai() -> None:
    froc = pytest.importorskip("monai.metrics.froc", reason="needs monai")
    random = np.random.default_rng(2)
    cases, lesion_case = 20, np.repeat(np.arange(20), 2)
    lesion = np.r_[np.flatnonzero(random.random(40) < 0.8), np.full(60, NO_LESION)]
    case = np.where(lesion >= 0, lesion_case[lesion], random.integers(0, cases, len(lesion)))
    scores = random.random(len(lesion))
    made = Marks(scores=scores, case=case, lesion=lesion, lesion_case=lesion_case, cases=cases)
    false, true = froc.compute_froc_curve_data(scores[lesion < 0], scores[lesion >= 0], 40, cases)
    across, up = froc_points(made)

    for share in np.unique(true):
        assert across[up >= share - 1e-12].min() == pytest.approx(false[true >= share - 1e-12].min())
    assert len(lesions_found_at(np.array(FALSE_MARKS), made)) == len(FALSE_MARKS)


def test_what_has_no_positive_has_no_curve() -> None:
    nothing = np.zeros(3, dtype=bool)
    with pytest.raises(ValueError, match="a positive and a negative"):
        roc_points(np.arange(3.0), nothing)
    with pytest.raises(ValueError, match="needs a positive"):
        precision_recall_points(np.arange(3.0), nothing)
    with pytest.raises(ValueError, match="needs a lesion"):
        froc_points(marks(), np.array([0.0, 0.0, 1.0]))
