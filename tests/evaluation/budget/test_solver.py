from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.budget.solver import CLOSED, Rows, looked_at, solve


def rows_of(strata: int, *rows: tuple[int, int, float, float]) -> Rows:
    """Rows of (case, stratum, probability, benefit)."""
    case, stratum, probability, benefit = zip(*rows, strict=True)
    return Rows(
        case=np.array(case),
        stratum=np.array(stratum),
        probability=np.array(probability),
        benefit=np.array(benefit, dtype=float),
        cases=max(case) + 1,
        strata=strata,
    )


def best_of_all(rows: Rows, looks: int) -> float:
    """The benefit of the best thresholds there are: every combination is tried."""
    choices = [
        [CLOSED, *np.unique(rows.probability[rows.stratum == number]).tolist()]
        for number in range(rows.strata)
    ]
    return max(
        asked_about(rows, np.array(thresholds))
        for thresholds in product(*choices)
        if looked_at(rows, np.array(thresholds)).sum() <= looks
    )


def asked_about(rows: Rows, thresholds: np.ndarray) -> float:
    return float(rows.benefit[rows.probability >= thresholds[rows.stratum]].sum())


def test_the_price_of_a_look_is_the_same_in_every_stratum() -> None:
    # benefit = probability x 10 in stratum 0, x 2 in stratum 1; three looks
    rows = rows_of(2, (0, 0, 0.9, 9), (1, 0, 0.3, 3), (2, 0, 0.05, 0.5), (3, 1, 0.9, 1.8), (4, 1, 0.5, 1))

    solution = solve(rows, 3)

    assert solution.thresholds.tolist() == [0.3, 0.9]
    assert solution.looked_at.tolist() == [True, True, False, True, False]
    assert solution.benefit == pytest.approx(13.8)
    assert solution.ceiling == pytest.approx(13.8)


def test_a_case_that_is_looked_at_costs_one_look_however_many_rows_it_has() -> None:
    rows = rows_of(2, (0, 0, 0.9, 5), (0, 1, 0.9, 1), (1, 1, 0.8, 4))

    solution = solve(rows, 2)

    assert solution.looked_at.all()
    assert solution.benefit == 10


def test_rows_that_together_are_worth_a_look_are_found() -> None:
    # one look: case 0 for 3 + 3 rather than case 1 for 5
    rows = rows_of(2, (0, 0, 0.5, 3), (0, 1, 0.5, 3), (1, 1, 0.4, 5))

    solution = solve(rows, 1)

    assert solution.looked_at.tolist() == [True, False]
    assert solution.benefit == 6


def test_a_case_is_looked_at_for_the_row_that_is_worth_it() -> None:
    # asking about the row of stratum 1 would reach the same case, and miss what it is looked at for
    rows = rows_of(2, (0, 0, 0.8, 80), (0, 1, 0.9, 2))

    assert solve(rows, 1).thresholds[0] == 0.8


def test_a_stratum_of_which_nothing_is_looked_at_is_closed() -> None:
    rows = rows_of(2, (0, 0, 0.9, 5), (1, 1, 0.9, 1))

    assert solve(rows, 1).thresholds.tolist() == [0.9, CLOSED]
    assert solve(rows, 0).thresholds.tolist() == [CLOSED, CLOSED]


def test_rows_of_equal_probability_are_looked_at_together_or_not_at_all() -> None:
    rows = rows_of(1, (0, 0, 0.9, 5), (1, 0, 0.5, 5), (2, 0, 0.5, 5))

    assert solve(rows, 2).looked_at.tolist() == [True, False, False]


def test_with_looks_for_all_everything_is_asked_about() -> None:
    rows = rows_of(2, (0, 0, 0.9, 5), (1, 1, 0.01, 0.1))

    solution = solve(rows, 100)

    assert solution.looked_at.all()
    assert solution.benefit == solution.ceiling == pytest.approx(5.1)


def test_the_ceiling_charges_a_case_for_one_look_even_if_its_rows_are_worth_the_same() -> None:
    rows = rows_of(2, (0, 0, 0.9, 5), (0, 1, 0.9, 5), (1, 0, 0.8, 4), (1, 1, 0.8, 4))

    solution = solve(rows, 1)

    assert solution.benefit == 10
    assert solution.ceiling >= 10 - 1e-6


def test_the_ceiling_knows_that_thresholds_reach_less_than_picking_case_by_case() -> None:
    # in both strata a case without benefit stands before the one that has it
    rows = rows_of(2, (0, 0, 0.9, 1), (1, 0, 0.8, 10), (2, 1, 0.9, 1), (3, 1, 0.8, 10))

    solution = solve(rows, 2)

    assert solution.benefit == 11
    assert solution.ceiling < 20  # what the two best cases picked one by one would have
    assert solution.ceiling >= 11


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be negative"):
        solve(rows_of(1, (0, 0, 0.9, 5)), -1)
    with pytest.raises(ValueError, match="cannot be negative"):
        solve(rows_of(1, (0, 0, 0.9, -5)), 1)


PROBABILITIES = st.integers(1, 99).map(lambda percent: percent / 100)


@settings(deadline=None)
@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 2), PROBABILITIES),
        min_size=1,
        max_size=12,
        unique=True,
    ),
    values=st.tuples(*[st.integers(1, 5)] * 3),
    looks=st.integers(0, 12),
)
def test_it_is_exact_where_every_case_has_one_row(drawn, values, looks) -> None:
    # no two rows of a stratum have the same probability, and the benefit rises with it
    rows = rows_of(
        3,
        *[
            (case, stratum, probability, probability * values[stratum])
            for case, (stratum, probability) in enumerate(drawn)
        ],
    )

    solution = solve(rows, looks)

    assert solution.looked_at.sum() <= looks
    assert solution.benefit == pytest.approx(best_of_all(rows, looks))
    assert solution.benefit == pytest.approx(solution.ceiling)


def coupled(seed: int, digits: int) -> tuple[Rows, int]:
    """A small problem whose cases have rows in several strata; few digits make ties."""
    generator = np.random.default_rng(seed)
    cases, strata = int(generator.integers(3, 13)), int(generator.integers(2, 4))
    case, stratum = np.nonzero(generator.uniform(size=(cases, strata)) < 0.6)
    probability = np.round(generator.beta(1, 3, len(case)), digits)
    benefit = probability * generator.uniform(0.2, 1, strata)[stratum]
    rows = Rows(
        case=case, stratum=stratum, probability=probability, benefit=benefit, cases=cases, strata=strata
    )
    return rows, int(generator.integers(1, cases + 1))


@pytest.mark.parametrize(("digits", "mean", "worst"), [(9, 0.995, 0.95), (1, 0.99, 0.7)])
def test_cases_with_several_rows_come_close_to_the_best_of_all(digits, mean, worst) -> None:
    reached = []
    for seed in range(60):
        rows, looks = coupled(seed, digits)
        best, solution = best_of_all(rows, looks), solve(rows, looks)
        assert solution.looked_at.sum() <= looks
        assert solution.benefit <= best + 1e-9 <= solution.ceiling + 2e-9
        if best:
            reached.append(solution.benefit / best)

    assert np.mean(reached) >= mean
    assert min(reached) >= worst


def test_the_thresholds_and_the_cases_looked_at_say_the_same() -> None:
    for seed in range(30):
        rows, looks = coupled(seed, 2)
        solution = solve(rows, looks)

        assert looked_at(rows, solution.thresholds).tolist() == solution.looked_at.tolist()
        assert asked_about(rows, solution.thresholds) == pytest.approx(solution.benefit)
