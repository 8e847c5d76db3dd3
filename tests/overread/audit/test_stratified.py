"""Estimates from strata: by hand, by enumeration, and on archives whose truth is known."""

import math
from fractions import Fraction
from itertools import pairwise

import pytest

from evaluation.audit.coverage import run
from overread.audit.hypergeometric import limits
from overread.audit.stratified import Stratum, rate, share_within, total
from overread.errors import InputError

TAIL = Fraction(1, 40)


def stratum(size: int, read: int, found: int) -> Stratum:
    return Stratum(name=f"{size}", size=size, read=read, found=found)


def at_most(found: int, read: int, size: int, of_kind: int) -> Fraction:
    ways = sum(math.comb(of_kind, x) * math.comb(size - of_kind, read - x) for x in range(found + 1))
    return Fraction(ways, math.comb(size, read))


@pytest.mark.parametrize("size", [1, 7, 30])
def test_limits_are_those_of_enumerating_every_archive(size: int) -> None:
    for read in range(1, size + 1):
        for found in range(read + 1):
            possible = range(found, size - (read - found) + 1)
            held = [
                kinds
                for kinds in possible
                if at_most(found, read, size, kinds) > TAIL
                and 1 - at_most(found - 1, read, size, kinds) > TAIL
            ]
            assert limits(found, read, size) == (held[0], held[-1])


def test_limits_of_a_million_cases_are_found() -> None:
    low, high = limits(3, 1000, 1_000_000)

    assert low == pytest.approx(620, rel=0.02)  # Clopper and Pearson: 0.000619 and 0.00874
    assert high == pytest.approx(8740, rel=0.02)


def test_a_total_weighs_each_stratum_by_what_a_read_stands_for() -> None:
    strata = [stratum(100, 100, 20), stratum(900, 90, 3)]

    assert total(strata).value == pytest.approx(20 + 3 * 10)
    assert rate(strata).value == pytest.approx(50 / 1000)
    assert total(strata).n == 190


def test_what_was_read_whole_is_known() -> None:
    whole = rate([stratum(50, 50, 5), stratum(10, 10, 0)])

    assert (whole.low, whole.value, whole.high) == (5 / 60, 5 / 60, 5 / 60)


def test_limits_of_a_sum_hold_what_was_found_and_no_more_than_there_is() -> None:
    estimate = total([stratum(100, 10, 0), stratum(20, 10, 10)])

    assert estimate.low >= 10
    assert estimate.high <= 120


def test_of_one_sampled_stratum_the_total_has_its_limits() -> None:
    low, high = limits(2, 40, 500)

    estimate = total([stratum(500, 40, 2)])

    assert (estimate.low, estimate.high) == (pytest.approx(low), pytest.approx(high))


def test_the_share_within_compares_totals_not_reads() -> None:
    inside, outside = [stratum(100, 100, 20)], [stratum(900, 90, 2)]

    share = share_within(inside, outside)

    assert share is not None
    assert share.value == pytest.approx(20 / 40)  # of the reads it would be 20 of 22
    assert share.low < 0.5 < share.high


def test_the_limits_of_the_share_follow_those_of_what_was_missed_where_the_head_is_known() -> None:
    inside, outside = [stratum(100, 100, 20)], [stratum(900, 90, 2)]
    missed = total(outside)

    share = share_within(inside, outside)

    assert share is not None
    assert share.low == pytest.approx(20 / (20 + missed.high))
    assert share.high == pytest.approx(20 / (20 + missed.low))


def test_finding_nothing_outside_does_not_mean_that_nothing_is_there() -> None:
    share = share_within([stratum(100, 100, 20)], [stratum(900, 90, 0)])

    assert share is not None
    assert share.value == share.high == 1.0
    assert share.low < 0.5


def test_finding_nothing_inside_or_nowhere() -> None:
    nothing_inside = share_within([stratum(100, 50, 0)], [stratum(900, 90, 5)])

    assert nothing_inside is not None
    assert (nothing_inside.value, nothing_inside.low) == (0.0, 0.0)
    assert 0 < nothing_inside.high < 1
    assert share_within([stratum(100, 50, 0)], [stratum(900, 90, 0)]) is None


def test_a_stratum_that_nobody_read_makes_the_whole_unknown() -> None:
    with pytest.raises(InputError, match="none of the 900 cases"):
        rate([stratum(100, 100, 20), stratum(900, 0, 0)])


def test_more_reads_make_narrower_intervals() -> None:
    widths = [
        (estimate := rate([stratum(1000, read, read // 50)])).high - estimate.low for read in (50, 200, 800)
    ]

    assert all(later < earlier for earlier, later in pairwise(widths))


def test_on_simulated_archives_the_intervals_hold_the_truth_and_naive_figures_are_off() -> None:
    tallies = dict(run(0.05, 0.85, 300, 60, 1))

    for tally in tallies.values():
        assert tally.held >= 0.85 * tally.given
        assert abs(tally.error) < abs(tally.naive_error) / 3
