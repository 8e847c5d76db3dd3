"""The design of a sample: strata, allocation, the draw."""

import numpy as np
import pytest

from evaluation.audit.design import (
    LEAST_READS,
    SHARES,
    allocate,
    draw,
    expected_half_width,
    reads_for,
    strata_of,
)
from overread.errors import ConfigurationError

LIST = np.linspace(0.6, 0.0005, 10_000)


def test_strata_are_parts_of_the_list_in_its_order() -> None:
    strata = strata_of(LIST)

    assert [len(stratum.rows) for stratum in strata] == [100, 400, 500, 1500, 2500, 5000]
    assert [stratum.name for stratum in strata][:2] == ["0-1 %", "1-5 %"]
    assert np.array_equal(np.concatenate([stratum.rows for stratum in strata]), np.arange(10_000))
    assert strata[0].expected == pytest.approx(LIST[:100].mean())


def test_a_short_list_has_fewer_strata() -> None:
    assert [len(stratum.rows) for stratum in strata_of(np.array([0.5, 0.1, 0.01]))] == [1, 1, 1]


@pytest.mark.parametrize("shares", [(0.5,), (0.5, 0.2, 1.0), (0.0, 1.0), (0.2, 0.2, 1.0)])
def test_ends_that_do_not_grow_to_the_whole_are_refused(shares) -> None:
    with pytest.raises(ConfigurationError, match="must grow"):
        strata_of(LIST, shares)


def test_reads_are_allocated_whole_with_some_in_every_stratum() -> None:
    planned = allocate(strata_of(LIST), 300)

    assert sum(stratum.reads for stratum in planned) == 300
    assert min(stratum.reads for stratum in planned) >= LEAST_READS
    rates = [stratum.reads / len(stratum.rows) for stratum in planned]
    assert rates[0] == max(rates)


def test_neyman_s_allocation_is_narrower_than_a_proportional_one() -> None:
    rare = np.concatenate([np.full(500, 0.4), np.full(9500, 0.002)])
    planned = allocate(strata_of(rare, (0.05, 1.0)), 400)
    proportional = [
        type(stratum)(
            name=stratum.name, rows=stratum.rows, expected=stratum.expected, reads=len(stratum.rows) // 25
        )
        for stratum in planned
    ]

    assert expected_half_width(planned) < 0.8 * expected_half_width(proportional)


def test_too_few_or_too_many_reads_are_refused_in_words() -> None:
    strata = strata_of(LIST)

    with pytest.raises(ConfigurationError, match="at least 60"):
        allocate(strata, 59)
    with pytest.raises(ConfigurationError, match="10000 cases"):
        allocate(strata, 10_001)
    assert sum(item.reads for item in allocate(strata, 10_000)) == 10_000


def test_a_wanted_width_gives_the_fewest_reads_that_are_expected_to_reach_it() -> None:
    strata = strata_of(LIST)
    reads = reads_for(strata, 0.02)

    assert expected_half_width(allocate(strata, reads)) <= 0.02
    assert expected_half_width(allocate(strata, reads - 1)) > 0.02


def test_a_draw_is_repeatable_without_repeats_and_tells_nothing_by_its_order() -> None:
    planned = allocate(strata_of(LIST), 300)

    first, again, other = draw(planned, seed=1), draw(planned, seed=1), draw(planned, seed=2)

    assert np.array_equal(first, again)
    assert not np.array_equal(np.sort(first), np.sort(other))
    assert len(set(first)) == 300
    assert abs(np.corrcoef(np.arange(300), first)[0, 1]) < 0.2
    assert SHARES[-1] == 1.0


def test_each_case_of_a_stratum_is_as_likely_to_be_drawn() -> None:
    planned = allocate(strata_of(LIST, (0.01, 1.0)), 60)
    head = planned[0]
    counts = np.zeros(len(head.rows))
    for seed in range(2000):
        places = draw(planned, seed=seed)
        counts[places[places < len(head.rows)]] += 1

    expected = 2000 * head.reads / len(head.rows)
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)
