import numpy as np
import pytest

from evaluation.audit.archive_table import archive_table
from overread.audit.archive import Reading, with_known_chance


def reading_of(*groups: tuple[int, int, int, bool, float]) -> Reading:
    """Groups of cases: how many, how many of them read, found, whether flagged, probability of being read."""
    read, found, flagged, probability = [], [], [], []
    for cases, reads, hits, is_flagged, chance in groups:
        read += [n < reads for n in range(cases)]
        found += [n < hits for n in range(cases)]
        flagged += [is_flagged] * cases
        probability += [chance] * cases
    return Reading(
        read=np.array(read),
        found=np.array(found),
        flagged=np.array(flagged),
        probability=np.array(probability, float),
    )


def values(reading: Reading) -> dict[tuple[str, str], float | None]:
    return {(row["figure"], row["estimator"]): row["value"] for row in archive_table(reading).records()}


def test_flagged_and_sampled_cases_are_put_together_by_their_weights() -> None:
    """All of 100 flagged read, 40 found; 50 of 1,000 others read, 5 found: (40 + 100) / 1,100."""
    found = values(reading_of((100, 100, 40, True, 1.0), (1000, 50, 5, False, 0.05)))

    assert found["discrepancy_rate", "naive"] == pytest.approx(45 / 150)
    for estimator in ("Horvitz-Thompson", "Hajek", "strata, exact"):
        assert found["discrepancy_rate", estimator] == pytest.approx(140 / 1100)
    assert found["sensitivity_of_flags", "Hajek"] == pytest.approx(40 / 140)
    assert found["sensitivity_of_flags", "strata, exact"] == pytest.approx(40 / 140)
    assert found["missed_by_flags", "strata, exact"] == pytest.approx(0.1)
    assert found["sensitivity_of_flags", "naive"] == pytest.approx(40 / 45)


def test_flagged_cases_that_wait_for_their_read_are_spoken_for_by_nobody() -> None:
    reading = reading_of((100, 100, 40, True, 1.0), (30, 0, 0, True, np.nan), (1000, 50, 5, False, 0.05))
    table = archive_table(reading).records()
    weighted = [row for row in table if row["estimator"] != "naive"]

    assert with_known_chance(reading)[1] == 30
    assert all("without 30 cases" in row["remark"] for row in weighted)
    assert values(reading)["discrepancy_rate", "strata, exact"] == pytest.approx(140 / 1100)


def test_reads_that_alone_say_their_probability_speak_for_all() -> None:
    reading = reading_of((40, 40, 4, False, 0.1), (360, 0, 0, False, np.nan))

    assert with_known_chance(reading)[1] == 0
    assert values(reading)["discrepancy_rate", "Horvitz-Thompson"] == pytest.approx(0.1)


def test_reads_of_unknown_probability_give_the_naive_figure_alone() -> None:
    found = values(reading_of((40, 40, 4, True, np.nan), (100, 0, 0, False, np.nan)))

    assert found["discrepancy_rate", "naive"] == pytest.approx(0.1)
    assert found["discrepancy_rate", "weighted"] is None


def test_where_only_flagged_cases_were_read_nothing_is_known_of_the_others() -> None:
    table = archive_table(reading_of((40, 40, 4, True, 1.0), (100, 0, 0, False, np.nan))).records()
    (row,) = [row for row in table if row["estimator"] == "Hajek" and row["figure"] == "discrepancy_rate"]

    assert row["value"] is None
    assert "no chance of being read" in row["remark"]

    (share,) = [
        row for row in table if row["estimator"] == "Hajek" and row["figure"] == "sensitivity_of_flags"
    ]
    assert share["value"] is None
    assert share["remark"] == "no case that is not flagged was read"


def test_few_found_outside_carry_a_wide_sensitivity() -> None:
    """Two of 50 found with chance .05 stand for 40 of 1000; exact limits of it are about as wide."""
    table = archive_table(reading_of((100, 100, 40, True, 1.0), (1000, 50, 2, False, 0.05))).records()
    found = {row["estimator"]: row for row in table if row["figure"] == "sensitivity_of_flags"}

    assert found["Hajek"]["value"] == pytest.approx(40 / 80)
    assert found["strata, exact"]["value"] == pytest.approx(40 / 80)
    for end in ("low", "high"):
        assert found["Hajek"][end] == pytest.approx(found["strata, exact"][end], abs=0.05)


def test_nobody_read_anything() -> None:
    assert archive_table(reading_of((40, 0, 0, True, np.nan))).rows == []
