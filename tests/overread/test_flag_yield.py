"""Yields of flags by hand, and how often their intervals hold on draws whose truth is known."""

import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from overread.flag_yield import ReadCases, lead, part_yield, reads_per_confirmed, total
from overread.statistics import Estimate


def cases(read, found, chance) -> ReadCases:
    return ReadCases(
        patients=np.arange(len(read)),
        read=np.array(read, dtype=bool),
        found=np.array(found, dtype=bool),
        chance=np.array(chance, dtype=float),
    )


def test_a_part_that_was_read_to_the_end_is_known() -> None:
    made = cases([1, 1, 1], [1, 0, 1], [1.0, 1.0, 1.0])

    assert part_yield(made, np.ones(3, bool)).confirmed == Estimate(value=2, low=2, high=2, n=3)


def test_what_was_read_by_chance_speaks_for_the_others() -> None:
    """One of two found for certain; 100 others, 20 read with chance .2, 5 found: 1 + 100 * .25 of 102."""
    read = [1, 1] + [1] * 20 + [0] * 80
    found = [1, 0] + [1] * 5 + [0] * 95
    part = part_yield(cases(read, found, [1, 1] + [0.2] * 100), np.ones(102, bool))
    low, high = proportion_confint(5, 20, method="wilson")

    assert part.confirmed is not None
    assert part.confirmed.value == pytest.approx(26)
    assert (part.confirmed.low, part.confirmed.high) == pytest.approx((1 + 100 * low, 1 + 100 * high))
    assert (part.cases, part.read, part.found) == (102, 22, 6)
    assert not part.is_alike


def test_unlike_chances_are_weighed() -> None:
    """A find with chance .1 stands for 10 cases, each of the two others for 2: share 10 / 14."""
    made = cases([1, 1, 1, 0], [1, 0, 0, 0], [0.1, 0.5, 0.5, 0.5])

    assert part_yield(made, np.ones(4, bool)).confirmed.value == pytest.approx(4 * 10 / 14)


def test_where_nobody_was_drawn_the_unread_are_taken_to_be_alike_and_it_is_said() -> None:
    made = cases([1, 1, 0, 0], [1, 0, 0, 0], [1.0, np.nan, np.nan, np.nan])
    part = part_yield(made, np.ones(4, bool))

    assert part.is_alike
    assert part.confirmed.value == pytest.approx(1 + 2 * 0.5)


def test_of_what_nobody_read_nothing_is_known() -> None:
    assert part_yield(cases([0, 0], [0, 0], [0.1, 0.1]), np.ones(2, bool)).confirmed is None


def test_several_cases_of_one_patient_carry_less() -> None:
    read, found = [1] * 40 + [0] * 40, [1, 0] * 20 + [0] * 40
    alone = cases(read, found, [0.5] * 80)
    alike = ReadCases(patients=np.arange(80) // 4, read=alone.read, found=alone.found, chance=alone.chance)
    widths = [
        (one.confirmed.high - one.confirmed.low)
        for one in (part_yield(made, np.ones(80, bool)) for made in (alone, alike))
    ]

    assert widths[1] > 1.5 * widths[0]


def test_sums_and_differences_recover_the_variance_of_both() -> None:
    one = Estimate(value=10, low=7, high=14, n=5)
    other = Estimate(value=6, low=2, high=9, n=5)

    assert total(one, other) == Estimate(value=16, low=16 - 5, high=16 + 5, n=10)
    apart = lead(one, other)
    assert (apart.low, apart.high) == pytest.approx((4 - math.hypot(3, 3), 4 + math.hypot(4, 4)))


def test_a_cost_has_no_upper_end_where_there_may_be_nothing_to_find() -> None:
    cost = reads_per_confirmed(100, Estimate(value=5, low=0, high=20, n=9))

    assert (cost.value, cost.low, cost.high) == (20, 5, math.inf)
    assert reads_per_confirmed(100, Estimate(value=0, low=0, high=2, n=9)).value == math.inf


def test_the_interval_of_a_difference_of_flags_holds_the_truth() -> None:
    """Flags of two lists that share much; the first is read whole, a fifth of the rest: 300 draws."""
    random = np.random.default_rng(12)
    held = 0
    for _ in range(300):
        truth = random.random(2000) < 0.08
        shared = random.normal(size=2000)
        lists = [np.argsort(-(shared + skill * truth + random.normal(size=2000))) for skill in (1.0, 1.5)]
        flags = [np.isin(np.arange(2000), order[:200]) for order in lists]
        chance = np.where(flags[0], 1.0, 0.2)
        read = random.random(2000) < chance
        made = ReadCases(patients=np.arange(2000), read=read, found=truth & read, chance=chance)
        gained = part_yield(made, flags[1] & ~flags[0]).confirmed
        lost = part_yield(made, flags[0] & ~flags[1]).confirmed
        apart = lead(gained, lost)
        held += apart.low <= truth[flags[1]].sum() - truth[flags[0]].sum() <= apart.high

    assert held / 300 > 0.92
