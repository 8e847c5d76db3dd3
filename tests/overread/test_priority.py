from dataclasses import replace
from importlib.resources import files

import pytest

from overread.discrepancy import DiscrepancyKind
from overread.errors import ConfigurationError
from overread.finding import load_vocabulary
from overread.priority import default_policy, joint_priority, least_odds, parse_policy, priority
from overread.reporting_model import encode_reporting_model
from overread.thresholds import Thresholds, encode_thresholds

TEXT = (files("overread") / "data" / "policy.toml").read_text(encoding="utf-8")


def test_priority_is_the_share_of_the_odds_times_weight_times_urgency() -> None:
    vocabulary = load_vocabulary()

    # even odds, weights 5 and 1 of 5: 100 x 1/2 x 6/6 x 1.0, and 100 x 1/2 x 2/6 x 0.8
    assert priority(1.0, vocabulary["pneumothorax"], default_policy()) == pytest.approx(50.0)
    assert priority(1.0, vocabulary["atelectasis"], default_policy()) == pytest.approx(40 / 3)


def test_a_site_brings_its_thresholds_and_its_reporting_models_with_the_policy() -> None:
    thresholds = Thresholds(
        version="a",
        chosen_on="last month",
        probabilities={("opacity", DiscrepancyKind.POSSIBLE_MISS): 0.25},
        never=frozenset({("hernia", DiscrepancyKind.POSSIBLE_MISS)}),
    )
    policy = parse_policy(f"{TEXT}\n[budget]\nthresholds = '''{encode_thresholds(thresholds)}'''\n")

    assert policy.thresholds == thresholds
    assert least_odds("opacity", DiscrepancyKind.POSSIBLE_MISS, policy) == pytest.approx(1 / 3)
    assert least_odds("opacity", DiscrepancyKind.POSSIBLE_OVERCALL, policy) == policy.minimum_odds
    assert least_odds("hernia", DiscrepancyKind.POSSIBLE_MISS, policy) == float("inf")
    with pytest.raises(ConfigurationError, match="unknown settings"):
        parse_policy(f"{TEXT}\n[budget]\nthresholds = '''{encode_thresholds(thresholds)}'''\nmore = 1\n")
    with pytest.raises(ConfigurationError, match="reporting model is malformed"):
        parse_policy(f"{TEXT}\n[reporting_model]\nsome = '{{}}'\n")


def test_one_look_finds_all_discrepancies_of_a_case() -> None:
    assert joint_priority([]) == 0.0
    assert joint_priority([40.0]) == pytest.approx(40.0)
    # 40 of 100, and half of what is left
    assert joint_priority([40.0, 50.0]) == pytest.approx(70.0)
    assert joint_priority([100.0, 50.0]) == 100.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("denied = 0.8", "denied = -1"), "denied must be a positive number"),
        (("denied = 0.8", 'denied = "much"'), "denied must be a positive number"),
        (("denied = 0.8", "denied = true"), "denied must be a positive number"),
        (("denied = 0.8", "denied = inf"), "denied must be a positive number"),
        (("denied = 0.8", "refused = 0.8"), "malformed"),
        (("pneumothorax = 0.56", "pneumothorax = 1.0"), "reader_sensitivity.pneumothorax"),
        (("pneumothorax = 0.56", "pneumothorx = 0.56"), "pneumothorx"),
        (("related_share = 0.6", "related_share = 1.5"), "related_share is a share"),
        (("share = 0.10 ", "share = 0 "), "line.share must be a positive number"),
        (("minutes = 1.0", "weeks = 1.0"), "urgency"),
        (("minimum_odds = 0.05", "minimum_odds = 0.05\nsurprise = 2"), "surprise"),
        (("[report]", "[report"), "malformed"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_setting_named(change, message) -> None:
    assert change[0] in TEXT

    with pytest.raises(ConfigurationError, match=message):
        parse_policy(TEXT.replace(*change, 1))


def test_the_model_of_the_site_takes_the_place_of_the_one_that_comes_with_overread() -> None:
    shipped = default_policy().reporting_model("chexnet-reproduction", "2018")
    assert shipped is not None
    own = replace(shipped, intercept=shipped.intercept + 1)
    policy = parse_policy(
        f"{TEXT}\n[reporting_model]\nchexnet-reproduction = '''{encode_reporting_model(own)}'''\n"
    )

    assert policy.reporting_model("chexnet-reproduction", "2018") == own != shipped
    assert policy.reporting_model("another", "1") is None
    bound = replace(policy, reporting_models={"chexnet-reproduction": replace(own, version="2019")})
    assert bound.reporting_model("chexnet-reproduction", "2018") == shipped
