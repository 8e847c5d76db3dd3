import json
from dataclasses import replace

import numpy as np
import pytest

from overread.errors import ConfigurationError
from overread.logistic import sigmoid
from overread.reporting_model import (
    PastReports,
    encode_reporting_model,
    fit_reporting_model,
    parse_reporting_model,
    shipped_reporting_model,
    stated_share,
)

FINDINGS = ("nodule", "effusion")


def simulated(studies: int = 3000, seed: int = 1) -> PastReports:
    """A site whose reports state effusions far more often than nodules, each as its score says."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(studies, 2)) * [1.0, 3.0] + [4.0, -6.0]  # scores on scales of their own
    chances = sigmoid((logits - [4.0, -6.0]) / [1.0, 3.0] * [1.5, 1.0] + [-3.5, -1.0])
    return PastReports(
        scores=sigmoid(logits),
        stated=rng.random((studies, 2)) < chances,
        patients=[str(number // 2) for number in range(studies)],
    )


def fitted(past: PastReports, **given):
    return fit_reporting_model("detector", "1", FINDINGS, past, **given)


def test_the_model_is_right_on_average_whatever_the_scale_of_the_scores() -> None:
    unseen = simulated(seed=2)

    shares = stated_share(fitted(simulated()), unseen.scores)

    assert shares.mean(axis=0) == pytest.approx(unseen.stated.mean(axis=0), abs=0.02)
    high = unseen.scores[:, 1] > np.quantile(unseen.scores[:, 1], 0.9)
    assert shares[high, 1].mean() == pytest.approx(unseen.stated[high, 1].mean(), abs=0.06)


def test_the_order_within_a_finding_is_that_of_its_own_score() -> None:
    contrary = simulated(200)
    contrary = replace(contrary, stated=contrary.scores < np.median(contrary.scores, axis=0))

    shares = stated_share(fitted(contrary), contrary.scores)

    for column in range(2):
        order = np.argsort(contrary.scores[:, column])
        assert (np.diff(shares[order, column]) >= 0).all()


def test_a_dozen_cases_move_it_a_little_and_none_leaves_the_standing_in_each_finding() -> None:
    past = simulated(12)
    unreported = replace(past, stated=np.zeros_like(past.stated))

    none = fitted(replace(past, scores=past.scores[:0], stated=past.stated[:0], patients=[]))
    few = fitted(unreported)

    assert none.intercept == pytest.approx([-2.0, -2.0])
    assert (few.intercept < -2.0).all()
    assert (few.intercept > -4.0).all()


def test_a_model_from_elsewhere_is_where_a_site_starts_from() -> None:
    elsewhere = fitted(simulated())
    site = simulated(15, seed=3)

    own = fitted(site, prior=elsewhere)

    assert own.mean.tolist() == elsewhere.mean.tolist()
    assert own.intercept == pytest.approx(elsewhere.intercept, abs=0.8)
    assert own.studies == 15
    assert own != elsewhere


def test_a_score_that_is_missing_gives_no_share_and_one_of_0_or_1_a_bounded_one() -> None:
    model = fitted(simulated())

    shares = stated_share(model, np.array([[np.nan, 1.0], [0.0, 0.5]]))

    assert np.isnan(shares[0, 0])
    assert np.isfinite(shares[[0, 1, 1], [1, 0, 1]]).all()


def test_a_score_that_never_varies_says_nothing() -> None:
    past = simulated(500)
    past = replace(past, scores=np.column_stack([np.full(500, 0.5), past.scores[:, 1]]))

    shares = stated_share(fitted(past), past.scores)[:, 0]

    assert shares == pytest.approx(np.full(500, shares[0]))


def test_it_is_stored_exactly_and_its_hash_names_its_numbers() -> None:
    model = fitted(simulated())
    again = parse_reporting_model(encode_reporting_model(model))

    assert again == model
    assert again.sha256 != fitted(simulated(seed=5)).sha256
    assert (stated_share(again, simulated().scores) == stated_share(model, simulated().scores)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"format": 1},
        {"scale": [1, 0]},
        {"slope": [1, -1]},
        {"mean": [1]},
        {"base_rates": [0, 0.5]},
        {"intercept": [1, float("nan")]},
        {"studies": None},
        {"adjudications": {}},
    ],
)
def test_a_malformed_model_is_refused(change) -> None:
    text = json.dumps(json.loads(encode_reporting_model(fitted(simulated()))) | change)

    with pytest.raises(ConfigurationError):
        parse_reporting_model(text)


def test_models_that_come_with_overread_can_be_read_and_others_are_none() -> None:
    model = shipped_reporting_model("chexnet-reproduction")

    assert model is not None
    assert model.fits("chexnet-reproduction", "2018")
    assert model.studies > 10_000
    assert shipped_reporting_model("../policy") is None
    assert shipped_reporting_model("unheard-of") is None
