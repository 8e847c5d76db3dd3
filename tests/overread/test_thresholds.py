import pytest

from overread.discrepancy import DiscrepancyKind
from overread.errors import ConfigurationError
from overread.thresholds import Thresholds, encode_thresholds, parse_thresholds

MISS, OVERCALL = DiscrepancyKind.POSSIBLE_MISS, DiscrepancyKind.POSSIBLE_OVERCALL
THRESHOLDS = Thresholds(
    version="7",
    chosen_on='90 days of "our" past\\cases',
    probabilities={("opacity", MISS): 0.1 + 0.2, ("nodule", OVERCALL): 0.0},
    never=frozenset({("hernia", MISS)}),
)
TEXT = encode_thresholds(THRESHOLDS)


def test_the_file_gives_the_same_thresholds_again() -> None:
    assert parse_thresholds(TEXT) == THRESHOLDS


@pytest.mark.parametrize(
    ("finding", "kind", "least"),
    [
        ("opacity", MISS, 0.1 + 0.2),
        ("nodule", OVERCALL, 0.0),
        ("opacity", OVERCALL, 0.0),  # not named
        ("hernia", MISS, 1.0),
        ("hernia", OVERCALL, 0.0),
    ],
)
def test_a_row_is_worth_a_look_from_its_threshold_on(finding, kind, least) -> None:
    assert THRESHOLDS.least_probability(finding, kind) == least


@pytest.mark.parametrize(
    ("is_there", "put", "message"),
    [
        ("layout = 1", "layout = 2", "layout must be 1"),
        ("layout = 1\n", "", "malformed: 'layout'"),
        ('version = "7"', 'versions = "7"', "malformed: 'version'"),
        ('version = "7"', 'version = "7"\nper_day = 40', "unknown settings: per_day"),
        ("probability = 0.0", "probability = 1.5", r"must lie in \[0, 1\], not 1.5"),
        ("probability = 0.0", "probability = true", r"must lie in \[0, 1\], not True"),
        ("probability = 0.0", "", "malformed: 'probability'"),
        ("POSSIBLE_OVERCALL", "OVERCALL", "malformed: 'OVERCALL'"),
        ('finding = "hernia"', 'finding = "opacity"', "name a finding and kind twice"),
        ('finding = "hernia"', "finding = 3", "findings must be texts"),
        ('finding = "hernia"', 'finding = "hernia"\nprobability = 0.4', "unknown settings"),
        ("[[never]]", "[never]", "malformed"),
        ("[[never]]", "[[never", "malformed"),
    ],
)
def test_a_mistake_in_the_file_is_refused(is_there: str, put: str, message: str) -> None:
    assert is_there in TEXT

    with pytest.raises(ConfigurationError, match=message):
        parse_thresholds(TEXT.replace(is_there, put))
